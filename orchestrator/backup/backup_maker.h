/// Makes backups: a place in the vault, a copy by the provider, its proof, and the line of the
/// manifest, in this order. Whatever goes wrong, nothing half-made is left.
///
/// Thread safety: any thread, for another tenant each.
/// Errors: a TenantFault; see provider.h, and backup_not_kept for the vault's own.

#pragma once

#include <functional>
#include <variant>

#include "orchestrator/backup/provider.h"
#include "orchestrator/backup/vault.h"

namespace drover::orchestrator::backup {

/// Backs `subject` up with `provider` and keeps it in `vault`.
std::variant<Backup, engine::TenantFault> make_backup(const Vault& vault,
                                                      Provider& provider,
                                                      BackupOptions::Provider kind,
                                                      const BackupSubject& subject,
                                                      const engine::Patience& patience);

}  // namespace drover::orchestrator::backup

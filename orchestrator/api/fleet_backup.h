/// Backups of many tenants by hand: made now, under the limits of backups.
///
/// Thread safety: one call is one caller's; it uses threads of its own.
/// Errors: what goes wrong with one tenant is in its result; Error of BackupDesk.

#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "orchestrator/api/backup_desk.h"
#include "orchestrator/api/workspace.h"
#include "orchestrator/backup.h"

namespace drover::orchestrator {

struct TenantBackup {
  TenantId id;
  std::optional<Backup> made;
  std::optional<engine::TenantFault> fault;  ///< Why there is none.
};

/// A backup of each of `tenants`, in their order. `told` is called as they end, one at a time.
std::vector<TenantBackup> back_up(Workspace& workspace,
                                  BackupDesk& desk,
                                  const std::vector<Tenant>& tenants,
                                  const std::function<void(const TenantBackup&)>& told,
                                  const engine::Patience& patience);

}  // namespace drover::orchestrator

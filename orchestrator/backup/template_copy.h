/// Backups that are databases of the same server: CREATE DATABASE ... TEMPLATE, which is quick and
/// wants the tenant to itself.
///
/// While the copy is made the tenant's database is closed and its sessions are ended, ours too:
/// make it before the tenant is locked for a migration. One session of ours, opened before, stays
/// inside a little longer: it holds the tenant's lock and sums up every table while nobody can
/// change one. The copy is summed up when the tenant is open again, and must be equal. It is kept
/// closed.
///
/// The database is opened again whatever happens; where a process died before it could,
/// open_if_left_closed() and the next copy or restore of the tenant do so.
///
/// Thread safety: free functions, and one thread per CopySource. Errors: a TenantFault, kinds
/// backup_refused, backup_failed, backup_not_proven, sessions_remain, lock_held and those of
/// engine/fault.h.

#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "orchestrator/backup/restore_means.h"

namespace drover::orchestrator::backup {

struct TemplateCopy {
  std::string database;  ///< NAME_copy_MARK; the handle of the backup.
  std::string server_version;
  std::vector<engine::TableDigest> tables;  ///< As record_digest.h sums up.
};

/// `mark` as in RestoreRequest.
std::variant<TemplateCopy, engine::TenantFault> make_template_copy(
    const BackupSubject& subject,
    const std::string& mark,
    const RestoreMeans& means,
    const engine::Patience& patience);

/// Drops the copy called `handle`; nothing when it is not there. Refuses every other database.
std::optional<engine::TenantFault> remove_template_copy(const Tenant& tenant,
                                                        const std::string& handle,
                                                        const RestoreMeans& means,
                                                        const engine::Patience& patience);

/// Opens the tenant's database if a process of ours that is dead has left it closed.
std::optional<engine::TenantFault> open_if_left_closed(const Tenant& tenant,
                                                       const RestoreMeans& means,
                                                       const engine::Patience& patience);

/// The content of a copy, for restore_database().
class CopySource final : public BackupSource {
 public:
  /// `means` must outlive the object. `handle` is that of the backup.
  CopySource(const RestoreMeans& means, std::string handle)
      : means_(means), handle_(std::move(handle)) {}

  std::string template_database() const override { return handle_; }
  std::optional<engine::TenantFault> fill(const engine::Target& target,
                                          const engine::Patience& patience) override;
  ContentReading read(const engine::Target& target,
                      Extent extent,
                      const engine::Patience& patience) override;

 private:
  const RestoreMeans& means_;
  std::string handle_;
};

}  // namespace drover::orchestrator::backup

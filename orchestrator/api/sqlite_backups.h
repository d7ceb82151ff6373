/// Backups of SQLite files: made by the online backup API, proven by reading every row, and put
/// back into the live file.
///
/// Thread safety: any thread, for another tenant each. Errors: see backup/provider.h, and
/// restore_refused, restore_failed, restore_not_proven.

#pragma once

#include <filesystem>

#include "orchestrator/api/backup_desk.h"
#include "orchestrator/backup/provider.h"
#include "orchestrator/backup/vault.h"

namespace drover::orchestrator {

/// The live file that a backup is put back into.
struct LivePlace {
  const Tenant& tenant;
  const std::vector<engine::RevisionId> heads;  ///< Of its history, as far as they are known.
  const backup::Vault& vault;                   ///< Keeps what the file holds.
};

class SqliteBackups final : public backup::Provider {
 public:
  /// `lock_timeout` bounds the wait for other users of a file.
  explicit SqliteBackups(engine::Milliseconds lock_timeout) : lock_timeout_(lock_timeout) {}

  std::string extension_for(const BackupSubject&) const override { return "db"; }
  backup::MadeOrFault make(const BackupSubject& subject,
                           const BackupId& id,
                           const std::filesystem::path& part,
                           const engine::Patience& patience) override;

  /// Puts `backup`, whose file is `stored`, into the live file, whose present content is kept
  /// first. A live file that is gone is made anew.
  PutBack put_back(const Backup& backup,
                   const std::filesystem::path& stored,
                   const LivePlace& place,
                   const OnStep& on_step,
                   const engine::Patience& patience) const;

  /// What differs between `stored` and what the manifest says; empty: nothing.
  std::vector<std::string> differences_in(const Backup& backup,
                                          const std::filesystem::path& stored,
                                          const engine::Patience& patience) const;

 private:
  const engine::Milliseconds lock_timeout_;
};

}  // namespace drover::orchestrator

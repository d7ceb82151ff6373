/// Backups by a program of the user's: to a place that only it knows, encrypted, deduplicated ...
///
/// It is run without a shell, with the tenant's facts in its environment: DROVER_BACKUP (the id),
/// DROVER_TENANT, DROVER_UID, DROVER_RUN, DROVER_ENVIRONMENT, DROVER_SERVER, DROVER_DATABASE,
/// DROVER_SCHEMA (empty: the whole database), DROVER_CONNECTION (libpq's words, or the path of an
/// SQLite file), PGPASSFILE where there is a password, and DROVER_FILE, a path that it may write
/// the backup to. It prints one line, {"handle": "s3://...", "bytes": 1234, "sha256": "..."};
/// `handle` is needed unless it wrote DROVER_FILE, the rest may be left out. It ends with status 0
/// only when the backup is proven.
///
/// The one that restores gets the same facts, DROVER_HANDLE and DROVER_FILE, and puts the tenant
/// back by itself.
///
/// Thread safety and errors: see provider.h.

#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "orchestrator/backup/provider.h"

namespace drover::orchestrator::backup {

class CommandProvider final : public Provider {
 public:
  /// `directory` is where the program runs.
  CommandProvider(std::vector<std::string> argv, std::filesystem::path directory)
      : argv_(std::move(argv)), directory_(std::move(directory)) {}

  std::string extension_for(const BackupSubject&) const override { return "backup"; }
  MadeOrFault make(const BackupSubject& subject,
                   const BackupId& id,
                   const std::filesystem::path& part,
                   const engine::Patience& patience) override;

 private:
  const std::vector<std::string> argv_;
  const std::filesystem::path directory_;
};

/// Runs the program that puts `backup` back. `file` is its file, where it has one. Why it failed,
/// or nullopt.
std::optional<engine::TenantFault> restore_by_command(const std::vector<std::string>& argv,
                                                      const std::filesystem::path& directory,
                                                      const Backup& backup,
                                                      const Tenant& tenant,
                                                      const std::filesystem::path& file,
                                                      const engine::Patience& patience);

}  // namespace drover::orchestrator::backup

#include "orchestrator/api/sqlite_backups.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "engine/sqlite/sqlite_copy.h"
#include "engine/sqlite/sqlite_digest.h"
#include "engine/sqlite/sqlite_process.h"

namespace drover::orchestrator {
namespace {

namespace fs = std::filesystem;
namespace sqlite = engine::sqlite;
using backup::backup_fault;
using engine::SqlError;

/// What SQLite said while a backup was made, read or put back.
engine::TenantFault fault_of(const SqlError& error, std::string kind, std::string_view doing) {
  kind = error.origin == SqlError::Origin::deadline
             ? "backup_timed_out"
             : (error.origin == SqlError::Origin::stopped ? "interrupted" : std::move(kind));
  engine::TenantFault fault = backup_fault(
      std::move(kind),
      fmt::format("{} failed: {}", doing, error.message),
      error.hint.empty() ? "Look at the file, at its folder and at who uses it." : error.hint);
  fault.sqlstate = error.sqlstate;
  return fault;
}

engine::TenantFault refused(const std::string& message) {
  return backup_fault(
      "restore_refused", message, "See drover backups list for those of the tenant.");
}

void tell(const OnStep& on_step, const std::string& step) {
  if (on_step) {
    on_step(step);
  }
}

/// Keeps what the live file holds now, under its exclusive lock.
std::variant<Backup, engine::TenantFault> keep_present(sqlite::LiveFile& live,
                                                       const Backup& instead,
                                                       const LivePlace& place,
                                                       const engine::Patience& patience) {
  const Tenant& tenant = place.tenant;
  sqlite::FileContent content = live.content();
  if (!content.uid.empty() && !instead.uid.empty() && content.uid != instead.uid) {
    return refused(fmt::format("the backup is of the tenant with uid {}, and '{}' has uid {}",
                               instead.uid,
                               tenant.id.value,
                               content.uid));
  }
  Backup present;
  present.tenant = tenant.id;
  present.uid = content.uid;
  present.environment = instead.environment;
  present.server = tenant.target.server;
  present.database = tenant.target.database;
  present.provider = BackupOptions::Provider::sqlite;
  present.started = std::chrono::system_clock::now();
  present.tool_version = sqlite::library_version();
  present.heads = place.heads;
  present.aside = true;
  const std::string folder = backup::folder_of(present);
  backup::Vault::Draft draft = place.vault.begin(folder, "db");
  if (const auto error = live.copy_to(draft.path())) {
    return fault_of(*error, "backup_failed", "saving what the file holds now");
  }
  // One that is damaged is kept as it is: there is nothing better.
  if (!content.error) {
    sqlite::FileContent copied =
        sqlite::read_content(draft.path(), sqlite::FileUse::stored, {}, patience);
    if (copied.error || !engine::differences(content.tables, copied.tables).empty()) {
      return backup_fault("backup_not_proven",
                          "the copy of what the file holds now is not equal to it",
                          "Look at the disk; the file was not touched.");
    }
    present.tables = std::move(copied.tables);
    present.rows_as = "sqlite";
  }
  return place.vault.keep(std::move(draft), std::move(present));
}

}  // namespace

backup::MadeOrFault SqliteBackups::make(const BackupSubject& subject,
                                        const BackupId&,
                                        const fs::path& part,
                                        const engine::Patience& patience) {
  const std::string& file = subject.tenant.target.connection;
  if (const auto error = sqlite::copy_to_new_file(file, part, lock_timeout_, patience)) {
    return fault_of(*error, "backup_failed", "copying the file");
  }
  sqlite::FileContent content = sqlite::read_content(part, sqlite::FileUse::stored, {}, patience);
  if (content.error) {
    return fault_of(*content.error, "backup_not_proven", "reading the copy back");
  }
  if (auto fault = backup::identity_fault(subject, content.uid)) {
    return std::move(*fault);
  }
  backup::Made made;
  made.tool_version = made.server_version = sqlite::library_version();
  made.rows_as = "sqlite";
  made.tables = std::move(content.tables);
  return made;
}

PutBack SqliteBackups::put_back(const Backup& backup,
                                const fs::path& stored,
                                const LivePlace& place,
                                const OnStep& on_step,
                                const engine::Patience& patience) const {
  const std::string& file = place.tenant.target.connection;
  if (const auto wrong = differences_in(backup, stored, patience); !wrong.empty()) {
    return {backup_fault(
                "restore_not_proven",
                fmt::format("backup {} is not what it was: {}", backup.id.value, wrong.front()),
                "Take another backup of the tenant."),
            {}};
  }
  if (!fs::exists(file)) {
    tell(on_step, "making the file anew");
    const auto error = sqlite::copy_to_new_file(stored, file, lock_timeout_, patience);
    return {
        error ? std::optional(fault_of(*error, "restore_failed", "making the file")) : std::nullopt,
        {}};
  }
  tell(on_step, "taking the file for us alone");
  sqlite::LiveFile live(file, lock_timeout_, patience);
  if (live.refusal()) {
    return {fault_of(*live.refusal(), "restore_refused", "taking the file for us alone"), {}};
  }
  tell(on_step, "saving what the file holds now");
  auto present = keep_present(live, backup, place, patience);
  if (auto* const fault = std::get_if<engine::TenantFault>(&present)) {
    return {std::move(*fault), {}};
  }
  const std::string kept = "backup " + std::get<Backup>(present).id.value;
  tell(on_step, "putting the backup in its place");
  if (const auto error = live.replace_by(stored)) {
    return {fault_of(*error, "restore_failed", "putting the backup in its place"), kept};
  }
  tell(on_step, fmt::format("checking {} tables", backup.tables.size()));
  const sqlite::FileContent now = live.content();
  const std::vector<std::string> wrong =
      now.error ? std::vector{now.error->message} : engine::differences(backup.tables, now.tables);
  if (!wrong.empty()) {
    return {
        backup_fault("restore_not_proven",
                     fmt::format("the file does not hold what the backup holds: {}", wrong.front()),
                     fmt::format("Look at the disk; what it held before is {}.", kept)),
        kept};
  }
  return {std::nullopt, kept};
}

std::vector<std::string> SqliteBackups::differences_in(const Backup& backup,
                                                       const fs::path& stored,
                                                       const engine::Patience& patience) const {
  const sqlite::FileContent content =
      sqlite::read_content(stored, sqlite::FileUse::stored, {}, patience);
  return content.error ? std::vector{content.error->message}
                       : engine::differences(backup.tables, content.tables);
}

}  // namespace drover::orchestrator

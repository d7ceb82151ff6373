#include "orchestrator/backup/content_check.h"

#include <fmt/format.h>

namespace drover::orchestrator::backup {
namespace {

constexpr std::string_view kOtherBackup = "Choose a backup of this tenant.";

[[noreturn]] void refuse(const RestoreRequest& request, const std::string& why) {
  give_up("restore_refused",
          fmt::format("backup '{}' {}", request.backup.id.value, why),
          std::string(kOtherBackup));
}

[[noreturn]] void not_proven(const RestoreRequest& request, const std::string& why) {
  give_up("restore_not_proven",
          fmt::format("what was restored from backup '{}' is not what was saved: {}",
                      request.backup.id.value,
                      why),
          "Verify the backup, and take another one of this tenant.");
}

void check_history(const RestoreRequest& request, const engine::History& history) {
  const Backup& backup = request.backup;
  if (backup.uid.empty() && history.exists) {
    not_proven(request,
               fmt::format("it has the history of uid '{}', and was made before there was one",
                           history.tenant.uid));
  }
  if (!backup.uid.empty() && history.tenant.uid != backup.uid) {
    not_proven(request,
               history.exists ? fmt::format("its history is that of uid '{}', not of '{}'",
                                            history.tenant.uid,
                                            backup.uid)
                              : std::string("it has no history"));
  }
  for (const engine::RevisionId& head : backup.heads) {
    if (history.find(head) == nullptr) {
      not_proven(request, fmt::format("its history lacks revision {}", in_quotes(head)));
    }
  }
}

/// Names as they were when it was saved.
std::vector<engine::TableDigest> renamed(std::vector<engine::TableDigest> tables,
                                         const std::string& from,
                                         const std::string& to) {
  for (engine::TableDigest& table : tables) {
    if (table.table.starts_with(from + ".")) {
      table.table.replace(0, from.size(), to);
    }
  }
  return tables;
}

std::vector<engine::TableDigest> read_from(BackupSource& source,
                                           const engine::Target& target,
                                           Extent extent,
                                           const engine::Patience& patience) {
  ContentReading reading;
  try {
    reading = source.read(target, extent, patience);
  } catch (const Error& error) {
    reading.fault = engine::fault_from(error);
  }
  if (reading.fault) {
    throw RestoreFailure(std::move(*reading.fault));
  }
  return std::move(reading.tables);
}

}  // namespace

void fill_from(BackupSource& source,
               const engine::Target& target,
               const engine::Patience& patience) {
  std::optional<engine::TenantFault> fault;
  try {
    fault = source.fill(target, patience);
  } catch (const Error& error) {
    fault = engine::fault_from(error);
  }
  if (fault) {
    throw RestoreFailure(std::move(*fault));
  }
}

void check_request(const RestoreRequest& request, Extent extent) {
  const Backup& backup = request.backup;
  const engine::Target& target = request.tenant.target;
  check_mark(request.mark);
  if (backup.tenant != request.tenant.id) {
    refuse(request,
           fmt::format(
               "is of tenant '{}', not of '{}'", backup.tenant.value, request.tenant.id.value));
  }
  if (!request.environment.empty() && !backup.environment.empty() &&
      backup.environment != request.environment) {
    refuse(request,
           fmt::format(
               "is of environment '{}', not of '{}'", backup.environment, request.environment));
  }
  if (!request.uid.empty() && !backup.uid.empty() && backup.uid != request.uid) {
    check_same_tenant(request, request.uid);
  }
  const std::string schema = extent == Extent::schema ? target.schema : "";
  if (backup.schema != schema) {
    refuse(request,
           backup.schema.empty()
               ? fmt::format("is of all of a database, not of schema '{}'", schema)
               : fmt::format("is of schema '{}', not of {}",
                             backup.schema,
                             schema.empty() ? "all of a database" : "'" + schema + "'"));
  }
  // Without a uid inside, the place is all that tells whose it is.
  if (backup.uid.empty() &&
      (backup.server != target.server || backup.database != target.database)) {
    refuse(request,
           fmt::format("is of database '{}' on {}, without a history that tells whose it is",
                       backup.database,
                       backup.server));
  }
}

std::optional<engine::History> read_history(Desk& desk,
                                            const RestoreMeans& means,
                                            std::string_view schema,
                                            const engine::Patience& patience) {
  const engine::HistoryTables tables(
      engine::Dialect::postgres,
      means.history_schema.empty() ? std::string(schema) : means.history_schema);
  const engine::Exchange answer = desk.exchange({tables.read()}, patience);
  if (answer.ok()) {
    return engine::decode_history(answer.results.front());
  }
  return tables.says_no_history(*answer.error) ? std::optional(engine::History()) : std::nullopt;
}

void check_same_tenant(const RestoreRequest& request, std::string_view live_uid) {
  if (!live_uid.empty() && !request.backup.uid.empty() && live_uid != request.backup.uid) {
    refuse(request,
           fmt::format("is of the tenant with uid '{}', and tenant '{}' has uid '{}'",
                       request.backup.uid,
                       request.tenant.id.value,
                       live_uid));
  }
}

void check_content(const RestoreRequest& request,
                   const RestoreMeans& means,
                   const engine::Target& target,
                   Extent extent,
                   const engine::Patience& patience) {
  {
    Desk desk(means, target, {}, patience);
    const std::optional<engine::History> history =
        read_history(desk, means, target.schema, patience);
    if (!history) {
      not_proven(request, "its history cannot be read");
    }
    check_history(request, *history);
  }
  std::vector<engine::TableDigest> tables = read_from(request.source, target, extent, patience);
  const std::vector<std::string> found =
      engine::differences(request.backup.tables,
                          renamed(std::move(tables), target.schema, request.tenant.target.schema));
  if (!found.empty()) {
    not_proven(request, fmt::format("{}", fmt::join(found, ", ")));
  }
}

}  // namespace drover::orchestrator::backup

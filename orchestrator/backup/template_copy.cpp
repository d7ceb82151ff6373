#include "orchestrator/backup/template_copy.h"

#include <memory>
#include <utility>

#include <fmt/format.h>

#include "engine/dialect.h"
#include "engine/tenant_lock.h"
#include "orchestrator/backup/content_check.h"
#include "orchestrator/backup/database_swap.h"
#include "orchestrator/backup/record_digest.h"
#include "orchestrator/backup/server_desk.h"

namespace drover::orchestrator::backup {
namespace {

using engine::quoted_identifier;

constexpr std::string_view kInfix = "_copy_";

/// What a proven copy is marked with.
std::string kept_purpose(const std::string& database) {
  return "backup of " + database;
}

/// What restores and copies share speaks of restores.
engine::TenantFault as_backup_fault(engine::TenantFault fault) {
  constexpr std::string_view kRestore = "restore_";
  if (fault.kind.starts_with(kRestore)) {
    fault.kind = "backup_" + fault.kind.substr(kRestore.size());
  }
  return fault;
}

std::string words_of_version(int version) {
  constexpr int kMajor = 10'000;
  return fmt::format("{}.{}", version / kMajor, version % kMajor);
}

/// Opens `database` if a dead process of ours left it closed; refuses one that somebody else
/// closed.
void open_left_behind(ServerDesk& server, const RestoreMeans& means, const std::string& database) {
  const std::optional<DatabaseState> state = server.state_of(database);
  if (!state) {
    give_up("restore_failed",
            fmt::format("there is no database '{}'", database),
            "Check the tenant's target.");
  }
  if (!state->allows_connections && state->comment.purpose.empty()) {
    give_up("restore_refused",
            fmt::format("database '{}' takes no connections, and was not closed by us", database),
            fmt::format("See who closed it; then ALTER DATABASE {} ALLOW_CONNECTIONS true.",
                        quoted_identifier(database)));
  }
  if (!state->comment.purpose.empty()) {
    tell(means, "opening " + database + ", which was left closed");
    server.open(database);
  }
}

class CopyMaker {
 public:
  CopyMaker(const BackupSubject& subject,
            const std::string& mark,
            const RestoreMeans& means,
            const engine::Patience& patience)
      : subject_(subject),
        means_(means),
        patience_(patience),
        live_(subject.tenant.target.database),
        purpose_("copy " + mark),
        server_(means, subject.tenant.target, patience) {
    copy_.database = name_prefix(live_, kInfix) + mark;
    copy_.server_version = words_of_version(server_.server_version());
  }

  TemplateCopy run() {
    open_left_behind(server_, means_, live_);
    server_.drop(copy_.database, purpose_);  // what a dead process left
    enter();
    try {
      copy_while_closed();
      prove();
    } catch (const RestoreFailure& failure) {
      undo(failure);
    }
    return std::move(copy_);
  }

 private:
  void enter() {
    const engine::Target& target = subject_.tenant.target;
    inside_ = std::make_unique<Desk>(means_, target, record_settings(), patience_);
    take_lock(*inside_,
              means_,
              engine::tenant_lock_key(live_, target.schema),
              fmt::format("tenant '{}'", subject_.tenant.id.value),
              patience_);
    check_can_be_copied(*inside_, live_, patience_);
    server_.check_sessions_can_end(live_);
    const std::optional<engine::History> history =
        read_history(*inside_, means_, target.schema, patience_);
    if (!subject_.uid.empty() && (!history || history->tenant.uid != subject_.uid)) {
      give_up(
          "backup_of_another_tenant",
          fmt::format("the history in database '{}' is not that of uid '{}'", live_, subject_.uid),
          "Check the tenant's target.");
    }
  }

  void copy_while_closed() {
    tell(means_, "closing " + live_);
    server_.close(live_, purpose_);
    server_.end_sessions(live_, inside_->pid());
    tell(means_, "summing up the tables of " + live_);
    copy_.tables = record_digests(*inside_, "", patience_);
    inside_.reset();
    server_.end_sessions(live_);
    tell(means_, fmt::format("copying {} to {}", live_, copy_.database));
    server_.run(fmt::format("CREATE DATABASE {} TEMPLATE {}",
                            quoted_identifier(copy_.database),
                            quoted_identifier(live_)),
                fmt::format("copying database '{}' to '{}'", live_, copy_.database));
    server_.mark(copy_.database, purpose_);
    tell(means_, "opening " + live_);
    server_.open(live_);
  }

  void prove() {
    server_.run(fmt::format("REVOKE ALL PRIVILEGES ON DATABASE {} FROM PUBLIC",
                            quoted_identifier(copy_.database)),
                fmt::format("closing database '{}' to others", copy_.database));
    tell(means_, "summing up the tables of " + copy_.database);
    Desk desk(means_,
              means_.with_database(subject_.tenant.target, copy_.database),
              record_settings(),
              patience_);
    const std::vector<std::string> found =
        engine::differences(copy_.tables, record_digests(desk, "", patience_));
    if (!found.empty()) {
      give_up("backup_not_proven",
              fmt::format("database '{}' is not a copy of '{}': {}",
                          copy_.database,
                          live_,
                          fmt::join(found, ", ")),
              "See who changed it while it was made, and back the tenant up again.");
    }
    server_.close(copy_.database, kept_purpose(live_));
  }

  [[noreturn]] void undo(const RestoreFailure& failure) {
    engine::TenantFault fault = failure.fault();
    inside_.reset();
    server_.finish_what_is_begun();
    try {
      server_.come_back();
      server_.open(live_);
    } catch (const RestoreFailure& second) {
      fault.hint +=
          fmt::format(" Database '{}' may still be closed ({}); the next backup opens it.",
                      live_,
                      second.fault().message);
    }
    try {
      server_.drop(copy_.database, purpose_);
    } catch (const RestoreFailure& second) {
      fault.hint +=
          fmt::format(" Database '{}' may be left ({}).", copy_.database, second.fault().message);
    }
    throw RestoreFailure(std::move(fault));
  }

  const BackupSubject& subject_;
  const RestoreMeans& means_;
  const engine::Patience& patience_;
  const std::string live_;
  const std::string purpose_;
  ServerDesk server_;
  std::unique_ptr<Desk> inside_;
  TemplateCopy copy_;
};

}  // namespace

std::variant<TemplateCopy, engine::TenantFault> make_template_copy(
    const BackupSubject& subject,
    const std::string& mark,
    const RestoreMeans& means,
    const engine::Patience& patience) {
  try {
    check_mark(mark);
    return CopyMaker(subject, mark, means, patience).run();
  } catch (const RestoreFailure& failure) {
    return as_backup_fault(failure.fault());
  }
}

std::optional<engine::TenantFault> remove_template_copy(const Tenant& tenant,
                                                        const std::string& handle,
                                                        const RestoreMeans& means,
                                                        const engine::Patience& patience) {
  try {
    if (!handle.starts_with(name_prefix(tenant.target.database, kInfix))) {
      give_up("backup_refused",
              fmt::format("database '{}' is not a copy of '{}'", handle, tenant.target.database),
              "Check the manifest of the backup.");
    }
    ServerDesk server(means, tenant.target, patience);
    server.drop(handle, kept_purpose(tenant.target.database));
    return std::nullopt;
  } catch (const RestoreFailure& failure) {
    return as_backup_fault(failure.fault());
  }
}

std::optional<engine::TenantFault> open_if_left_closed(const Tenant& tenant,
                                                       const RestoreMeans& means,
                                                       const engine::Patience& patience) {
  try {
    ServerDesk server(means, tenant.target, patience);
    open_left_behind(server, means, tenant.target.database);
    return std::nullopt;
  } catch (const RestoreFailure& failure) {
    return as_backup_fault(failure.fault());
  }
}

std::optional<engine::TenantFault> CopySource::fill(const engine::Target& /*target*/,
                                                    const engine::Patience& /*patience*/) {
  return std::nullopt;  // it began as the copy
}

ContentReading CopySource::read(const engine::Target& target,
                                Extent extent,
                                const engine::Patience& patience) {
  try {
    Desk desk(means_, target, record_settings(), patience);
    return {record_digests(desk, extent == Extent::schema ? target.schema : "", patience),
            std::nullopt};
  } catch (const RestoreFailure& failure) {
    return {{}, failure.fault()};
  }
}

}  // namespace drover::orchestrator::backup

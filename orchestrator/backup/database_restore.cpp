#include "orchestrator/backup/database_restore.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "engine/dialect.h"
#include "engine/tenant_lock.h"
#include "orchestrator/backup/content_check.h"
#include "orchestrator/backup/database_swap.h"
#include "orchestrator/backup/server_desk.h"

namespace drover::orchestrator::backup {
namespace {

using engine::quoted_identifier;

/// Makes a database with the content of a backup, and proves it.
class DatabaseMaker {
 public:
  DatabaseMaker(const RestoreRequest& request,
                const RestoreMeans& means,
                ServerDesk& server,
                const std::string& purpose,
                const engine::Patience& patience)
      : request_(request), means_(means), server_(server), purpose_(purpose), patience_(patience) {}

  /// Makes `name`. `like` is the live one, if there is one.
  void make(const std::string& name, const std::optional<DatabaseProperties>& like) {
    tell(means_, "creating database " + name);
    server_.run(create_statement(name, like), fmt::format("creating database '{}'", name));
    server_.mark(name, purpose_);
    server_.run(
        fmt::format("REVOKE ALL PRIVILEGES ON DATABASE {} FROM PUBLIC", quoted_identifier(name)),
        fmt::format("closing database '{}' to others", name));
    const engine::Target target = means_.with_database(request_.tenant.target, name);
    tell(means_, fmt::format("restoring backup {} into {}", request_.backup.id.value, name));
    fill_from(request_.source, target, patience_);
    tell(means_, fmt::format("checking {} tables", request_.backup.tables.size()));
    check_content(request_, means_, target, Extent::whole, patience_);
  }

  /// A copy has its statistics; an archive leaves the planner without any.
  void analyze(const std::string& name) {
    if (request_.source.template_database().empty()) {
      tell(means_, "analyzing " + name);
      Desk desk(means_, means_.with_database(request_.tenant.target, name), {}, patience_);
      desk.ask({"ANALYZE"}, fmt::format("analyzing database '{}'", name), patience_);
    }
  }

  /// Gives `name` what `live` has beside its content.
  void dress(const std::string& name, const std::string& live) {
    const std::optional<DatabaseProperties> wanted = server_.properties_of(live);
    if (!wanted) {
      server_.run(
          fmt::format("GRANT CONNECT, TEMPORARY ON DATABASE {} TO PUBLIC", quoted_identifier(name)),
          fmt::format("opening database '{}' to others", name));
      return;
    }
    tell(means_, "carrying over the properties of " + live);
    for (const std::string& statement : property_statements(name, *wanted, purpose_)) {
      server_.run(statement, fmt::format("carrying the properties of database '{}' over", live));
    }
    const std::vector<std::string> found =
        differences(*wanted, server_.properties_of(name).value_or(DatabaseProperties()));
    if (!found.empty()) {
      give_up("restore_not_proven",
              fmt::format("database '{}' is not like '{}': {}", name, live, fmt::join(found, ", ")),
              "Make the live one such that our role can carry it over, or restore as a superuser.");
    }
  }

 private:
  std::string create_statement(const std::string& name,
                               const std::optional<DatabaseProperties>& like) const {
    const std::string from = request_.source.template_database();
    if (!from.empty() || !like) {
      return fmt::format("CREATE DATABASE {} TEMPLATE {}",
                         quoted_identifier(name),
                         quoted_identifier(from.empty() ? "template0" : from));
    }
    return create_database_statement(name, *like);
  }

  const RestoreRequest& request_;
  const RestoreMeans& means_;
  ServerDesk& server_;
  const std::string& purpose_;
  const engine::Patience& patience_;
};

/// `failure` after `name` was dropped, or with a word on that it is left.
[[noreturn]] void fail_without(ServerDesk& server,
                               const std::string& name,
                               const std::string& purpose,
                               const RestoreFailure& failure,
                               std::string_view untouched) {
  engine::TenantFault fault = failure.fault();
  try {
    server.finish_what_is_begun();
    server.come_back();
    server.drop(name, purpose);
    fault.hint += fmt::format(" {} and database '{}' is dropped.", untouched, name);
  } catch (const RestoreFailure& second) {
    fault.hint += fmt::format(" {} but database '{}' is left and could not be dropped ({}).",
                              untouched,
                              name,
                              second.fault().message);
  }
  throw RestoreFailure(std::move(fault));
}

class DatabaseRestore {
 public:
  DatabaseRestore(const RestoreRequest& request,
                  const RestoreMeans& means,
                  const engine::Patience& patience)
      : request_(request),
        means_(means),
        patience_(patience),
        live_(request.tenant.target.database),
        purpose_(restore_purpose(request.mark)),
        making_(name_prefix(live_, "_restore_") + request.mark),
        names_{live_,
               name_prefix(live_, "_restored_") + request.mark,
               old_database_name(live_, request.mark),
               request.mark} {}

  void run() {
    check_request(request_, Extent::whole);
    ServerDesk server(means_, request_.tenant.target, patience_);
    if (!server.state_of(names_.old)) {
      hold_live(server);
      if (!server.state_of(names_.fresh)) {
        make(server);
        hold_again(server);
      }
    }
    swap_databases(server, means_, names_, [this] { inside_.reset(); });
  }

 private:
  /// Takes the tenant's lock in the live database, if there is one that can be entered, sees whose
  /// it is, and whether it can be swapped.
  void hold_live(ServerDesk& server) {
    const std::optional<DatabaseState> state = server.state_of(live_);
    if (!state || !is_open(server, *state)) {
      return;
    }
    inside_ = std::make_unique<Desk>(
        means_, request_.tenant.target, std::vector<engine::SessionSetting>(), patience_);
    take_lock(*inside_,
              means_,
              engine::tenant_lock_key(live_, request_.tenant.target.schema),
              fmt::format("tenant '{}'", request_.tenant.id.value),
              patience_);
    if (const std::optional<engine::History> history =
            read_history(*inside_, means_, request_.tenant.target.schema, patience_)) {
      check_same_tenant(request_, history->tenant.uid);
    }
    check_can_be_swapped(server, *inside_, live_, patience_);
  }

  /// A closed live database stays closed when the swap is next; else it is opened if it was us who
  /// closed it.
  bool is_open(ServerDesk& server, const DatabaseState& state) {
    if (state.allows_connections) {
      return true;
    }
    if (state.comment.purpose.empty()) {
      give_up(
          "restore_refused",
          fmt::format("database '{}' takes no connections, and was not closed by a restore", live_),
          fmt::format("See who closed it; then ALTER DATABASE {} ALLOW_CONNECTIONS true.",
                      quoted_identifier(live_)));
    }
    if (server.state_of(names_.fresh)) {
      return false;
    }
    tell(means_, "opening " + live_ + ", which was left closed");
    server.open(live_);
    return true;
  }

  void make(ServerDesk& server) {
    server.drop(making_, purpose_);  // what a dead process left
    try {
      DatabaseMaker maker(request_, means_, server, purpose_, patience_);
      maker.make(making_, server.properties_of(live_));
      maker.analyze(making_);
      maker.dress(making_, live_);
      tell(means_, fmt::format("naming it {}, for all holds", names_.fresh));
      server.end_sessions(making_);
      server.rename(making_, names_.fresh);
    } catch (const RestoreFailure& failure) {
      fail_without(server, making_, purpose_, failure, "Nothing live was touched,");
    }
  }

  /// After hours of restoring the lock may be gone with its session, and more hold the database.
  void hold_again(ServerDesk& server) {
    if (!inside_) {
      return;
    }
    try {
      server.come_back();
      if (inside_->exchange({{"SELECT 1"}}, patience_).ok()) {
        check_can_be_swapped(server, *inside_, live_, patience_);
      } else {
        inside_.reset();
        hold_live(server);
      }
    } catch (const RestoreFailure& failure) {
      engine::TenantFault fault = failure.fault();
      fault.hint += fmt::format(
          " Nothing live was touched; the restored database '{}' waits for a call with mark {}.",
          names_.fresh,
          request_.mark);
      throw RestoreFailure(std::move(fault));
    }
  }

  const RestoreRequest& request_;
  const RestoreMeans& means_;
  const engine::Patience& patience_;
  const std::string live_;
  const std::string purpose_;
  const std::string making_;
  const SwapNames names_;
  std::unique_ptr<Desk> inside_;  ///< Holds the tenant's lock; null where live is closed or gone.
};

/// Those of `names` that a restore has marked, by what follows `prefix`.
void collect_marks(ServerDesk& server, const std::string& prefix, std::set<std::string>& marks) {
  for (const std::string& name : server.databases_with_prefix(prefix)) {
    std::string mark = name.substr(prefix.size());
    const std::optional<DatabaseState> state = server.state_of(name);
    if (state && state->comment.purpose == restore_purpose(mark)) {
      marks.insert(std::move(mark));
    }
  }
}

}  // namespace

std::string old_database_name(const std::string& database, const std::string& mark) {
  return name_prefix(database, "_before_") + mark;
}

std::optional<engine::TenantFault> restore_database(const RestoreRequest& request,
                                                    const RestoreMeans& means,
                                                    const engine::Patience& patience) {
  try {
    DatabaseRestore(request, means, patience).run();
    return std::nullopt;
  } catch (const RestoreFailure& failure) {
    return failure.fault();
  }
}

UnfinishedRestores unfinished_restores(const Tenant& tenant,
                                       const RestoreMeans& means,
                                       const engine::Patience& patience) {
  const std::string& live = tenant.target.database;
  try {
    ServerDesk server(means, tenant.target, patience);
    std::set<std::string> marks;
    for (const std::string_view infix : {"_restore_", "_restored_"}) {
      collect_marks(server, name_prefix(live, infix), marks);
    }
    return {{marks.begin(), marks.end()}, std::nullopt};
  } catch (const RestoreFailure& failure) {
    return {{}, failure.fault()};
  }
}

std::optional<engine::TenantFault> abandon_restore(const Tenant& tenant,
                                                   const std::string& mark,
                                                   const RestoreMeans& means,
                                                   const engine::Patience& patience) {
  const std::string& live = tenant.target.database;
  const std::string purpose = restore_purpose(mark);
  try {
    check_mark(mark);
    ServerDesk server(means, tenant.target, patience);
    const std::optional<DatabaseState> state = server.state_of(live);
    if (!state) {
      give_up(
          "restore_refused",
          fmt::format("there is no database '{}', so restore {} cannot be abandoned", live, mark),
          "Restore with that mark to go on.");
    }
    if (state->comment.purpose == purpose) {
      tell(means, "opening " + live);
      server.open(live);
    }
    for (const std::string_view infix : {"_restore_", "_restored_"}) {
      server.drop(name_prefix(live, infix) + mark, purpose);
    }
    return std::nullopt;
  } catch (const RestoreFailure& failure) {
    return failure.fault();
  }
}

DrillResult restore_into_throw_away(const RestoreRequest& request,
                                    const RestoreMeans& means,
                                    const engine::Patience& patience) {
  DrillResult result;
  const engine::SteadyTime begun = means.clock.now();
  const std::string& live = request.tenant.target.database;
  const std::string name = name_prefix(live, "_drill_") + request.mark;
  const std::string purpose = "drill " + request.mark;
  try {
    check_request(request, request.backup.schema.empty() ? Extent::whole : Extent::schema);
    ServerDesk server(means, means.with_database(request.tenant.target, name), patience);
    server.drop(name, purpose);  // what a dead process left
    try {
      DatabaseMaker(request, means, server, purpose, patience)
          .make(name, server.properties_of(live));
    } catch (const RestoreFailure& failure) {
      fail_without(server, name, purpose, failure, "Nothing was put back,");
    }
    tell(means, "dropping database " + name);
    server.drop(name, purpose);
  } catch (const RestoreFailure& failure) {
    result.fault = failure.fault();
  }
  for (const engine::TableDigest& table : request.backup.tables) {
    result.rows += table.rows;
  }
  result.tables = request.backup.tables.size();
  result.took = std::chrono::duration_cast<engine::Milliseconds>(means.clock.now() - begun);
  return result;
}

}  // namespace drover::orchestrator::backup

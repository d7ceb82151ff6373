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
                const engine::Patience& patience)
      : request_(request), means_(means), server_(server), patience_(patience) {}

  /// Makes `name`, dropping what a dead process left of it. `like` is the live one, if there is
  /// one.
  void make(const std::string& name, const std::optional<DatabaseProperties>& like) {
    server_.drop(name);
    tell(means_, "creating database " + name);
    server_.run(create_statement(name, like), fmt::format("creating database '{}'", name));
    server_.run(
        fmt::format("REVOKE ALL PRIVILEGES ON DATABASE {} FROM PUBLIC", quoted_identifier(name)),
        fmt::format("closing database '{}' to others", name));
    const engine::Target target = means_.with_database(request_.tenant.target, name);
    tell(means_, fmt::format("restoring backup {} into {}", request_.backup.id.value, name));
    if (std::optional<engine::TenantFault> fault = request_.source.fill(target, patience_)) {
      throw RestoreFailure(std::move(*fault));
    }
    tell(means_, fmt::format("checking {} tables", request_.backup.tables.size()));
    check_content(request_, means_, target, Extent::whole, patience_);
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
    for (const std::string& statement : property_statements(name, *wanted)) {
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
  const engine::Patience& patience_;
};

/// `failure` after `name` was dropped, or with a word on that it is left.
[[noreturn]] void fail_without(ServerDesk& server,
                               const std::string& name,
                               const RestoreFailure& failure,
                               std::string_view untouched) {
  engine::TenantFault fault = failure.fault();
  try {
    server.finish_what_is_begun();
    server.come_back();
    server.drop(name);
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
        making_(name_prefix(live_, "_restore_") + request.mark),
        names_{live_,
               name_prefix(live_, "_restored_") + request.mark,
               old_database_name(live_, request.mark),
               request.mark} {}

  void run() {
    check_request(request_, Extent::whole);
    ServerDesk server(means_, request_.tenant.target, patience_);
    const bool swapping = server.state_of(names_.old).has_value();
    if (!swapping) {
      hold_live(server);
      if (!server.state_of(names_.fresh)) {
        make(server);
      }
      if (inside_) {
        check_hold();
        check_can_be_swapped(server, *inside_, live_, patience_);
      }
    }
    swap_databases(server, means_, names_, [this] { inside_.reset(); });
  }

 private:
  /// Takes the tenant's lock in the live database, if there is one, and sees whose it is.
  void hold_live(ServerDesk& server) {
    const std::optional<DatabaseState> state = server.state_of(live_);
    if (!state) {
      return;
    }
    if (!state->allows_connections) {
      open_left_behind(server, *state);
      if (server.state_of(names_.fresh)) {
        return;  // cut short after it was closed, with nothing left but to swap
      }
    }
    inside_ = std::make_unique<Desk>(means_, request_.tenant.target, no_settings(), patience_);
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

  /// A closed live database: ours to open only when we closed it, and not when the swap is next.
  void open_left_behind(ServerDesk& server, const DatabaseState& state) {
    if (state.closed_for.empty()) {
      give_up(
          "restore_refused",
          fmt::format("database '{}' takes no connections, and was not closed by a restore", live_),
          fmt::format("See who closed it; then ALTER DATABASE {} ALLOW_CONNECTIONS true.",
                      quoted_identifier(live_)));
    }
    if (!server.state_of(names_.fresh)) {
      tell(means_, "opening " + live_ + ", which was left closed");
      server.open(live_);
    }
  }

  void make(ServerDesk& server) {
    try {
      const std::optional<DatabaseProperties> like = server.properties_of(live_);
      DatabaseMaker maker(request_, means_, server, patience_);
      maker.make(making_, like);
      maker.dress(making_, live_);
      tell(means_, fmt::format("naming it {}, for all holds", names_.fresh));
      server.end_sessions(making_);
      server.rename(making_, names_.fresh);
    } catch (const RestoreFailure& failure) {
      fail_without(server, making_, failure, "Nothing live was touched,");
    }
  }

  /// After hours of restoring the lock may be gone with its session.
  void check_hold() {
    // no parameters
    inside_->ask({"SELECT 1"},
                 fmt::format("looking after the lock of tenant '{}'", request_.tenant.id.value),
                 patience_);
  }

  static std::vector<engine::SessionSetting> no_settings() { return {}; }

  const RestoreRequest& request_;
  const RestoreMeans& means_;
  const engine::Patience& patience_;
  const std::string live_;
  const std::string making_;
  const SwapNames names_;
  std::unique_ptr<Desk> inside_;  ///< Holds the tenant's lock; null where live is closed or gone.
};

/// The rest of those of `names` that begin with `prefix`.
void collect_marks(const std::vector<std::string>& names,
                   const std::string& prefix,
                   std::set<std::string>& marks) {
  for (const std::string& name : names) {
    marks.insert(name.substr(prefix.size()));
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
      const std::string prefix = name_prefix(live, infix);
      collect_marks(server.databases_with_prefix(prefix), prefix, marks);
    }
    constexpr std::string_view kOurs = "restore ";
    const std::optional<DatabaseState> state = server.state_of(live);
    if (state && state->closed_for.starts_with(kOurs)) {
      marks.insert(state->closed_for.substr(kOurs.size()));
    }
    return {{marks.begin(), marks.end()}, std::nullopt};
  } catch (const RestoreFailure& failure) {
    return {{}, failure.fault()};
  }
}

DrillResult restore_into_throw_away(const RestoreRequest& request,
                                    const RestoreMeans& means,
                                    const engine::Patience& patience) {
  DrillResult result;
  const engine::SteadyTime begun = means.clock.now();
  const std::string& live = request.tenant.target.database;
  const std::string name = name_prefix(live, "_drill_") + request.mark;
  try {
    check_request(request, request.backup.schema.empty() ? Extent::whole : Extent::schema);
    ServerDesk server(means, means.with_database(request.tenant.target, name), patience);
    try {
      DatabaseMaker(request, means, server, patience).make(name, server.properties_of(live));
    } catch (const RestoreFailure& failure) {
      fail_without(server, name, failure, "Nothing was put back,");
    }
    tell(means, "dropping database " + name);
    server.drop(name);
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

#include "orchestrator/backup/server_desk.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/dialect.h"
#include "engine/sql_value.h"
#include "engine/tenant_lock.h"

namespace drover::orchestrator::backup {
namespace {

using engine::quoted_identifier;

/// $1 database
constexpr std::string_view kState = R"(SELECT d.datallowconn,
       pg_catalog.shobj_description(d.oid, 'pg_database')
  FROM pg_catalog.pg_database d WHERE d.datname = $1)";

/// Sessions of a database with whether we may end them, as pg_terminate_backend() decides. Workers
/// of the server's own have no user, and make way by themselves. $1 database, $2 pid to leave out
constexpr std::string_view kSessions = R"(SELECT a.pid, a.application_name, a.usename, m.may
  FROM pg_catalog.pg_stat_activity a
  JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid,
       LATERAL (SELECT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)
                       OR (NOT r.rolsuper
                           AND (pg_catalog.pg_has_role(r.oid, 'USAGE')
                                OR pg_catalog.pg_has_role('pg_signal_backend', 'USAGE')))) m (may)
 WHERE a.datname = $1 AND a.pid <> $2::int AND a.pid <> pg_catalog.pg_backend_pid())";

/// "pid 4711 (application psql, user ann)", of at most three.
std::string words_of(const std::vector<std::vector<engine::SqlValue>>& sessions) {
  constexpr std::size_t kMost = 3;
  std::string words;
  for (std::size_t i = 0; i < std::min(sessions.size(), kMost); ++i) {
    const std::string application = engine::text_of(sessions[i].at(1));
    words += fmt::format("{}pid {} (application {}, user {})",
                         i == 0 ? "" : ", ",
                         engine::text_of(sessions[i].at(0)),
                         application.empty() ? "unknown" : application,
                         engine::text_of(sessions[i].at(2)));
  }
  return words +
         (sessions.size() > kMost ? fmt::format(" and {} more", sessions.size() - kMost) : "");
}

engine::OwnedStatement sessions_statement(std::string_view sql,
                                          std::string_view database,
                                          std::int64_t keep) {
  return {std::string(sql), {std::string(database), std::to_string(keep)}};
}

}  // namespace

ServerDesk::ServerDesk(const RestoreMeans& means,
                       const engine::Target& target,
                       const engine::Patience& patience)
    : means_(means),
      target_(target),
      patience_(patience),
      desk_(means, means.with_database(target, means.maintenance_database), {}, patience) {
  settle();
}

void ServerDesk::settle() {
  desk_.ask({"SET lock_timeout = '10s'"}, "setting up a session", patience());
  take_lock(desk_,
            means_,
            engine::tenant_lock_key(target_.database, ""),
            fmt::format("database '{}' as a whole", target_.database),
            patience());
}

void ServerDesk::come_back() {
  if (!desk_.alive()) {
    desk_ =
        Desk(means_, means_.with_database(target_, means_.maintenance_database), {}, patience());
    settle();
  }
}

engine::Patience ServerDesk::patience() const {
  constexpr engine::Milliseconds kBrief{60'000};
  return brief_ ? engine::Patience{means_.clock.now() + kBrief, {}, {}} : patience_;
}

std::optional<DatabaseState> ServerDesk::state_of(std::string_view database) {
  const engine::ResultSet answer =
      desk_.ask({std::string(kState), {std::string(database)}}, "looking at databases", patience());
  if (answer.rows.empty()) {
    return std::nullopt;
  }
  const std::vector<engine::SqlValue>& row = answer.rows.front();
  return DatabaseState{engine::truth_of(row.at(0)), marked_comment_of(engine::text_of(row.at(1)))};
}

std::optional<DatabaseProperties> ServerDesk::properties_of(std::string_view database) {
  return decode_database_properties(
      desk_.ask(database_properties_message(database, server_version()),
                fmt::format("reading the properties of database '{}'", database),
                patience()));
}

std::vector<std::string> ServerDesk::databases_with_prefix(std::string_view prefix) {
  // $1 prefix
  const engine::ResultSet answer =
      desk_.ask({"SELECT datname FROM pg_catalog.pg_database "
                 "WHERE pg_catalog.starts_with(datname, $1) ORDER BY 1",
                 {std::string(prefix)}},
                "looking at databases",
                patience());
  std::vector<std::string> names;
  for (const auto& row : answer.rows) {
    names.push_back(engine::text_of(row.at(0)));
  }
  return names;
}

void ServerDesk::run(const std::string& sql, const std::string& doing) {
  desk_.ask({sql}, doing, patience());
}

void ServerDesk::run_together(const std::vector<std::string>& statements,
                              const std::string& doing) {
  std::vector<engine::OwnedStatement> message = {{"BEGIN"}};
  for (const std::string& sql : statements) {
    message.push_back({sql});
  }
  message.push_back({"COMMIT"});
  desk_.ask(message, doing, patience());
}

void ServerDesk::mark(std::string_view database, std::string_view purpose) {
  run(fmt::format("COMMENT ON DATABASE {} IS {}",
                  quoted_identifier(database),
                  sql_of({std::string(purpose), ""})),
      fmt::format("marking database '{}'", database));
}

void ServerDesk::close(std::string_view database, std::string_view purpose) {
  const DatabaseState state = state_of(database).value_or(DatabaseState());
  run_together(closing_statements(database, {std::string(purpose), state.comment.comment}),
               fmt::format("closing database '{}' to new sessions", database));
}

void ServerDesk::open(std::string_view database) {
  const DatabaseState state = state_of(database).value_or(DatabaseState());
  run_together(opening_statements(database, state.comment.comment),
               fmt::format("opening database '{}' to sessions again", database));
}

/// By the role that we logged in as: it may end its own sessions, which a role that it takes on for
/// its work may not.
engine::ResultSet ServerDesk::ask_as_login(const engine::OwnedStatement& statement,
                                           const std::string& doing) {
  return desk_.ask(
      {{"BEGIN"}, {"SET LOCAL ROLE NONE"}, statement, {"COMMIT"}}, doing, patience())[2];
}

void ServerDesk::end_sessions(std::string_view database, std::int64_t keep) {
  constexpr engine::Milliseconds kBetweenLooks{50};
  static const std::string kEnd = fmt::format(
      "SELECT s.*, CASE WHEN s.may THEN pg_catalog.pg_terminate_backend(s.pid) END "
      "FROM ({}) s",
      kSessions);
  const engine::SteadyTime until = means_.clock.now() + means_.sessions_wait;
  while (true) {
    const engine::ResultSet left =
        ask_as_login(sessions_statement(kEnd, database, keep),
                     fmt::format("ending the sessions of database '{}'", database));
    if (left.rows.empty()) {
      return;
    }
    if (means_.clock.now() >= until) {
      give_up("sessions_remain",
              fmt::format("{} of database '{}' did not end within {} ms: {}",
                          left.rows.size() == 1 ? "a session"
                                                : fmt::format("{} sessions", left.rows.size()),
                          database,
                          means_.sessions_wait.count(),
                          words_of(left.rows)),
              "End them, or grant our role pg_signal_backend, and try again.");
    }
    means_.clock.wait_until(means_.clock.now() + kBetweenLooks, patience().stop);
  }
}

void ServerDesk::check_sessions_can_end(std::string_view database) {
  engine::ResultSet sessions =
      ask_as_login(sessions_statement(kSessions, database, 0), "looking at sessions");
  std::erase_if(sessions.rows, [](const auto& row) { return engine::truth_of(row.at(3)); });
  if (!sessions.rows.empty()) {
    give_up(
        "restore_refused",
        fmt::format("our role may not end {} of database '{}': {}",
                    sessions.rows.size() == 1 ? "a session"
                                              : fmt::format("{} sessions", sessions.rows.size()),
                    database,
                    words_of(sessions.rows)),
        "End them, or grant our role pg_signal_backend (only a superuser ends a superuser's "
        "session), and try again.");
  }
}

void ServerDesk::rename(std::string_view from, std::string_view to) {
  run(rename_statement(from, to), fmt::format("renaming database '{}' to '{}'", from, to));
}

void ServerDesk::drop(std::string_view database, std::string_view purpose) {
  const std::optional<DatabaseState> state = state_of(database);
  if (!state) {
    return;
  }
  check_ours(state, database, purpose);
  end_sessions(database);
  const std::string doing = fmt::format("dropping database '{}'", database);
  run(fmt::format("ALTER DATABASE {} IS_TEMPLATE false", quoted_identifier(database)), doing);
  run(fmt::format("DROP DATABASE IF EXISTS {}", quoted_identifier(database)), doing);
}

std::vector<std::string> closing_statements(std::string_view database,
                                            const MarkedComment& comment) {
  const std::string name = quoted_identifier(database);
  return {fmt::format("COMMENT ON DATABASE {} IS {}", name, sql_of(comment)),
          fmt::format("ALTER DATABASE {} ALLOW_CONNECTIONS false", name)};
}

std::vector<std::string> opening_statements(std::string_view database, const std::string& comment) {
  const std::string name = quoted_identifier(database);
  return {fmt::format("COMMENT ON DATABASE {} IS {}", name, sql_of({"", comment})),
          fmt::format("ALTER DATABASE {} ALLOW_CONNECTIONS true", name)};
}

std::string rename_statement(std::string_view from, std::string_view to) {
  return fmt::format(
      "ALTER DATABASE {} RENAME TO {}", quoted_identifier(from), quoted_identifier(to));
}

void check_ours(const std::optional<DatabaseState>& state,
                std::string_view database,
                std::string_view purpose) {
  if (state && state->comment.purpose != purpose) {
    give_up("restore_refused",
            fmt::format("database '{}' is in the way, and its comment does not say that it is of "
                        "{}",
                        database,
                        purpose),
            "See whose it is; rename or drop it, or use another mark.");
  }
}

}  // namespace drover::orchestrator::backup

// lock show and lock release: a session that was left behind with a tenant's lock is found, and it
// alone is ended.

#include <chrono>
#include <string>
#include <thread>

#include <catch2/catch.hpp>

#include "engine/postgres/pg_session.h"
#include "engine/tenant_lock.h"
#include "tests/orchestrator/cli/fleet_dir.h"
#include "tests/orchestrator/cli/program_child.h"

using drover::test::PgCluster;
using drover::test::ProgramChild;
using drover::test::ProgramDir;
using drover::test::ProgramResult;
using drover::test::shared_cluster;
using namespace drover::test::fleet;  // NOLINT(google-build-using-namespace): tests only
using namespace std::chrono_literals;
namespace engine = drover::engine;

namespace {

constexpr const char* kDatabase = "cli_locks";

/// A session that holds the lock of the tenant in `schema`.
class Holder {
 public:
  explicit Holder(const std::string& schema) {
    engine::OpenOptions options;
    options.application_name = "left behind";
    engine::postgres::PgSessionFactory sessions;
    session_ = sessions.open(shared_cluster().target(kDatabase, schema), options, {}).session;
    REQUIRE(session_);
    REQUIRE(ask(fmt::format("SELECT pg_try_advisory_lock({})",
                            engine::tenant_lock_key(kDatabase, schema))) == "t");
  }

  /// The first value; empty when the session is gone.
  std::string ask(const std::string& sql) {
    const engine::Statement statement{sql};
    const engine::Exchange answer = session_->exchange(std::span(&statement, 1), {});
    return answer.ok() ? answer.results.front().rows.at(0).at(0).value_or("") : "";
  }
  bool lives() { return session_->alive() && ask("SELECT 1") == "1"; }

  std::int64_t pid() const { return session_->info().backend_pid; }

  /// As the server tells it, by another way than the program's.
  std::string id() const {
    return shared_cluster().value(
        kDatabase,
        fmt::format("SELECT pid || '@' || replace(to_char(backend_start AT TIME ZONE 'UTC', "
                    "'YYYY-MM-DD HH24:MI:SS.US'), ' ', 'T') || 'Z' FROM pg_stat_activity "
                    "WHERE pid = {}",
                    pid()));
  }

 private:
  std::unique_ptr<engine::Session> session_;
};

/// `id` with another last digit of its microseconds.
std::string another_start(std::string id) {
  char& digit = id[id.size() - 2];
  digit = digit == '0' ? '1' : '0';
  return id;
}

Words release(const std::string& tenant, const std::string& id, const Words& more = {"--yes"}) {
  Words words{"lock", "release", "--tenant", tenant, "--id", id};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

/// The fleet's connections for a role that may log in and, beyond `rights`, nothing.
void connect_as(const ProgramDir& dir, const std::string& role, const std::string& rights) {
  shared_cluster().execute(
      kDatabase, fmt::format("DROP ROLE IF EXISTS {0}; CREATE ROLE {0} LOGIN {1}", role, rights));
  std::string connection = shared_cluster().conninfo(kDatabase);
  const std::string user = fmt::format("user={}", PgCluster::kUser);
  const std::size_t at = connection.find(user);
  REQUIRE(at != std::string::npos);
  connection.replace(at, user.size(), "user=" + role);
  write_settings(dir, fmt::format("schemas: {{database: \"{}\", match: \"t_*\"}}", connection));
}

}  // namespace

TEST_CASE("A session left behind with a lock is shown, ended by its id, and upgrades go on",
          "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  make_schemas(dir, kDatabase, {"t_a", "t_b", "t_c"});
  Holder holder("t_b");
  const std::string id = holder.id();

  const ProgramResult shown = dir.run({"lock", "show"});
  CHECK(shown.status == 0);
  CHECK(shown.out.starts_with("TENANT  ID "));
  CHECK(shown.out.find("\nt_b     " + id + "  idle ") != std::string::npos);
  CHECK(std::count(shown.out.begin(), shown.out.end(), '\n') == 2);
  const json told = document(dir, {"lock", "show"}, 0);
  CHECK(told["format"] == 1);
  CHECK(told["environment"] == "test");
  CHECK(told["run"].is_null());
  CHECK(told["summary"] == json{{"asked", 3}, {"held", 1}, {"unreadable", 0}});
  CHECK(told["unreadable"].empty());
  REQUIRE(told["locks"].size() == 1);
  const json& lock = told["locks"][0];
  CHECK(lock["tenant"] == "t_b");
  CHECK(lock["server"] == shared_cluster().target(kDatabase).server);
  CHECK(lock["id"] == id);
  CHECK(lock["pid"] == holder.pid());
  CHECK(lock["application"] == "left behind");
  CHECK(lock["user"] == PgCluster::kUser);
  CHECK(lock["client"] == "local");
  CHECK(lock["state"] == "idle");
  CHECK(lock["session_since"] == id.substr(id.find('@') + 1));
  CHECK(lock["session_seconds"].get<int>() < 60);
  CHECK(lock["query_seconds"].get<int>() < 60);
  CHECK(document(dir, {"lock", "show", "--tenant", "t_a"}, 0)["locks"].empty());

  const std::string other_pid = std::to_string(holder.pid() + 1) + id.substr(id.find('@'));
  for (const std::string& wrong : {another_start(id), other_pid}) {
    const ProgramResult refused = dir.run(release("t_b", wrong));
    CHECK(refused.status == 5);
    CHECK(refused.err ==
          error_text(fmt::format("the lock of tenant 't_b' is held by {} (application left behind, "
                                 "user postgres) now, not by {}",
                                 id,
                                 wrong),
                     "Look again with drover lock show; nothing was ended."));
  }
  const ProgramResult elsewhere = dir.run(release("t_a", id));
  CHECK(elsewhere.status == 0);
  CHECK(elsewhere.err == "nobody holds the lock of tenant 't_a' any more\n");
  const std::string who = fmt::format(
      "tenant 't_b': session {} of user postgres, application left behind, state idle\n", id);
  const ProgramResult dry = dir.run(release("t_b", id, {"--dry-run"}));
  CHECK(dry.status == 0);
  CHECK(dry.err == who);
  CHECK(dir.run(release("t_b", id, {})).status == 2);  // nobody to ask
  CHECK(holder.lives());

  const ProgramResult ended = dir.run(release("t_b", id));
  CHECK(ended.status == 0);
  CHECK(ended.err ==
        who + fmt::format("session {} was ended; the lock of tenant 't_b' is free\n", id));
  CHECK_FALSE(holder.lives());
  CHECK(document(dir, release("t_b", id), 0)["outcome"] == "not_needed");
  CHECK(dir.run({"lock", "show"}).out == "no tenant's lock is held\n");
  CHECK(document(dir, {"upgrade", "--yes"}, 0)["summary"]["applied"] == 3);
}

TEST_CASE("What a release has done is told to machines as well", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  make_schemas(dir, kDatabase, {"t_a"});
  const Holder holder("t_a");
  const std::string id = holder.id();
  const json told = document(dir, release("t_a", id), 0);
  CHECK(told["format"] == 1);
  CHECK(told["tenant"] == "t_a");
  CHECK(told["id"] == id);
  CHECK(told["outcome"] == "freed");
}

TEST_CASE("The holder may be a session of a run that lives, which is refused", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  make_schemas(dir, kDatabase, {"t_a"});
  write_step(dir, 1, {"SELECT pg_sleep(60);", "SELECT 1;"});
  ProgramChild child(dir, {"upgrade", "--yes"});
  json told;
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  do {
    REQUIRE(std::chrono::steady_clock::now() < deadline);
    std::this_thread::sleep_for(50ms);  // polls what another process does
    told = document(dir, {"lock", "show"}, 0);
  } while (told["locks"].empty());
  const std::string id = told["locks"][0]["id"];
  const std::string run = told["run"]["run"];
  CHECK(told["run"]["verb"] == "upgrade");
  CHECK(dir.run({"lock", "show"}).out.starts_with("run " + run + " of "));

  const ProgramResult refused = dir.run(release("t_a", id));
  CHECK(refused.status == 5);
  CHECK(refused.err ==
        error_text(fmt::format("run {} of {} on host {} (pid {}) is under way, and may be what "
                               "holds the lock of tenant 't_a'",
                               run,
                               told["run"]["user"].get<std::string>(),
                               told["run"]["host"].get<std::string>(),
                               told["run"]["pid"].get<int>()),
                   "Stop the run with drover halt --cancel, or give --force when that session is "
                   "not the run's."));
  const ProgramResult forced = dir.run(release("t_a", id, {"--force", "--dry-run"}));
  CHECK(forced.status == 0);
  CHECK(forced.err.starts_with(fmt::format("tenant 't_a': session {} of user postgres, ", id)));

  REQUIRE(dir.run({"halt", "--cancel"}).status == 0);
  CHECK(child.wait() == 4);
  CHECK(document(dir, {"lock", "show"}, 0)["run"].is_null());
}

TEST_CASE("A role that may not see or end the holder is told which right it lacks", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  make_schemas(dir, kDatabase, {"t_a"});
  Holder holder("t_a");
  const std::string id = holder.id();

  connect_as(dir, "lock_blind", "");
  const ProgramResult shown = dir.run({"lock", "show"});
  CHECK(shown.out.find(fmt::format("pid {}, start unknown", holder.pid())) != std::string::npos);
  CHECK(shown.err == "without pg_read_all_stats our role is not told who that is\n");
  const json told = document(dir, {"lock", "show"}, 0);
  CHECK(told["locks"][0]["id"].is_null());
  CHECK(told["locks"][0]["pid"] == holder.pid());
  const ProgramResult unseen = dir.run(release("t_a", id));
  CHECK(unseen.status == 3);
  CHECK(unseen.err ==
        error_text(fmt::format("the lock of tenant 't_a' is held by pid {} of user postgres, and "
                               "our role may not see since when that session lives",
                               holder.pid()),
                   "Grant the role pg_read_all_stats and pg_signal_backend, or ask whoever has "
                   "them."));

  connect_as(dir, "lock_seeing", "IN ROLE pg_read_all_stats");
  const ProgramResult unended = dir.run(release("t_a", id));
  CHECK(unended.status == 3);
  CHECK(ends_with(unended.err,
                  error_text(fmt::format("the session {} holds the lock of tenant 't_a', and our "
                                         "role may not end it",
                                         id),
                             "Grant the role pg_signal_backend (only a superuser ends a "
                             "superuser's session), or ask whoever has it.")));
  CHECK(holder.lives());
}

TEST_CASE("In production the environment's name is asked for before a session is ended", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  make_schemas(dir, kDatabase, {"t_a"});
  write_settings(dir,
                 fmt::format("schemas: {{database: \"{}\", match: \"t_*\"}}",
                             shared_cluster().conninfo(kDatabase)),
                 "    production: true\n");
  Holder holder("t_a");
  const std::string id = holder.id();
  CHECK(dir.run(release("t_a", id, {"--yes"})).status == 2);
  CHECK(dir.run(release("t_a", id, {"--confirm", "staging"})).status == 2);
  CHECK(holder.lives());
  CHECK(dir.run(release("t_a", id, {"--confirm", "test"})).status == 0);
  CHECK_FALSE(holder.lives());
}

TEST_CASE("Tenants that cannot be asked are told beside the locks that are held", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  make_schemas(dir, kDatabase, {"t_a"});
  const Holder holder("t_a");
  const std::string there = fmt::format("schemas: {{database: \"{}\", match: \"t_*\"}}",
                                        shared_cluster().conninfo(kDatabase));
  const std::string away =
      fmt::format("list: [{{id: gone, target: \"{}\"}}]", shared_cluster().conninfo("cli_nowhere"));
  write_settings(dir, there + "\n      - " + away);
  const json some = document(dir, {"lock", "show"}, 3);
  CHECK(some["locks"].size() == 1);
  REQUIRE(some["unreadable"].size() == 1);
  CHECK(some["unreadable"][0]["tenants"] == json{"gone"});
  CHECK(some["unreadable"][0]["error"]["kind"] == "database_missing");
  const ProgramResult none = dir.run({"lock", "show", "--tenant", "gone"});
  CHECK(none.status == 6);
  CHECK(none.out == "no lock of a tenant that could be asked is held\n");
}

TEST_CASE("SQLite tenants have no lock that could be held", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 2, "0001");
  const ProgramResult shown = dir.run({"lock", "show"});
  CHECK(shown.status == 0);
  CHECK(shown.out == "SQLite tenants have no lock that could be held\n");
  CHECK(document(dir, {"lock", "show"}, 0)["summary"]["asked"] == 0);
  const ProgramResult refused = dir.run(release("a", "1@2026-11-22T22:14:03.123456Z"));
  CHECK(refused.status == 2);
  CHECK(refused.err == error_text("tenant 'a' is an SQLite file and has no lock",
                                  "Close the application that writes to the file."));
  const ProgramResult nonsense = dir.run(release("a", "4711"));
  CHECK(nonsense.status == 2);
  CHECK(nonsense.err == error_text("'4711' does not name the holder of a lock",
                                   "Copy the id from drover lock show; it looks like "
                                   "41233@2026-11-22T22:14:03.123456Z."));
}

// Steps that are tried and taken back: nothing may be left, and what can be known must be said.

#include <catch2/catch.hpp>

#include "tests/engine/executor/rig.h"

namespace drover::engine::test {
namespace {

RehearsalOutcome rehearse(Rig& rig,
                          const Target& target,
                          const MigrationSet& set,
                          const Goal& goal = {Direction::up, "heads"}) {
  const Executor executor(rig.sessions, *rig.clock, set, rig.options, *rig.watch, rig.gate);
  return executor.rehearse(target, rig.facts, goal, rig.patience);
}

/// "0001 0002 | 0003: why", and the fault.
std::string rehearsed(const RehearsalOutcome& outcome) {
  std::string text = fmt::format(
      "{} | {}", fmt::join(names(outcome.tried), " "), fmt::join(names(outcome.untried), " "));
  text += outcome.why_untried.empty() ? "" : ": " + outcome.why_untried;
  if (outcome.fault) {
    text += fmt::format(" ! {}: {}", to_string(outcome.fault->place), outcome.fault->message);
  }
  return text;
}

/// Everything in the tenant's schema, and what is in its history.
std::string everything(const PgTenant& tenant) {
  return tenant.value(fmt::format(
      "SELECT coalesce(string_agg(relname || ':' || relfilenode, ' ' ORDER BY relname), '') "
      "FROM pg_class WHERE relnamespace = '{}'::regnamespace",
      tenant.schema()));
}

TEST_CASE("a rehearsal of a fresh tenant leaves nothing behind") {
  const PgTenant tenant;
  Rig rig;
  rig.facts = {{"tenant", "acme"}};
  const MigrationSet set =
      line_of({up_down("CREATE TABLE a (t text); INSERT INTO a VALUES "
                       "(current_setting('drover.tenant'))"),
               "-- drover: up\nALTER TABLE a ADD COLUMN n int DEFAULT 7;\n-- drover: verify\n"
               "SELECT t = 'acme' AND n = 7 FROM a;\n-- drover: down\nSELECT 1;\n"});
  CHECK(rehearsed(rehearse(rig, tenant.target(), set)) == "0001 0002 | ");
  CHECK(everything(tenant).empty());
  CHECK(cluster().value(kDatabase, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") ==
        "0");
}

TEST_CASE("a rehearsal tells what would fail, and where") {
  const PgTenant tenant;
  Rig rig;
  const std::string good = up_down("CREATE TABLE a (i int)");
  CHECK(rehearsed(rehearse(rig,
                           tenant.target(),
                           line_of({good, up_down("ALTER TABLE a ADD COLUMN i int"), good}))) ==
        "0001 0002 | 0003 ! migrations/0002_test.sql:3:1: revision '0002' failed: column \"i\" of "
        "relation \"a\" already exists");
  const MigrationSet doubtful =
      line_of({good,
               "-- drover: up\nINSERT INTO a VALUES (1);\n-- drover: verify\nSELECT count(*) = 2 "
               "FROM a;\n-- drover: down\nSELECT 1;\n"});
  CHECK(rehearsed(rehearse(rig, tenant.target(), doubtful)) ==
        "0001 0002 |  ! migrations/0002_test.sql:5:1: verify of revision '0002' is not true");
  CHECK(everything(tenant).empty());
}

TEST_CASE("a rehearsal ends where a transaction would have to end") {
  const PgTenant tenant;
  Rig rig;
  const MigrationSet set =
      line_of({up_down("CREATE TABLE a (i int)"),
               up_down("INSERT INTO a VALUES (1)"),
               "-- drover: up postgres no-transaction\nCREATE INDEX CONCURRENTLY ai ON a (i);\n"
               "-- drover: up sqlite\nSELECT 1;\n-- drover: down\nSELECT 1;\n",
               up_down("SELECT nothing")});
  CHECK(rehearsed(rehearse(rig, tenant.target(), set)) ==
        "0001 0002 | 0003 0004: revision '0003' has a no-transaction section and cannot be part "
        "of a single transaction");
  REQUIRE(told(rig.up(tenant.target(), set, "0003")) == "applied");
  const std::string before = everything(tenant);
  CHECK(rehearsed(rehearse(rig, tenant.target(), set)) ==
        "0004 |  ! migrations/0004_test.sql:3:8: revision '0004' failed: column \"nothing\" does "
        "not exist");
  CHECK(rehearsed(rehearse(rig, tenant.target(), set, {Direction::up, "0003"})) == " | ");
  CHECK(rehearsed(rehearse(rig, tenant.target(), set, {Direction::down, "base"})) ==
        "0003 0002 0001 | ");
  CHECK(everything(tenant) == before);
}

TEST_CASE("a rehearsal waits for nobody's table longer than a run would") {
  const PgTenant tenant;
  Rig rig;
  rig.options.approach.lock_timeout = Milliseconds(50);
  const MigrationSet set =
      line_of({up_down("CREATE TABLE a (i int)"), up_down("ALTER TABLE a ADD COLUMN j int")});
  REQUIRE(rig.up(tenant.target(), set, "0001").kind == Kind::applied);
  Other other(tenant.target());
  other.run("BEGIN");
  REQUIRE(other.run("SELECT count(*) FROM " + tenant.schema() + ".a") == "0");
  const RehearsalOutcome blocked = rehearse(rig, tenant.target(), set);
  REQUIRE(blocked.fault);
  CHECK(blocked.fault->kind == "lock_timeout");
}

TEST_CASE("a rehearsal keeps off a tenant that somebody changes") {
  const PgTenant tenant;
  Rig rig;
  const MigrationSet set = line_of({up_down("CREATE TABLE a (i int)")});
  Other other(tenant.target());
  other.run(
      fmt::format("SELECT pg_advisory_lock({})", tenant_lock_key(kDatabase, tenant.schema())));
  const RehearsalOutcome busy = rehearse(rig, tenant.target(), set);
  REQUIRE(busy.fault);
  CHECK(busy.fault->kind == "lock_held");
}

TEST_CASE("a rehearsal on an SQLite file leaves its bytes as they were") {
  const FileTenant tenant;
  Rig rig;
  const MigrationSet set =
      line_of({up_down("CREATE TABLE a (i int PRIMARY KEY)"),
               up_down("INSERT INTO a VALUES (1); CREATE TABLE b (i int REFERENCES a)"),
               up_down("INSERT INTO b VALUES (2)")});
  REQUIRE(rig.up(tenant.target(), set, "0001").kind == Kind::applied);
  const std::string before = tenant.value("SELECT group_concat(sql) FROM sqlite_master");
  CHECK(rehearsed(rehearse(rig, tenant.target(), set, {Direction::up, "0002"})) == "0002 | ");
  CHECK(rehearsed(rehearse(rig, tenant.target(), set)) ==
        "0002 0003 |  ! migrations/0003_test.sql: revision '0003' leaves 1 rows that point at "
        "nothing, the first in table 'b'");
  CHECK(tenant.value("SELECT group_concat(sql) FROM sqlite_master") == before);
  CHECK(tenant.value("SELECT count(*) FROM a") == "0");

  const FileTenant missing;
  const RehearsalOutcome none = rehearse(rig, missing.target(), set);
  REQUIRE(none.fault);
  CHECK(none.fault->kind == "file_missing");
  CHECK_FALSE(std::filesystem::exists(missing.path()));
}

}  // namespace
}  // namespace drover::engine::test

// What is different on SQLite: foreign keys, the file as its own lock, and files that are not
// there.

#include <catch2/catch.hpp>

#include <fstream>
#include <future>

#include "tests/engine/executor/rig.h"

namespace drover::engine::test {
namespace {

const char* const kFamily =
    "CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT);\n"
    "CREATE TABLE child (id INTEGER PRIMARY KEY, of INTEGER REFERENCES parent ON DELETE CASCADE);\n"
    "INSERT INTO parent VALUES (1, 'a'), (2, 'b');\n"
    "INSERT INTO child VALUES (10, 1), (11, 1), (12, 2)";

/// The way to change a table of SQLite that its documentation teaches.
const char* const kRebuild =
    "CREATE TABLE new_parent (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n"
    "INSERT INTO new_parent SELECT * FROM parent;\n"
    "DROP TABLE parent;\n"
    "ALTER TABLE new_parent RENAME TO parent";

TEST_CASE("a rebuild of a parent keeps the children that ON DELETE CASCADE would take") {
  const FileTenant tenant;
  Rig rig;
  REQUIRE(told(rig.up(tenant.target(), line_of({up_down(kFamily)}))) == "applied");
  CHECK(told(rig.up(tenant.target(), line_of({up_down(kFamily), up_down(kRebuild)}))) == "applied");
  CHECK(tenant.value("SELECT count(*) FROM child") == "3");
  CHECK(tenant.value("SELECT \"notnull\" FROM pragma_table_info('parent') WHERE name = 'name'") ==
        "1");
}

TEST_CASE("a file may keep foreign keys on") {
  const FileTenant tenant;
  Rig rig;
  const MigrationSet set =
      line_of({up_down(kFamily),
               "-- drover: set foreign_keys=on\n" + up_down("DELETE FROM parent WHERE id = 1")});
  CHECK(told(rig.up(tenant.target(), set)) == "applied");
  CHECK(tenant.value("SELECT count(*) FROM child") == "1");  // cascaded
}

TEST_CASE("rows that point at nothing roll their revision back") {
  const FileTenant tenant;
  Rig rig;
  const MigrationSet set = line_of({up_down(kFamily), up_down("DELETE FROM parent WHERE id = 1")});
  const ApplyOutcome outcome = rig.up(tenant.target(), set);
  CHECK(
      told(outcome) ==
      "failed: migrations/0002_test.sql: revision '0002' leaves 2 rows that point at nothing, the "
      "first in table 'child' [foreign_key_violation]");
  CHECK(tenant.value("SELECT count(*) FROM parent") == "2");
  CHECK(names(outcome.to) == std::vector<std::string>{"0001"});
}

TEST_CASE("rows that pointed at nothing before do not stand in the way") {
  const FileTenant tenant;
  Rig rig;
  REQUIRE(rig.up(tenant.target(), line_of({up_down(kFamily)})).kind == Kind::applied);
  tenant.sql("INSERT INTO child VALUES (13, 99), (14, 99)");
  const auto next = [](const std::string& text) {
    return line_of({up_down(kFamily), up_down(text)});
  };
  SECTION("where nothing is added to them") {
    const ApplyOutcome outcome = rig.up(tenant.target(), next(kRebuild));
    CHECK(told(outcome) == "applied");
    CHECK(outcome.attempts == 1);
    CHECK(tenant.value("SELECT count(*) FROM child") == "5");
  }
  SECTION("where there are fewer afterwards") {
    CHECK(told(rig.up(tenant.target(), next("DELETE FROM child WHERE id = 13"))) == "applied");
  }
  SECTION("but new ones do, even as many as were mended") {
    CHECK(told(rig.up(tenant.target(),
                      next("DELETE FROM child WHERE of = 99; DELETE FROM parent WHERE id = 1"))) ==
          "failed: migrations/0002_test.sql: revision '0002' leaves 2 rows that point at nothing, "
          "the first in table 'child' [foreign_key_violation]");
    CHECK(tenant.value("SELECT count(*) FROM child") == "5");
  }
  SECTION("nor in one transaction for all") {
    rig.options.transaction = TransactionMode::all;
    CHECK(told(rig.up(tenant.target(),
                      line_of({up_down(kFamily), up_down(kRebuild), up_down("SELECT 1")}))) ==
          "applied");
  }
}

TEST_CASE("foreign keys cannot change in the middle of one transaction for all") {
  const FileTenant tenant;
  Rig rig;
  rig.options.transaction = TransactionMode::all;
  CHECK(told(rig.up(tenant.target(),
                    line_of({up_down(kFamily),
                             "-- drover: set foreign_keys=on\n" + up_down("SELECT 1")}))) ==
        "failed: revision '0002' sets foreign_keys otherwise than '0001' does, with which it would "
        "share a transaction [not_one_transaction]");
}

TEST_CASE("a file that somebody writes to is busy") {
  const FileTenant tenant;
  Rig rig;
  const MigrationSet one = line_of({up_down("CREATE TABLE a (i)", "DROP TABLE a")});
  REQUIRE(rig.up(tenant.target(), one).kind == Kind::applied);
  const MigrationSet two =
      line_of({up_down("CREATE TABLE a (i)", "DROP TABLE a"), up_down("SELECT 1")});
  Other application(tenant.target());
  application.run("BEGIN IMMEDIATE");
  SkippingClock clock;
  rig.clock = &clock;
  rig.options.approach.lock_timeout = Milliseconds(30);
  rig.options.lock_attempts = 3;
  const ApplyOutcome outcome = rig.up(tenant.target(), two);
  CHECK(told(outcome) ==
        "failed: migrations/0002_test.sql: revision '0002' failed: database is locked [lock_held]");
  CHECK(outcome.fault->code == ErrorCode::busy);
  CHECK(outcome.attempts == 3);

  clock.on_wait = [&](int) { application.run("ROLLBACK"); };
  CHECK(told(rig.up(tenant.target(), two)) == "applied");
}

TEST_CASE("two runners of one file do each revision once") {
  const FileTenant tenant;
  std::vector<std::string> bodies{up_down("CREATE TABLE log (i)")};
  for (int i = 2; i <= 12; ++i) {
    bodies.push_back(up_down(fmt::format("INSERT INTO log VALUES ({})", i)));
  }
  const MigrationSet set = line_of(bodies);
  const auto run = [&] {
    Rig rig;
    rig.options.lock_attempts = 50;
    return rig.up(tenant.target(), set);
  };
  auto one = std::async(std::launch::async, run);
  auto two = std::async(std::launch::async, run);
  const ApplyOutcome outcomes[] = {one.get(), two.get()};
  for (const ApplyOutcome& outcome : outcomes) {
    CHECK_FALSE(outcome.fault);
  }
  CHECK(tenant.value("SELECT count(*) || ' ' || count(DISTINCT i) FROM log") == "11 11");
  CHECK(tenant.value("SELECT count(*) FROM drover_revisions") == "12");
  CHECK(tenant.value("SELECT count(*) FROM drover_tenant") == "1");
}

TEST_CASE("files that are missing, empty or something else are refused unless asked for") {
  const TempDir dir("executor");
  Rig rig;
  rig.options.approach.create_files = false;
  Target target = FileTenant().target();
  const MigrationSet set = line_of({up_down("CREATE TABLE a (i)")});
  const auto at = [&](const std::string& name) {
    target.connection = (dir.path() / name).string();
    return target;
  };
  SECTION("missing") {
    const ApplyOutcome outcome = rig.up(at("lost.db"), set);
    CHECK(outcome.kind == Kind::unreachable);
    CHECK(outcome.fault->kind == "file_missing");
    CHECK_FALSE(std::filesystem::exists(target.connection));
  }
  SECTION("empty") {
    std::ofstream(at("empty.db").connection);
    const ApplyOutcome outcome = rig.up(target, set);
    CHECK(outcome.kind == Kind::unreachable);
    CHECK(outcome.fault->kind == "file_empty");
    CHECK(std::filesystem::file_size(target.connection) == 0);
    rig.options.approach.create_files = true;
    CHECK(told(rig.up(target, set)) == "applied");
  }
  SECTION("not a database, even when new files are asked for") {
    rig.options.approach.create_files = true;
    std::ofstream(at("notes.txt").connection) << std::string(4096, 'x');
    const ApplyOutcome outcome = rig.up(target, set);
    CHECK(outcome.kind == Kind::unreachable);
    CHECK(outcome.fault->kind == "not_a_database");
  }
  SECTION("a new one carries our mark, and an application's is left alone") {
    rig.options.approach.create_files = true;
    const FileTenant fresh;
    REQUIRE(rig.up(fresh.target(), set).kind == Kind::applied);
    CHECK(fresh.value("PRAGMA application_id") == std::to_string(sqlite::kApplicationId));
    const FileTenant owned;
    owned.sql("PRAGMA application_id = 4711");
    owned.sql("CREATE TABLE theirs (i)");
    REQUIRE(rig.up(owned.target(), set).kind == Kind::applied);
    CHECK(owned.value("PRAGMA application_id") == "4711");
  }
}

TEST_CASE("units, partial revisions and resuming are the same on SQLite") {
  const FileTenant tenant;
  Rig rig;
  const auto file = [](const std::string& last) {
    return fmt::format(
        "-- drover: up sqlite\nCREATE TABLE a (i);\n"
        "-- drover: up sqlite no-transaction\nPRAGMA journal_mode = WAL;\nVACUUM;\n"
        "-- drover: up sqlite\n{};\n-- drover: down\nDROP TABLE a;\n",
        last);
  };
  const ApplyOutcome stopped =
      rig.up(tenant.target(), line_of({file("INSERT INTO nowhere VALUES (1)")}));
  CHECK(told(stopped) ==
        "partial: migrations/0001_test.sql:8:1: revision '0001' failed: no such table: nowhere "
        "[sql_error]");
  CHECK(tenant.value("SELECT in_progress FROM drover_tenant") == "0001");
  CHECK(tenant.value("SELECT count(*) FROM drover_steps") == "3");
  CHECK(tenant.value("PRAGMA journal_mode") == "wal");
  CHECK(told(rig.up(tenant.target(), line_of({file("INSERT INTO a VALUES (1)")}))) == "applied");
  CHECK(tenant.value("SELECT count(*) FROM a") == "1");
  CHECK(tenant.value("SELECT in_progress FROM drover_tenant").empty());
  CHECK(told(rig.down(tenant.target(), line_of({file("INSERT INTO a VALUES (1)")}), "base")) ==
        "applied");
}

TEST_CASE("a statement without a transaction that was cut short is in doubt on SQLite, too") {
  const FileTenant tenant;
  Rig rig;
  const MigrationSet set =
      line_of({"-- drover: up sqlite no-transaction\nCREATE TABLE a (i);\n-- drover: down\n"
               "SELECT 1;\n"});
  rig.options.approach.statement_timeout = Milliseconds(150);
  rig.options.timeout_attempts = 1;
  const MigrationSet slow = line_of(
      {"-- drover: up sqlite no-transaction\nCREATE TABLE a AS WITH RECURSIVE n(i) AS (SELECT 1 "
       "UNION ALL SELECT i + 1 FROM n) SELECT i FROM n;\n-- drover: down\nSELECT 1;\n"});
  const ApplyOutcome outcome = rig.up(tenant.target(), slow);
  CHECK(outcome.kind == Kind::partial);
  CHECK(outcome.fault->kind == "deadline_exceeded");
  const ApplyOutcome again = rig.up(tenant.target(), slow);
  CHECK(again.kind == Kind::in_doubt);
}

TEST_CASE("statements read the facts of their tenant") {
  const FileTenant tenant;
  Rig rig;
  rig.facts = {{"tenant", "acme"}};
  const MigrationSet set =
      line_of({"-- drover: up sqlite\nCREATE TABLE a AS SELECT drover_setting('tenant') AS t, "
               "drover_setting('label.region') AS r;\n-- drover: down\nDROP TABLE a;\n"});
  CHECK(told(rig.up(tenant.target(), set)) == "applied");
  CHECK(tenant.value("SELECT t || coalesce(r, '-') FROM a") == "acme-");
}

}  // namespace
}  // namespace drover::engine::test

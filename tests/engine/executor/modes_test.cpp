// What is refused before anything runs, one transaction for all, downgrades, and where "+1" leads.

#include <catch2/catch.hpp>

#include "engine/administration.h"
#include "tests/engine/executor/rig.h"

namespace drover::engine::test {
namespace {

std::string indexed() {
  return "-- drover: up postgres no-transaction\nVACUUM;\n-- drover: down\nSELECT 1;\n";
}

TEST_CASE("one transaction for all: all or nothing") {
  const PgTenant tenant;
  Rig rig;
  rig.options.transaction = TransactionMode::all;
  std::vector<std::string> bodies{up_down("CREATE TABLE a (i int)", "DROP TABLE a"),
                                  up_down("INSERT INTO a VALUES (1)", "DELETE FROM a"),
                                  up_down("SELECT nothing")};
  const ApplyOutcome outcome = rig.up(tenant.target(), line_of(bodies));
  CHECK(told(outcome) ==
        "failed: migrations/0003_test.sql:3:8: revision '0003' failed: column \"nothing\" does not "
        "exist [sql_error]");
  CHECK(outcome.done.empty());
  CHECK_FALSE(tenant.has_table("a"));
  CHECK(tenant.value("SELECT count(*) FROM drover_revisions") == "0");

  bodies.back() =
      "-- drover: up\nINSERT INTO a VALUES (2);\n-- drover: verify\nSELECT count(*) = 2 "
      "FROM a;\n-- drover: down\nSELECT 1;\n";
  const ApplyOutcome mended = rig.up(tenant.target(), line_of(bodies));
  CHECK(told(mended) == "applied");
  CHECK(mended.done.size() == 3);
  CHECK(tenant.value("SELECT string_agg(DISTINCT xmin::text, ' ') = min(xmin::text) FROM "
                     "drover_revisions") == "t");
  const ApplyOutcome down = rig.down(tenant.target(), line_of(bodies), "base");
  CHECK(told(down) == "applied");
  CHECK_FALSE(tenant.has_table("a"));
}

TEST_CASE("one transaction for all: each revision finds session and constraints as its own") {
  const PgTenant tenant;
  Rig rig;
  rig.options.transaction = TransactionMode::all;
  rig.facts = {{"tenant", "acme"}};
  const std::string both_ways = "INSERT INTO child VALUES ({0}); INSERT INTO parent VALUES ({0})";
  const MigrationSet set = line_of(
      {up_down("CREATE TABLE parent (i int PRIMARY KEY); CREATE TABLE child (i int REFERENCES "
               "parent DEFERRABLE INITIALLY DEFERRED, j int CONSTRAINT j UNIQUE DEFERRABLE)"),
       up_down(fmt::format(fmt::runtime(both_ways), 1) + "; SET search_path = nowhere"),
       up_down(fmt::format(fmt::runtime(both_ways), 2)),
       up_down(
           "ALTER TABLE child ADD COLUMN k int; INSERT INTO child VALUES (1, 1); "
           "ALTER TABLE child ADD COLUMN l text DEFAULT current_setting('drover.tenant', true)")});
  CHECK(told(rig.up(tenant.target(), set)) ==
        "failed: migrations/0004_test.sql:3:70: revision "
        "'0004' failed: cannot ALTER TABLE \"child\" because "
        "it has pending trigger events [sql_error]");
  // The same as without: what the constraint defers is deferred in each revision anew.
  rig.options.transaction = TransactionMode::per_revision;
  CHECK(
      rig.up(tenant.target(), set).fault->message ==
      "revision '0004' failed: cannot ALTER TABLE \"child\" because it has pending trigger events");
  CHECK(tenant.value("SELECT max(revision) FROM drover_revisions") == "0003");
}

TEST_CASE("one transaction for all is refused where it cannot be") {
  const PgTenant tenant;
  Rig rig;
  rig.options.transaction = TransactionMode::all;
  SECTION("for a section without a transaction") {
    const ApplyOutcome outcome = rig.up(tenant.target(), line_of({up_down("SELECT 1"), indexed()}));
    CHECK(told(outcome) ==
          "failed: revision '0002' has a no-transaction section and cannot be part of a single "
          "transaction [not_one_transaction]");
    CHECK(outcome.fault->code == ErrorCode::usage);
    CHECK_FALSE(tenant.has_table("drover_revisions"));
  }
  SECTION("for an enum value that another revision adds") {
    const MigrationSet set = line_of({up_down("CREATE TYPE mood AS ENUM ('ok')"),
                                      up_down("ALTER TYPE mood ADD VALUE 'sad'"),
                                      up_down("CREATE TABLE a (m mood DEFAULT 'sad')")});
    CHECK(told(rig.up(tenant.target(), set)) ==
          "failed: migrations/0003_test.sql:3:1: revision '0003' uses the enum value 'sad', which "
          "the same transaction would add [not_one_transaction]");
    rig.options.transaction = TransactionMode::per_revision;
    CHECK(told(rig.up(tenant.target(), set)) == "applied");
  }
}

TEST_CASE("a batch section is refused before anything runs where nobody works off batches") {
  const PgTenant tenant;
  Rig rig;
  const ApplyOutcome outcome =
      rig.up(tenant.target(),
             line_of({up_down("CREATE TABLE a (i int PRIMARY KEY)"),
                      "-- drover: batch postgres table=a\nUPDATE a SET i = i WHERE {range};\n"
                      "-- drover: down\nSELECT 1;\n"}));
  CHECK(told(outcome) ==
        "failed: revision '0002' holds a batch section, and nobody works off batches here "
        "[batch_not_supported]");
  CHECK_FALSE(tenant.has_table("a"));
}

TEST_CASE("a downgrade runs backwards, and stops before anything where it cannot") {
  const PgTenant tenant;
  tenant.sql("CREATE TABLE log (i int)");
  Rig rig;
  std::vector<std::string> bodies;
  for (int i = 1; i <= 4; ++i) {
    bodies.push_back(up_down("SELECT 1", fmt::format("INSERT INTO log VALUES ({})", i)));
  }
  bodies[1] = "-- drover: irreversible the old column is gone\n-- drover: up\nSELECT 1;\n";
  const MigrationSet set = line_of(bodies);
  REQUIRE(rig.up(tenant.target(), set).kind == Kind::applied);
  const ApplyOutcome refused = rig.down(tenant.target(), set, "0001");
  CHECK(told(refused) ==
        "failed: revision '0002' cannot be undone: the old column is gone [irreversible]");
  CHECK(tenant.value("SELECT count(*) FROM log") == "0");
  const ApplyOutcome down = rig.down(tenant.target(), set, "0002");
  CHECK(told(down) == "applied");
  CHECK(names(down.done) == std::vector<std::string>{"0004", "0003"});
  CHECK(names(down.to) == std::vector<std::string>{"0002"});
  CHECK(tenant.value("SELECT string_agg(i::text, ' ' ORDER BY ctid) FROM log") == "4 3");
  CHECK(tenant.value("SELECT string_agg(kind || revision, ' ' ORDER BY epoch) FROM drover_events "
                     "WHERE kind = 'down'") == "down0004 down0003");
}

TEST_CASE("a downgrade of several units goes on where it stopped") {
  const PgTenant tenant;
  Rig rig;
  const auto file = [](const std::string& last) {
    return fmt::format(
        "-- drover: up\nSELECT 1;\n-- drover: down\nCREATE TABLE gone (i int);\n"
        "-- drover: down postgres no-transaction\nVACUUM gone;\n"
        "-- drover: down postgres\n{};\n",
        last);
  };
  REQUIRE(rig.up(tenant.target(), line_of({file("SELECT 1")})).kind == Kind::applied);
  const ApplyOutcome stopped = rig.down(tenant.target(), line_of({file("SELECT nothing")}), "base");
  CHECK(stopped.kind == Kind::partial);
  const MigrationSet set = line_of({file("INSERT INTO gone VALUES (1)")});
  const ApplyOutcome up = rig.up(tenant.target(), set);
  CHECK(told(up) == "partial: revision '0001' is half undone [partial]");
  CHECK(up.fault->hint == "Finish the downgrade first.");
  CHECK(told(rig.down(tenant.target(), set, "base")) == "applied");
  CHECK(tenant.value("SELECT count(*) FROM gone") == "1");
  CHECK(tenant.value("SELECT count(*) FROM drover_revisions") == "0");
}

TEST_CASE("an undoing of a half-done revision that is cut short goes on as that") {
  const PgTenant tenant;
  Rig rig;
  const auto file = [](const std::string& down) {
    return fmt::format(
        "-- drover: up postgres\nCREATE TABLE a (i int);\n"
        "-- drover: up postgres no-transaction\nSELECT nothing;\n"
        "-- drover: down postgres\nALTER TABLE a ADD COLUMN j int;\n"
        "-- drover: down postgres no-transaction\nVACUUM a;\n"
        "-- drover: down postgres\n{};\n",
        down);
  };
  REQUIRE(rig.up(tenant.target(), line_of({file("SELECT 1")})).kind == Kind::partial);
  const Goal undo{Direction::down, "base", FromPartial::yes};
  CHECK(rig.apply(tenant.target(), line_of({file("SELECT nothing")}), undo).kind == Kind::partial);
  CHECK(told(rig.apply(
            tenant.target(), line_of({file("DROP TABLE a")}), {Direction::down, "base"})) ==
        "applied");
  CHECK_FALSE(tenant.has_table("a"));
  CHECK(tenant.value("SELECT count(*) FROM drover_steps") == "0");
}

TEST_CASE("a tenant of another environment is refused until it is marked") {
  const PgTenant tenant;
  Rig rig;
  rig.options.approach.environment = "production";
  rig.options.approach.production = true;
  const MigrationSet one = line_of({up_down("SELECT 1")});
  REQUIRE(rig.up(tenant.target(), one).kind == Kind::applied);
  CHECK(tenant.value("SELECT environment || production FROM drover_tenant") == "productiontrue");

  rig.options.approach.environment = "staging";
  rig.options.approach.production = false;
  const MigrationSet two = line_of({up_down("SELECT 1"), up_down("SELECT 2")});
  const ApplyOutcome refused = rig.up(tenant.target(), two);
  CHECK(told(refused) ==
        "failed: the tenant is marked as environment 'production', and this is 'staging' "
        "[environment_mismatch]");
  CHECK(refused.fault->code == ErrorCode::verification);
  {
    TenantSession session(
        rig.sessions, *rig.clock, tenant.target(), rig.facts, rig.options.approach);
    const AdministrationResult marked =
        mark(session, "staging", false, {"carol@host", ""}, Commit::yes, {});
    CHECK_FALSE(marked.fault);
    CHECK(marked.changes.size() == 2);
  }
  CHECK(told(rig.up(tenant.target(), two)) == "applied");
  CHECK(tenant.value("SELECT environment || production FROM drover_tenant") == "stagingfalse");
  CHECK(tenant.value("SELECT who || ' ' || detail FROM drover_events WHERE kind = 'mark'") ==
        "carol@host production -> staging");
}

TEST_CASE("a history of a newer format is refused") {
  const PgTenant tenant;
  Rig rig;
  const MigrationSet set = line_of({up_down("SELECT 1")});
  REQUIRE(rig.up(tenant.target(), set).kind == Kind::applied);
  tenant.sql("UPDATE drover_tenant SET format = 2");
  const std::string refusal =
      "unreachable: the history is in format 2, and this build knows formats up to 1 "
      "[history_format_newer]";
  CHECK(told(rig.up(tenant.target(), set)) == refusal);
  tenant.sql("ALTER TABLE drover_tenant RENAME epoch TO era");  // a layout that we cannot know
  CHECK(told(rig.up(tenant.target(), set)) == refusal);
}

TEST_CASE("a table of ours that is gone is damage, and not a fresh tenant") {
  const char* const table =
      GENERATE("drover_tenant", "drover_revisions", "drover_steps", "drover_events");
  const PgTenant tenant;
  Rig rig;
  REQUIRE(rig.up(tenant.target(), line_of({up_down("CREATE TABLE a (i int)")})).kind ==
          Kind::applied);
  tenant.sql(fmt::format("DROP TABLE {}", table));
  const ApplyOutcome outcome =
      rig.up(tenant.target(),
             line_of({up_down("CREATE TABLE a (i int)"), up_down("CREATE TABLE b (i int)")}));
  CAPTURE(told(outcome));
  if (std::string_view(table) == "drover_steps") {
    CHECK(outcome.kind == Kind::applied);  // nothing asks for it until a revision has several units
    return;
  }
  CHECK(outcome.fault);
  CHECK_FALSE(tenant.has_table("b"));
}

TEST_CASE("a history that does not fit its files is left alone") {
  const PgTenant tenant;
  Rig rig;
  const std::vector<std::string> bodies{up_down("SELECT 1"), up_down("SELECT 2")};
  REQUIRE(rig.up(tenant.target(), line_of(bodies)).kind == Kind::applied);
  SECTION("edited") {
    CHECK(told(rig.up(tenant.target(),
                      line_of({up_down("SELECT 1"), up_down("SELECT 3"), up_down("SELECT 4")}))) ==
          "failed: migrations/0002_test.sql: revision '0002' was edited after it was applied "
          "[edited]");
  }
  SECTION("an edited down is information only") {
    CHECK(told(rig.up(tenant.target(),
                      line_of({up_down("SELECT 1"),
                               up_down("SELECT 2", "SELECT 5"),
                               up_down("SELECT 4")}))) == "applied");
  }
  SECTION("unknown") {
    CHECK(told(rig.up(tenant.target(), line_of({bodies[0]}))) ==
          "failed: the tenant has applied '0002', and there is no file for it [unknown_revision]");
  }
  SECTION("re-parented") {
    CHECK(told(rig.up(tenant.target(),
                      set_of({{"0001", "none", bodies[0]}, {"0002", "none", bodies[1]}}))) ==
          "failed: revision '0002' has other parents now than when it was applied [diverged]");
  }
  SECTION("with a gap") {
    tenant.sql("DELETE FROM drover_revisions WHERE revision = '0001'");
    CHECK(told(rig.up(tenant.target(), line_of(bodies))) ==
          "failed: the tenant has applied '0002' but not '0001', which it needs [diverged]");
  }
  CHECK(tenant.value("SELECT count(*) FROM drover_events WHERE kind = 'failure'") == "0");
}

TEST_CASE("\"+1\" leads one revision further, however often the same run is repeated") {
  const PgTenant tenant;
  Rig rig;
  const MigrationSet set =
      line_of({up_down("SELECT 1"), up_down("SELECT 2"), up_down("SELECT 3"), up_down("SELECT 4")});
  rig.options.by.run = "run-1";
  REQUIRE(rig.up(tenant.target(), set, "0001").kind == Kind::applied);
  rig.options.by.run = "run-2";
  CHECK(names(rig.up(tenant.target(), set, "+1").done) == std::vector<std::string>{"0002"});
  CHECK(told(rig.up(tenant.target(), set, "+1")) == "current");
  rig.options.by.run = "run-3";
  CHECK(names(rig.up(tenant.target(), set, "+1").done) == std::vector<std::string>{"0003"});
  rig.options.by.run = "run-4";
  CHECK(names(rig.down(tenant.target(), set, "-1").done) == std::vector<std::string>{"0003"});
  CHECK(told(rig.down(tenant.target(), set, "-1")) == "current");
  rig.options.by.run = "";
  CHECK(names(rig.down(tenant.target(), set, "-1").done) == std::vector<std::string>{"0002"});
  CHECK(names(rig.down(tenant.target(), set, "-1").done) == std::vector<std::string>{"0001"});
}

TEST_CASE("what the run itself took up before it was cut short is none of what it found") {
  const PgTenant tenant;
  Rig rig;
  const MigrationSet set = line_of({up_down("SELECT 1"), up_down("SELECT 2"), up_down("SELECT 3")});
  rig.options.by.run = "run-before";
  REQUIRE(rig.up(tenant.target(), set, "0001").kind == Kind::applied);
  rig.options.by.run = "run-cut";
  REQUIRE(rig.up(tenant.target(), set, "0002").kind == Kind::applied);
  const ApplyOutcome again = rig.up(tenant.target(), set, "0003");
  CHECK(names(again.from) == std::vector<std::string>{"0001"});
  CHECK(names(again.to) == std::vector<std::string>{"0003"});
  CHECK(names(rig.up(tenant.target(), set, "0003").from) == std::vector<std::string>{"0001"});
  rig.options.by.run = "run-after";
  CHECK(names(rig.up(tenant.target(), set, "0003").from) == std::vector<std::string>{"0003"});
}

TEST_CASE("what the run itself undid before it was cut short is no change since its plan") {
  const PgTenant tenant;
  Rig rig;
  const MigrationSet set = line_of({up_down("SELECT 1"), up_down("SELECT 2"), up_down("SELECT 3")});
  rig.options.by.run = "run-up";
  REQUIRE(rig.up(tenant.target(), set, "0003").kind == Kind::applied);
  Target planned = tenant.target();
  planned.planned = PlannedStart{3, {"0003"}};
  rig.options.by.run = "run-down";
  REQUIRE(rig.down(planned, set, "0002").kind == Kind::applied);
  CHECK(names(rig.down(planned, set, "base").done) == std::vector<std::string>{"0002", "0001"});

  rig.options.by.run = "run-up-again";
  REQUIRE(rig.up(tenant.target(), set, "0002").kind == Kind::applied);
  rig.options.by.run = "run-of-somebody";
  CHECK(told(rig.down(planned, set, "base")) ==
        "failed: the tenant is at 0002, and was at 0003 when the run was planned "
        "[changed_since_plan]");
}

TEST_CASE("a target that makes no sense is the caller's error") {
  const PgTenant tenant;
  Rig rig;
  CHECK_THROWS_AS(rig.up(tenant.target(), line_of({up_down("SELECT 1")}), "0999"), GraphError);
}

TEST_CASE("a schema or server that takes no changes is refused, with its reason") {
  Rig rig;
  const MigrationSet set = line_of({up_down("SELECT 1")});
  SECTION("no such schema") {
    CHECK(told(rig.up(cluster().target(kDatabase, "nowhere"), set)) ==
          "unreachable: there is no schema \"nowhere\" [schema_missing]");
  }
  SECTION("no such database") {
    CHECK(told(rig.up(cluster().target("nowhere"), set)) ==
          "unreachable: connecting failed: database \"nowhere\" does not exist [database_missing]");
  }
  SECTION("read-only by default") {
    const PgTenant tenant;
    Target target = tenant.target();
    target.connection += " options='-c default_transaction_read_only=on'";
    CHECK(told(rig.up(target, set)) ==
          "failed: writing the history failed: cannot execute CREATE TABLE in a read-only "
          "transaction [read_only]");
  }
}

TEST_CASE("a standby is refused") {
  PgCluster server;
  server.create_database("app");
  server.stop(PgCluster::Stop::fast);
  const std::string signal = server.socket_directory() + "/data/standby.signal";
  cluster().execute(kDatabase, fmt::format("COPY (SELECT 1 LIMIT 0) TO '{}'", signal));
  server.start();
  Rig rig;
  CHECK(told(rig.up(server.target("app"), line_of({up_down("SELECT 1")}))) ==
        fmt::format("unreachable: {} is a standby and takes no changes [standby]",
                    server.target("app").server));
}

}  // namespace
}  // namespace drover::engine::test

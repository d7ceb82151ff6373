// Statements outside of transactions whose backend is killed inside of them: each kind of statement
// is looked after in its own way.

#include <catch2/catch.hpp>

#include <future>

#include "engine/administration.h"
#include "engine/transaction_script.h"
#include "tests/engine/executor/rig.h"

namespace drover::engine::test {
namespace {

MigrationSet alone(const std::string& statements) {
  return line_of(
      {fmt::format("-- drover: up postgres no-transaction\n{};\n-- drover: down\n"
                   "SELECT 1;\n",
                   statements)});
}

/// One row of the recovery table. "{}" in a text is the tenant's schema, "{{" a brace.
struct Row {
  const char* setup;     ///< Makes what the statement is about.
  const char* obstacle;  ///< What another session does, so that the statement waits.
  const char* statement;
  const char* told;   ///< The outcome after the kill; empty: applied.
  const char* check;  ///< Gives true when all is as it should be.
};

const Row kRows[] = {
    {"CREATE TABLE a (i int)",
     "SELECT * FROM a",
     "CREATE INDEX CONCURRENTLY a_i ON a (i)",
     "",
     "SELECT count(*) = 1 AND bool_and(indisvalid) FROM pg_index WHERE indrelid = 'a'::regclass"},
    {"CREATE TABLE a (i int); CREATE INDEX a_i ON a (i)",
     "SELECT * FROM a",
     "DROP INDEX CONCURRENTLY a_i",
     "",
     "SELECT to_regclass('a_i') IS NULL"},
    {"CREATE TABLE a (i int); CREATE INDEX a_i ON a (i)",
     "SELECT * FROM a",
     "REINDEX INDEX CONCURRENTLY a_i",
     "in_doubt: migrations/0001_test.sql:3:1: it is not known whether this statement took effect: "
     "REINDEX INDEX CONCURRENTLY a_i (it left INVALID indexes behind: a_i_ccnew) [in_doubt]",
     "SELECT to_regclass('a_i_ccnew') IS NOT NULL"},
    {"CREATE TABLE a (i int); CREATE INDEX a_i ON a (i)",
     "LOCK TABLE a",
     "REINDEX TABLE a",
     "",
     "SELECT to_regclass('a_i') IS NOT NULL"},
    {"CREATE TABLE a (i int) PARTITION BY LIST (i); CREATE TABLE a1 PARTITION OF a FOR VALUES IN "
     "(1)",
     "SELECT * FROM a",
     "ALTER TABLE a DETACH PARTITION a1 CONCURRENTLY",
     "",
     "SELECT count(*) = 0 FROM pg_inherits WHERE inhparent = 'a'::regclass"},
    {"CREATE TABLE a (i int)", "LOCK TABLE a", "VACUUM a", "", "SELECT true"},
    {"CREATE MATERIALIZED VIEW m AS SELECT 1 AS i; CREATE UNIQUE INDEX ON m (i)",
     "ANALYZE m",
     "REFRESH MATERIALIZED VIEW CONCURRENTLY m",
     "",
     "SELECT true"},
    {"CREATE TYPE mood AS ENUM ('ok')",
     "ALTER TYPE mood ADD VALUE 'other'",
     "ALTER TYPE mood ADD VALUE 'sad'",
     "",
     "SELECT count(*) = 1 FROM pg_enum WHERE enumtypid = 'mood'::regtype AND enumlabel = 'sad'"},
    {"CREATE TABLE a (i int); ALTER TABLE a ADD CONSTRAINT c CHECK (i > 0) NOT VALID",
     "LOCK TABLE a",
     "ALTER TABLE a VALIDATE CONSTRAINT c",
     "",
     "SELECT convalidated FROM pg_constraint WHERE conrelid = 'a'::regclass"},
    {"SELECT 1",
     "LOCK TABLE pg_catalog.pg_database IN SHARE MODE",
     "CREATE DATABASE made_by_{0}",
     "",
     "SELECT count(*) = 1 FROM pg_database WHERE datname = 'made_by_{0}'"},
    {"SELECT 1",
     "LOCK TABLE pg_catalog.pg_tablespace IN SHARE MODE",
     "DROP TABLESPACE IF EXISTS of_{0}",
     "",
     "SELECT count(*) = 0 FROM pg_tablespace WHERE spcname = 'of_{0}'"},
    {"CREATE TABLE a (i int)",
     "LOCK TABLE a",
     "INSERT INTO a VALUES (1)",
     "in_doubt: migrations/0001_test.sql:3:1: it is not known whether this statement took effect: "
     "INSERT INTO a VALUES (1) (nothing in the database tells) [in_doubt]",
     "SELECT count(*) = 0 FROM a"},
};

TEST_CASE("a statement whose backend dies inside of it is looked after by its kind") {
  const Row& row = kRows[GENERATE(range(std::size_t{0}, std::size(kRows)))];
  const PgTenant tenant;
  const auto text = [&](const char* pattern) {
    return fmt::format(fmt::runtime(pattern), tenant.schema());
  };
  CAPTURE(row.statement);
  tenant.sql(text(row.setup));
  Other other(tenant.target());
  other.run("BEGIN");
  other.run(text(row.obstacle));
  Rig rig;
  rig.options.approach.lock_timeout = Milliseconds(60'000);
  int lost = 0;
  rig.observer.on_retry = [&](const TenantFault& fault) {
    CHECK(fault.kind == "session_terminated");
    other.run("ROLLBACK");
    ++lost;
  };
  const MigrationSet set = alone(text(row.statement));
  auto result = std::async(std::launch::async, [&] { return rig.up(tenant.target(), set); });
  std::string pid;
  const bool waits = eventually([&] {
    pid = cluster().value(kDatabase,
                          "SELECT pid FROM pg_stat_activity WHERE application_name = 'drover' AND "
                          "wait_event_type = 'Lock'");
    return !pid.empty();
  });
  if (!waits) {
    other.run("ROLLBACK");
  }
  REQUIRE(waits);
  CHECK(tenant.value("SELECT state FROM drover_steps") == "started");
  cluster().terminate_backend(std::stoll(pid));
  const ApplyOutcome outcome = result.get();
  CHECK(lost == 1);
  const std::string expected = row.told;
  CHECK(told(outcome) == (expected.empty() ? "applied" : expected));
  CHECK(tenant.value(text(row.check)) == "t");
  CHECK(tenant.value("SELECT count(*) FROM drover_steps") == (expected.empty() ? "0" : "1"));
}

/// Kills our backend when the message that is `nth` of those it watches has been answered.
struct KillAfter final : BlockerWatch {
  explicit KillAfter(int nth) : left(nth) {}
  void begin(const Target&, std::int64_t) override {}
  std::optional<Blocker> end(const Target&, std::int64_t pid) override {
    if (--left == 0) {
      cluster().terminate_backend(pid);
      REQUIRE(eventually([&] {
        return cluster().value(kDatabase,
                               fmt::format("SELECT count(*) FROM pg_stat_activity WHERE "
                                           "pid = {}",
                                           pid)) == "0";
      }));
      if (then) {
        then();
      }
    }
    return std::nullopt;
  }
  int left;
  std::function<void()> then;
};

TEST_CASE("a statement that was done and not yet journalled so is not done again") {
  struct Done {
    const char* setup;
    const char* statement;
  };
  const Done done = GENERATE(values<Done>({
      {"CREATE TABLE a (i int)", "CREATE INDEX CONCURRENTLY a_i ON a (i)"},
      {"CREATE TABLE a (i int)",
       "CREATE /* not */ UNIQUE INDEX CONCURRENTLY IF NOT EXISTS \"A i\" ON ONLY a USING btree "
       "(lower(i::text) DESC) INCLUDE (i) WITH (fillfactor = 70) WHERE i > 0"},
      {"CREATE TABLE a (i int); CREATE INDEX a_i ON a (i)", "DROP INDEX CONCURRENTLY a_i"},
      {"CREATE TYPE mood AS ENUM ('ok')", "ALTER TYPE mood ADD VALUE 'it''s' AFTER 'ok'"},
      {"CREATE TABLE a (i int) PARTITION BY LIST (i); CREATE TABLE a1 PARTITION OF a FOR VALUES IN "
       "(1)",
       "ALTER TABLE a DETACH PARTITION a1 CONCURRENTLY"},
      {"SELECT 1", "CREATE DATABASE twice"},
      {"SELECT 1", "DROP DATABASE IF EXISTS twice"},
  }));
  CAPTURE(done.statement);
  const PgTenant tenant;
  tenant.sql(done.setup);
  Rig rig;
  KillAfter killer(2);  // the first message journals that it was started
  rig.watch = &killer;
  const ApplyOutcome outcome = rig.up(tenant.target(), alone(done.statement));
  CHECK(told(outcome) == "applied");
  CHECK(killer.left < 0);
}

TEST_CASE("an index that is another than the one asked for leaves the tenant in doubt") {
  const PgTenant tenant;
  tenant.sql("CREATE TABLE a (i int, j int)");
  Rig rig;
  KillAfter killer(2);
  killer.then = [&] { tenant.sql("DROP INDEX a_i; CREATE INDEX a_i ON a (j)"); };
  rig.watch = &killer;
  const MigrationSet set = alone("CREATE INDEX CONCURRENTLY a_i ON a (i)");
  const std::string doubt = fmt::format(
      "in_doubt: migrations/0001_test.sql:3:1: it is not known whether this statement took effect: "
      "CREATE INDEX CONCURRENTLY a_i ON a (i) ({}.a_i is there, and is another index) [in_doubt]",
      tenant.schema());
  CHECK(told(rig.up(tenant.target(), set)) == doubt);
  Rig second;
  CHECK(told(second.up(tenant.target(), set)) == doubt);  // until a person has decided

  RepairRequest request;
  SECTION("a person may say that it was done") {
    request.statement = RepairRequest::Statement::done;
  }
  SECTION("or that it is to be done again") {
    tenant.sql("DROP INDEX a_i");
    request.statement = RepairRequest::Statement::redo;
  }
  TenantSession session(
      second.sessions, *second.clock, tenant.target(), second.facts, second.options.approach);
  const AdministrationResult repaired =
      repair(session, set, request, {"carol@host", ""}, Commit::yes, {});
  CHECK_FALSE(repaired.fault);
  REQUIRE(repaired.changes.size() == 1);
  CHECK(repaired.changes.front().what == "statement 1 of unit 1 of revision 0001");
  session.keep();  // gives the session, and with it the lock, back
  CHECK(told(second.up(tenant.target(), set)) == "applied");
  CHECK(tenant.has_table("a_i"));
  CHECK(tenant.value("SELECT who || detail FROM drover_events WHERE kind = 'repair'")
            .starts_with("carol@hoststatement 1 of unit 1 of revision 0001: started -> "));
}

TEST_CASE("an index that we did not start is nobody's success") {
  const char* const statement = GENERATE("CREATE INDEX CONCURRENTLY a_i ON a (i)",
                                         "CREATE INDEX CONCURRENTLY IF NOT EXISTS a_i ON a (i)");
  const PgTenant tenant;
  tenant.sql("CREATE TABLE a (i int); CREATE INDEX a_i ON a (i)");
  Rig rig;
  const ApplyOutcome outcome = rig.up(tenant.target(), alone(statement));
  CHECK(told(outcome) ==
        fmt::format("failed: migrations/0001_test.sql:3:1: there is an index {}.a_i already that "
                    "this migration did not make [already_exists]",
                    tenant.schema()));
  CHECK_FALSE(tenant.has_table("drover_steps"));
}

TEST_CASE("an index that another backend is building is left alone") {
  const PgTenant tenant;
  tenant.sql("CREATE TABLE a (i int)");
  const MigrationSet set = alone("CREATE INDEX CONCURRENTLY a_i ON a (i)");
  Rig rig;
  REQUIRE(rig.up(tenant.target(), line_of({up_down("SELECT 1")}), "base").kind == Kind::current);
  Other reader(tenant.target());
  reader.run("BEGIN");
  reader.run("SELECT * FROM a");
  Other builder(tenant.target());
  KillAfter killer(1);  // journalled as started, never sent
  std::future<std::string> building;
  killer.then = [&] {
    building = std::async(std::launch::async,
                          [&] { return builder.run("CREATE INDEX CONCURRENTLY a_i ON a (i)"); });
    REQUIRE(eventually([&] {
      return cluster().value(kDatabase,
                             "SELECT count(*) FROM pg_stat_progress_create_index WHERE index_relid "
                             "<> 0") == "1";
    }));
  };
  rig.watch = &killer;
  CHECK(
      told(rig.up(tenant.target(), set)) ==
      fmt::format("in_doubt: migrations/0001_test.sql:3:1: it is not known whether this statement "
                  "took effect: CREATE INDEX CONCURRENTLY a_i ON a (i) (a backend is building "
                  "{}.a_i) [in_doubt]",
                  tenant.schema()));
  reader.run("ROLLBACK");
  CHECK(building.get().empty());
  Rig again;
  CHECK(told(again.up(tenant.target(), set)) == "applied");  // it is there, and as asked for
}

TEST_CASE("statements that were started are journalled with their backend and checksum") {
  const PgTenant tenant;
  Rig rig;
  const MigrationSet set = alone("SELECT 1;\nSELECT nothing");
  CHECK(rig.up(tenant.target(), set).kind == Kind::partial);
  const auto& statements = set.in_order().front().sections.front().statements;
  CHECK(tenant.value("SELECT string_agg(statement || state || sha256, ' ') FROM drover_steps") ==
        "1done" + checksum_of(statements[0]));
  CHECK(tenant.value("SELECT pid > 0 FROM drover_steps") == "t");
}

}  // namespace
}  // namespace drover::engine::test

// What a revision leaves behind in its session does not change what the next one means.

#include <catch2/catch.hpp>

#include "tests/engine/executor/rig.h"

namespace drover::engine::test {
namespace {

/// Leaves everything behind that a session can hold.
const char* const kUntidy = R"(
SET search_path = pg_temp, public;
SET statement_timeout = '7s';
SET lock_timeout = '7s';
SET drover.tenant = 'another';
SET work_mem = '7MB';
CREATE TEMP TABLE left_behind (i int);
PREPARE left_prepared AS SELECT 1;
DECLARE left_cursor CURSOR WITH HOLD FOR SELECT 1;
LISTEN left_channel;
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE;
SET ROLE executor_untidy)";

/// Writes down what the session looks like.
const char* const kLook = R"(
CREATE TABLE {} AS SELECT current_user::text AS who, current_schemas(false)::text AS schemas,
  current_setting('statement_timeout') AS statement_timeout,
  current_setting('lock_timeout') AS lock_timeout,
  current_setting('idle_in_transaction_session_timeout') AS idle,
  current_setting('client_connection_check_interval') AS check_interval,
  current_setting('drover.tenant', true) AS tenant,
  current_setting('drover.label.region', true) AS region,
  current_setting('work_mem') AS work_mem,
  to_regclass('pg_temp.left_behind')::text AS temp,
  (SELECT count(*) FROM pg_prepared_statements WHERE name = 'left_prepared') AS prepared,
  (SELECT count(*) FROM pg_cursors WHERE name = 'left_cursor') AS cursors)";

std::string look(const std::string& table) {
  return fmt::format(fmt::runtime(kLook), table);
}

void make_role() {
  cluster().execute(kDatabase,
                    "DO $$BEGIN CREATE ROLE executor_untidy; EXCEPTION WHEN duplicate_object THEN "
                    "NULL; END$$");
}

std::string untidy() {
  std::string text = kUntidy;
  const std::string characteristics =
      "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL "
      "SERIALIZABLE;\n";
  text.erase(text.find(characteristics), characteristics.size());  // refused at load
  return text;
}

TEST_CASE("a revision finds its session as the first one did") {
  const Chaining chaining = GENERATE(Chaining::on, Chaining::off);
  make_role();
  const PgTenant tenant;
  tenant.sql("CREATE ROLE r" + tenant.schema());
  tenant.sql(fmt::format("GRANT ALL ON SCHEMA {} TO executor_untidy", tenant.schema()));
  Rig rig;
  rig.options.chaining = chaining;
  rig.options.approach.lock_timeout = Milliseconds(1234);
  rig.facts = {{"tenant", "acme"}, {"label.region", "eu"}};
  const MigrationSet set = line_of({up_down(look("before")),
                                    up_down(untidy()),
                                    up_down(look("after")),
                                    up_down(untidy()),
                                    up_down(look("last")),
                                    up_down("CREATE TABLE channels AS SELECT count(*) AS n FROM "
                                            "pg_listening_channels()")});
  REQUIRE(told(rig.up(tenant.target(), set)) == "applied");
  CHECK(tenant.value("SELECT before::text FROM before") ==
        fmt::format("(postgres,{{{}}},5min,1234ms,1min,500ms,acme,eu,4MB,,0,0)", tenant.schema()));
  CHECK(tenant.value("SELECT after::text FROM after") ==
        tenant.value("SELECT before::text FROM before"));
  CHECK(tenant.value("SELECT last::text FROM last") ==
        tenant.value("SELECT before::text FROM before"));
  CHECK(tenant.value("SELECT count(*) FROM drover_revisions") == "6");
  CHECK(tenant.value("SELECT n FROM channels") == "0");
}

TEST_CASE("units of one revision keep the session, but not its role at the fence") {
  make_role();
  const PgTenant tenant;
  Rig rig;
  const MigrationSet set = line_of(
      {"-- drover: up postgres\nSET work_mem = '7MB';\nSET ROLE executor_untidy;\n"
       "-- drover: up postgres no-transaction\nSET ROLE executor_untidy;\nVACUUM pg_class;\n"
       "-- drover: up postgres\nCREATE TABLE seen AS SELECT current_setting('work_mem') AS m;\n"
       "-- drover: down\nSELECT 1;\n"});
  CHECK(told(rig.up(tenant.target(), set)) == "applied");
  CHECK(tenant.value("SELECT m FROM seen") == "7MB");
}

TEST_CASE("the header's settings hold in every unit, and not beyond the file") {
  make_role();
  const PgTenant tenant;
  const std::string other = tenant.schema() + "_other";
  tenant.sql(
      fmt::format("CREATE SCHEMA {0}; GRANT ALL ON SCHEMA {0}, {1} TO executor_untidy; "
                  "CREATE TABLE {0}.big (i int); ALTER TABLE {0}.big OWNER TO "
                  "executor_untidy",
                  other,
                  tenant.schema()));
  Rig rig;
  const std::string header = fmt::format(
      "-- drover: set role=executor_untidy\n-- drover: set search_path={}\n"
      "-- drover: set lock_timeout=3s\n-- drover: set statement_timeout=4s\n",
      other);
  const MigrationSet set = line_of(
      {header + "-- drover: up postgres\n" + look("one") + ";\n" +
           "-- drover: up postgres no-transaction\nCREATE INDEX CONCURRENTLY big_i ON big (i);\n" +
           "CREATE TABLE two AS SELECT * FROM one WHERE false;\n"
           "-- drover: up postgres\nINSERT INTO two SELECT * FROM one;\n" +
           "-- drover: down\nDROP TABLE one;\nDROP TABLE two;\n",
       up_down(look("three"))});
  REQUIRE(told(rig.up(tenant.target(), set)) == "applied");
  CHECK(tenant.value(fmt::format("SELECT who || schemas || statement_timeout || lock_timeout FROM "
                                 "{}.one",
                                 other)) == fmt::format("executor_untidy{{{}}}4s3s", other));
  CHECK(tenant.value(fmt::format("SELECT relowner::regrole FROM pg_class WHERE oid = "
                                 "'{}.big_i'::regclass",
                                 other)) == "executor_untidy");
  CHECK(tenant.value(fmt::format("SELECT relowner::regrole FROM pg_class WHERE oid = "
                                 "'{}.two'::regclass",
                                 other)) == "executor_untidy");
  CHECK(tenant.value("SELECT who || schemas || statement_timeout || lock_timeout FROM three") ==
        fmt::format("postgres{{{}}}5min1s", tenant.schema()));
  CHECK(told(rig.down(tenant.target(), set, "base")) == "applied");  // down has the header, too
}

TEST_CASE("a deferred constraint is checked before the history row, within statement_timeout") {
  const PgTenant tenant;
  Rig rig;
  const std::string tables =
      "CREATE TABLE parent (i int PRIMARY KEY);\nCREATE TABLE child (i int REFERENCES parent "
      "DEFERRABLE INITIALLY DEFERRED)";
  const ApplyOutcome outcome = rig.up(
      tenant.target(),
      line_of({up_down(tables), up_down("SELECT 1;\n  INSERT INTO child VALUES (7);\nSELECT 2")}));
  CHECK(told(outcome) ==
        "failed: migrations/0002_test.sql:5:1: revision '0002' failed: insert or update on table "
        "\"child\" violates foreign key constraint \"child_i_fkey\" [constraint_violated]");
  CHECK(names(outcome.to) == std::vector<std::string>{"0001"});

  tenant.sql(
      "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM "
      "pg_sleep(30); RETURN NULL; END$$; CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON "
      "parent DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()");
  rig.options.approach.statement_timeout = Milliseconds(100);
  rig.options.timeout_attempts = 1;
  const ApplyOutcome timed_out =
      rig.up(tenant.target(), line_of({up_down(tables), up_down("INSERT INTO parent VALUES (7)")}));
  CHECK(told(timed_out) ==
        "failed: migrations/0002_test.sql:3:1: revision '0002' failed: canceling statement due to "
        "statement timeout [statement_timeout]");
}

TEST_CASE("revisions of one message may prepare and deallocate what they like") {
  const PgTenant tenant;
  Rig rig;
  std::vector<std::string> bodies;
  for (const char* const sql : {"PREPARE theirs AS SELECT 1",
                                "CREATE TABLE a (i int)",
                                "PREPARE theirs AS SELECT 2",
                                "DEALLOCATE ALL",
                                "CREATE TABLE b (i int)",
                                "deallocate all; PREPARE theirs AS SELECT 3",
                                "CREATE TABLE c AS SELECT name FROM pg_prepared_statements"}) {
    bodies.push_back(up_down(sql));
  }
  CHECK(told(rig.up(tenant.target(), line_of(bodies))) == "applied");
  CHECK(tenant.value("SELECT count(*) FROM drover_revisions") == "7");
  CHECK(tenant.value("SELECT count(*) FROM c WHERE name = 'theirs'") == "0");
}

TEST_CASE("when a revision was applied is said in UTC, whatever the database prints") {
  const PgTenant tenant;
  Rig rig;
  const MigrationSet set = line_of({up_down("CREATE TABLE a (i int)")});
  REQUIRE(told(rig.up(tenant.target(), set)) == "applied");
  tenant.sql(
      "UPDATE drover_revisions SET applied_at = '2026-03-01 01:30:00.25+05:30'::timestamptz");
  const auto read_as = [&](const std::string& settings) {
    Target target = tenant.target();
    target.connection += fmt::format(" options='{}'", settings);
    TenantSession session(rig.sessions, *rig.clock, target, rig.facts, rig.options.approach);
    REQUIRE_FALSE(session.look({}));
    return session.history().applied.at(0).applied_at;
  };
  CHECK(read_as("-c TimeZone=UTC") == "2026-02-28T20:00:00.250000Z");
  CHECK(read_as("-c TimeZone=Asia/Kolkata") == "2026-02-28T20:00:00.250000Z");
  CHECK(read_as("-c TimeZone=America/St_Johns") == "2026-02-28T20:00:00.250000Z");
  CHECK(read_as("-c DateStyle=German -c TimeZone=UTC") == "28.02.2026 20:00:00.25 UTC");
}

TEST_CASE("a session that is kept serves the next schema as a new one would") {
  const PgTenant first;
  const PgTenant second;
  const PgTenant third;
  Rig rig;
  KeptSession kept;
  rig.kept = &kept;
  const MigrationSet set = line_of({up_down(untidy() + ";RESET ROLE"), up_down(look("seen"))});
  rig.facts = {{"tenant", "one"}, {"label.region", "eu"}};
  REQUIRE(told(rig.up(first.target(), set, "0001")) == "applied");
  REQUIRE(kept.session);
  const std::int64_t pid = kept.session->info().backend_pid;
  const std::string locks =
      fmt::format("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = {}", pid);
  CHECK(cluster().value(kDatabase, locks) == "1");

  rig.facts = {{"tenant", "two"}};  // no region
  REQUIRE(told(rig.up(second.target(), set)) == "applied");
  CHECK(rig.sessions.opened == 1);
  CHECK(cluster().value(kDatabase, locks) == "1");  // the first tenant's was given back
  CHECK(second.value("SELECT tenant || coalesce(region, '') || schemas FROM seen") ==
        fmt::format("two{{{}}}", second.schema()));

  // One that died meanwhile is replaced without a word.
  cluster().terminate_backend(pid);
  REQUIRE(eventually([&] {
    return cluster().value(kDatabase,
                           fmt::format("SELECT count(*) FROM pg_stat_activity WHERE "
                                       "pid = {}",
                                       pid)) == "0";
  }));
  CHECK(told(rig.up(third.target(), set)) == "applied");
  CHECK(rig.sessions.opened == 2);
}

}  // namespace
}  // namespace drover::engine::test

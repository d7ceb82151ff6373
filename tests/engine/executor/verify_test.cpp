// verify: read before the COMMIT of its unit, and nothing is kept when it is not true.

#include <catch2/catch.hpp>

#include "tests/engine/executor/rig.h"

namespace drover::engine::test {
namespace {

struct Case {
  const char* query;
  const char* message;  ///< Behind "verify of revision '0001' "; empty: passes.
};

std::string file(std::string_view dialect, std::string_view query) {
  return fmt::format(
      "-- drover: up\nCREATE TABLE a (i int);\nINSERT INTO a VALUES (1);\n"
      "-- drover: verify {}\n{};\n-- drover: up\nINSERT INTO a VALUES (2);\n"
      "-- drover: down\nDROP TABLE a;\n",
      dialect,
      query);
}

TEST_CASE("PostgreSQL: a verify must give one true") {
  const Case example = GENERATE(values<Case>({
      {"SELECT count(*) = 1 FROM a", ""},
      {"SELECT false", "is not true [verify_failed]"},
      {"SELECT 1", "is not true [verify_failed]"},
      {"SELECT NULL::boolean", "gave NULL [verify_failed]"},
      {"SELECT true FROM a WHERE i = 9", "gave no row [verify_failed]"},
      {"SELECT true FROM generate_series(1, 2)", "gave more than one row [verify_failed]"},
      {"SELECT true FROM generate_series(1, 1000)", "gave more than one row [verify_failed]"},
      {"SELECT true, true", "gave 2 columns, not one [verify_failed]"},
  }));
  const PgTenant tenant;
  Rig rig;
  const ApplyOutcome outcome = rig.up(tenant.target(), line_of({file("postgres", example.query)}));
  if (std::string_view(example.message).empty()) {
    CHECK(told(outcome) == "applied");
    CHECK(tenant.value("SELECT count(*) FROM a") == "2");
    return;
  }
  CHECK(told(outcome) ==
        std::string("failed: migrations/0001_test.sql:6:1: verify of revision '0001' ") +
            example.message);
  CHECK_FALSE(tenant.has_table("a"));
  CHECK(tenant.value("SELECT count(*) FROM drover_revisions") == "0");
  CHECK(tenant.value("SELECT kind FROM drover_events") == "failure");
}

TEST_CASE("PostgreSQL: a verify may not write, and leaves nothing behind") {
  const PgTenant tenant;
  Rig rig;
  tenant.sql(
      "SET check_function_bodies = off; CREATE FUNCTION put() RETURNS boolean LANGUAGE sql AS "
      "'INSERT INTO a VALUES (99); SELECT true'");
  const MigrationSet set = line_of(
      {"-- drover: up\nCREATE TABLE a (i int);\n"
       "-- drover: verify postgres\n"
       "SELECT set_config('drover.left', 'behind', false) IS NOT NULL;\n"
       "-- drover: up\nCREATE TABLE b AS SELECT current_setting('drover.left', true) AS left;\n"
       "-- drover: down\nDROP TABLE a;\n",
       "-- drover: up\nSELECT 1;\n-- drover: verify\nSELECT put();\n-- drover: down\nSELECT 1;\n"});
  const ApplyOutcome outcome = rig.up(tenant.target(), set);
  CHECK(told(outcome) ==
        "failed: migrations/0002_test.sql:5:1: revision '0002' failed: cannot execute INSERT in a "
        "read-only transaction [read_only]");
  CHECK(names(outcome.to) == std::vector<std::string>{"0001"});
  CHECK(tenant.value("SELECT \"left\" = '' OR \"left\" IS NULL FROM b") == "t");
}

TEST_CASE("SQLite: a verify must give one number that is not zero") {
  const Case example = GENERATE(values<Case>({
      {"SELECT count(*) = 1 FROM a", ""},
      {"SELECT 0.5", ""},
      {"SELECT 0", "is not true [verify_failed]"},
      {"SELECT 'yes'", "is not true [verify_failed]"},
      {"SELECT NULL", "gave NULL [verify_failed]"},
      {"SELECT 1 FROM a WHERE i = 9", "gave no row [verify_failed]"},
      {"SELECT 1 UNION SELECT 2", "gave more than one row [verify_failed]"},
      {"SELECT 1, 1", "gave 2 columns, not one [verify_failed]"},
  }));
  const FileTenant tenant;
  Rig rig;
  const ApplyOutcome outcome = rig.up(tenant.target(), line_of({file("sqlite", example.query)}));
  if (std::string_view(example.message).empty()) {
    CHECK(told(outcome) == "applied");
    CHECK(tenant.value("SELECT count(*) FROM a") == "2");
    return;
  }
  CHECK(told(outcome) ==
        std::string("failed: migrations/0001_test.sql:6:1: verify of revision '0001' ") +
            example.message);
  CHECK(tenant.value("SELECT count(*) FROM sqlite_master WHERE name = 'a'") == "0");
  CHECK(tenant.value("SELECT kind FROM drover_events") == "failure");  // query_only is off again
}

TEST_CASE("a verify behind a batch of statements is a transaction of its own") {
  const PgTenant tenant;
  Rig rig;
  const MigrationSet set =
      line_of({"-- drover: up postgres\nCREATE TABLE a (i int);\n"
               "-- drover: up postgres no-transaction\nCREATE INDEX CONCURRENTLY a_i ON a (i);\n"
               "-- drover: verify postgres\nSELECT false;\n-- drover: down\nDROP TABLE a;\n"});
  const ApplyOutcome outcome = rig.up(tenant.target(), set);
  CHECK(told(outcome) ==
        "partial: migrations/0001_test.sql:7:1: verify of revision '0001' is not true "
        "[verify_failed]");
  CHECK(tenant.has_table("a_i"));
  CHECK(tenant.value("SELECT in_progress FROM drover_tenant") == "0001");
}

}  // namespace
}  // namespace drover::engine::test

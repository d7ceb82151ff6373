// Units: what is one transaction, what a half-done revision is, and where it goes on.

#include <catch2/catch.hpp>

#include "tests/engine/executor/rig.h"

namespace drover::engine::test {
namespace {

/// Three units: a table, two statements outside of transactions, a row.
const char* const kThreeUnits = R"(
-- drover: up postgres
CREATE TABLE a (i int);
-- drover: up postgres no-transaction
VACUUM a;
VACUUM (ANALYZE) a;
-- drover: up postgres
{};
-- drover: down postgres
DROP TABLE a;
)";

std::string three_units(const std::string& last) {
  return fmt::format(fmt::runtime(kThreeUnits), last);
}

TEST_CASE("a fresh tenant is upgraded, and a second upgrade finds it current") {
  const PgTenant tenant;
  Rig rig;
  const MigrationSet set = line_of({up_down("CREATE TABLE a (i int)", "DROP TABLE a"),
                                    up_down("CREATE TABLE b (i int)", "DROP TABLE b")});
  const ApplyOutcome first = rig.up(tenant.target(), set);
  CHECK(told(first) == "applied");
  CHECK(names(first.done) == std::vector<std::string>{"0001", "0002"});
  CHECK(first.from.empty());
  CHECK(names(first.to) == std::vector<std::string>{"0002"});
  CHECK(first.uid == tenant.value("SELECT uid FROM drover_tenant"));
  CHECK(first.attempts == 1);
  CHECK(tenant.has_table("b"));

  const ApplyOutcome second = rig.up(tenant.target(), set);
  CHECK(told(second) == "current");
  CHECK(second.done.empty());
  CHECK(second.uid == first.uid);
}

TEST_CASE("a revision that fails in a later unit leaves its tenant partial") {
  const PgTenant tenant;
  Rig rig;
  const MigrationSet broken = line_of({three_units("INSERT INTO nothing VALUES (1)")});
  const ApplyOutcome outcome = rig.up(tenant.target(), broken);
  CHECK(told(outcome) ==
        "partial: migrations/0001_test.sql:9:13: revision '0001' failed: relation \"nothing\" does "
        "not exist [undefined_table]");
  CHECK(outcome.done.empty());
  CHECK(outcome.to.empty());
  CHECK(tenant.has_table("a"));
  CHECK(tenant.value("SELECT in_progress FROM drover_tenant") == "0001");
  CHECK(tenant.value("SELECT count(*) FROM drover_revisions") == "0");
  CHECK(tenant.value("SELECT string_agg(unit || '.' || statement || state, ' ' ORDER BY unit, "
                     "statement) FROM drover_steps") == "1.0done 2.1done 2.2done");
  CHECK(tenant.value("SELECT kind || ' ' || revision FROM drover_events") == "failure 0001");

  SECTION("an upgrade goes on at the first unit that is not done") {
    tenant.sql("INSERT INTO a VALUES (7)");
    const ApplyOutcome again =
        rig.up(tenant.target(), line_of({three_units("INSERT INTO a VALUES (1)")}));
    CHECK(told(again) == "applied");  // the later unit was edited, which is allowed
    CHECK(names(again.done) == std::vector<std::string>{"0001"});
    CHECK(tenant.value("SELECT sum(i) FROM a") == "8");
    CHECK(tenant.value("SELECT in_progress FROM drover_tenant").empty());
    CHECK(tenant.value("SELECT count(*) FROM drover_steps") == "0");
  }
  SECTION("a unit that is done must not have changed") {
    std::string text = three_units("INSERT INTO a VALUES (1)");
    text.replace(text.find("i int"), 5, "i bigint");
    const ApplyOutcome again = rig.up(tenant.target(), line_of({text}));
    CHECK(told(again) ==
          "partial: migrations/0001_test.sql: unit 1 of revision '0001' was run already, and its "
          "text is another now [edited]");
  }
  SECTION("nor a statement that is done") {
    std::string text = three_units("INSERT INTO a VALUES (1)");
    text.replace(text.find("VACUUM a"), 8, "VACUUM  a");
    const ApplyOutcome again = rig.up(tenant.target(), line_of({text}));
    CHECK(told(again) ==
          "partial: migrations/0001_test.sql: unit 2 of revision '0001' was run already, and its "
          "text is another now [edited]");
  }
  SECTION("nothing that follows it runs before it is whole") {
    const ApplyOutcome again = rig.up(tenant.target(),
                                      line_of({three_units("INSERT INTO nothing VALUES (1)"),
                                               up_down("CREATE TABLE b (i int)")}));
    CHECK(again.kind == Kind::partial);
    CHECK_FALSE(tenant.has_table("b"));
  }
  SECTION("a branch beside it does not run either") {
    const MigrationSet set = set_of({{"0001", "none", three_units("INSERT INTO a VALUES (1)")},
                                     {"0009", "none", up_down("CREATE TABLE b (i int)")}});
    const ApplyOutcome again = rig.up(tenant.target(), set, "0009");
    CHECK(told(again) == "partial: revision '0001' is half done [partial]");
    CHECK_FALSE(tenant.has_table("b"));
  }
  SECTION("a downgrade through it must be asked for") {
    const ApplyOutcome again = rig.down(tenant.target(), broken, "base");
    CHECK(told(again) == "partial: revision '0001' is half done [partial]");
    CHECK(again.fault->hint == "Finish it with an upgrade, or undo it with --from-partial.");
    CHECK(tenant.has_table("a"));
  }
  SECTION("asked for, its whole down runs") {
    const ApplyOutcome again =
        rig.apply(tenant.target(), broken, {Direction::down, "base", FromPartial::yes});
    CHECK(told(again) == "applied");
    CHECK(names(again.done) == std::vector<std::string>{"0001"});
    CHECK_FALSE(tenant.has_table("a"));
    CHECK(tenant.value("SELECT in_progress FROM drover_tenant").empty());
    CHECK(tenant.value("SELECT count(*) FROM drover_steps") == "0");
  }
  SECTION("a down that does not fit changes nothing") {
    std::string text = three_units("INSERT INTO nothing VALUES (1)");
    text.replace(text.find("DROP TABLE a"), 12, "DROP TABLE a; DROP TABLE nothing");
    const ApplyOutcome again =
        rig.apply(tenant.target(), line_of({text}), {Direction::down, "base", FromPartial::yes});
    CHECK(told(again) ==
          "partial: migrations/0001_test.sql:11:15: revision '0001' failed: table \"nothing\" does "
          "not exist [undefined_table]");
    CHECK(tenant.has_table("a"));
    CHECK(tenant.value("SELECT in_progress FROM drover_tenant") == "0001");
  }
}

TEST_CASE("\"-1\" from a revision that is half done means that one") {
  const PgTenant tenant;
  Rig rig;
  const MigrationSet set = line_of({up_down("CREATE TABLE first (i int)", "DROP TABLE first"),
                                    three_units("INSERT INTO nothing VALUES (1)")});
  REQUIRE(rig.up(tenant.target(), set).kind == Kind::partial);
  const ApplyOutcome outcome =
      rig.apply(tenant.target(), set, {Direction::down, "-1", FromPartial::yes});
  CHECK(told(outcome) == "applied");
  CHECK(names(outcome.done) == std::vector<std::string>{"0002"});
  CHECK(names(outcome.to) == std::vector<std::string>{"0001"});
  CHECK(tenant.has_table("first"));
  CHECK_FALSE(tenant.has_table("a"));
}

TEST_CASE("a revision without a statement for a dialect is recorded all the same") {
  const PgTenant tenant;
  Rig rig;
  const ApplyOutcome outcome = rig.up(
      tenant.target(),
      line_of({"-- drover: up sqlite\nCREATE TABLE a (i int);\n-- drover: down\nSELECT 1;\n"}));
  CHECK(told(outcome) == "applied");
  CHECK(tenant.value("SELECT revision FROM drover_revisions") == "0001");
  CHECK_FALSE(tenant.has_table("a"));
}

TEST_CASE("the history tells who, when, in which run, and for how long") {
  const PgTenant tenant;
  Rig rig;
  rig.options.by = {"bob the builder@host", "run 17"};
  const MigrationSet set = line_of({up_down("SELECT pg_sleep(0.05)", "SELECT 1")});
  REQUIRE(rig.up(tenant.target(), set).kind == Kind::applied);
  CHECK(tenant.value("SELECT applied_by || '/' || run FROM drover_revisions") ==
        "bob the builder@host/run 17");
  CHECK(tenant.value("SELECT duration_ms BETWEEN 50 AND 5000 FROM drover_revisions") == "t");
  CHECK(tenant.value("SELECT now() - applied_at < interval '1 minute' FROM drover_revisions") ==
        "t");
  const Checksums& sums = set.in_order().front().checksums.at(Dialect::postgres);
  CHECK(tenant.value("SELECT concat_ws(' ', up_sha256, down_sha256, chain_sha256) FROM "
                     "drover_revisions") ==
        fmt::format("{} {} {}", sums.up, sums.down, sums.chain));

  REQUIRE(rig.down(tenant.target(), set, "base").kind == Kind::applied);
  CHECK(tenant.value("SELECT string_agg(concat_ws(' ', kind, revision, who, run), ', ' ORDER BY "
                     "epoch) FROM drover_events") ==
        "up 0001 bob the builder@host run 17, down 0001 bob the builder@host run 17");
}

}  // namespace
}  // namespace drover::engine::test

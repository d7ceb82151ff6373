// Rows that the statement cannot be run for: found quickly, named or parked, and no other row
// suffers for them.

#include <catch2/catch.hpp>

#include "tests/engine/batch/batch_rig.h"

namespace drover::engine::test {
namespace {

constexpr int kRows = 4'096;
constexpr int kMostTries = 12 + 3;  // log2(kRows) + 3

/// A table whose rows `bad` the batch must not touch.
std::vector<std::string> poisoned(const std::string& bad,
                                  const std::string& keys = "",
                                  const std::string& lines = "") {
  std::vector<std::string> bodies =
      counting(kRows, fmt::format("rows={0}..{0} {1}", kRows, keys), lines);
  const std::string plain = "n integer NOT NULL)";
  bodies[0].replace(bodies[0].find(plain),
                    plain.size(),
                    fmt::format("n integer NOT NULL, CHECK (n = 0 OR id NOT IN ({})))", bad));
  return bodies;
}

/// Takes away what the rows suffer from.
void mend(const PgTenant& tenant) {
  tenant.sql("ALTER TABLE hits DROP CONSTRAINT hits_check");
}
void mend(const FileTenant& tenant) {
  tenant.sql("ALTER TABLE hits RENAME TO old");
  tenant.sql("CREATE TABLE hits (id bigint PRIMARY KEY, n integer NOT NULL)");
  tenant.sql("INSERT INTO hits SELECT * FROM old");
  tenant.sql("DROP TABLE old");
}

/// A rig that counts how often its batches are tried, whatever becomes of it.
struct CountingRig : BatchRig {
  CountingRig() { options.batches = &counted; }

  std::atomic<int> tries = 0;
  ToldSessions counting{[this](std::span<const Statement> statements) {
    tries += std::any_of(statements.begin(), statements.end(), [](const Statement& one) {
      return one.author == Author::migration && one.sql.starts_with("UPDATE hits");
    });
  }};
  batch::BatchRunner counted{counting, real_clock, governor};
};

TEMPLATE_TEST_CASE("one row among 4,096 is found in few tries, wherever it lies",
                   "[batch]",
                   PgTenant,
                   FileTenant) {
  for (const int bad : {1, 2, 1'000, 2'048, 2'049, 4'095, 4'096}) {
    CAPTURE(bad);
    const TestType tenant;
    CountingRig rig;
    const MigrationSet set = line_of(poisoned(std::to_string(bad)));
    const ApplyOutcome outcome = rig.up(tenant.target(), set);
    CHECK(outcome.kind == Kind::partial);
    REQUIRE(outcome.fault);
    CHECK(outcome.fault->kind == "constraint_violated");
    CHECK_THAT(outcome.fault->message, Catch::Contains(fmt::format("(row ({}))", bad)));
    CHECK(to_string(outcome.fault->place) == "migrations/0002_test.sql:3:1");
    CHECK(rig.tries <= kMostTries);
    CHECK(tenant.value("SELECT count(*) FROM hits WHERE n = 1") == std::to_string(bad - 1));
    CHECK_THAT(tenant.value("SELECT last_error FROM drover_batch_ranges"),
               Catch::Contains(fmt::format("(row ({}))", bad)));
    CHECK(tenant.value("SELECT owner FROM drover_batches").empty());
    if (bad == 1'000) {
      mend(tenant);
      if (tenant.target().dialect == Dialect::postgres) {
        CHECK(told(rig.up(tenant.target(), set)) == "applied");
        CHECK(counts(tenant) == "4096 x 1");
      }
    }
  }
}

TEMPLATE_TEST_CASE("rows that are parked are passed, and tried again when the batch is",
                   "[batch]",
                   PgTenant,
                   FileTenant) {
  for (const std::string done : {"", "-- drover: done n > 0\n"}) {
    CAPTURE(done);
    const TestType tenant;
    CountingRig rig;
    const MigrationSet set = line_of(poisoned("1, 77, 78, 4096", "on_poison=park", done));
    for (int time = 1; time <= 2; ++time) {  // the second finds them as they were
      CAPTURE(time);
      const ApplyOutcome outcome = rig.up(tenant.target(), set);
      REQUIRE(outcome.fault);
      CHECK(outcome.fault->kind == "batch_rows_parked");
      CHECK(outcome.fault->code == ErrorCode::waiting);
      CHECK(outcome.fault->message ==
            "everything is done but 4 rows, for which the statement fails");
      CHECK(counts(tenant) == "4 x 0, 4092 x 1");
      CHECK(tenant.value("SELECT sum(rows_seen) FROM drover_batch_ranges") == "4096");
      CHECK(tenant.value("SELECT sum(rows_changed) FROM drover_batch_ranges") == "4092");
      CHECK(tenant.value("SELECT count(*) FROM drover_batch_parked") == "4");
      CHECK(tenant.value("SELECT redone FROM drover_batches") == "0");
      CHECK(rig.tries <= 4 * kMostTries);
    }
    CHECK(tenant.value("SELECT min(message) FROM drover_batch_parked").size() > 10);
    if (tenant.target().dialect == Dialect::postgres) {
      mend(tenant);
      CHECK(told(rig.up(tenant.target(), set)) == "applied");
      CHECK(counts(tenant) == "4096 x 1");
      CHECK(tenant.value("SELECT count(*) FROM drover_batch_parked") == "0");
    }
  }
}

TEST_CASE("a row that was parked and mended by hand is done when the batch is tried again",
          "[batch]") {
  const FileTenant tenant;
  BatchRig rig;
  const MigrationSet set = line_of(poisoned("77", "on_poison=park", "-- drover: done n > 0\n"));
  CHECK(rig.up(tenant.target(), set).fault->kind == "batch_rows_parked");
  tenant.sql("DELETE FROM hits WHERE id = 77");
  CHECK(told(rig.up(tenant.target(), set)) == "applied");
  CHECK(counts(tenant) == "4095 x 1");
}

TEST_CASE("a bad row is found where a table is gone through as it lies on disk", "[batch]") {
  const PgTenant tenant;
  CountingRig rig;
  std::vector<std::string> bodies =
      poisoned("77, 78, 3000", "scan=heap on_poison=park", "-- drover: done n > 0\n");
  bodies[1].replace(bodies[1].find("batch"), 5, "batch postgres");
  const MigrationSet set = line_of(bodies);
  CHECK(rig.up(tenant.target(), set).fault->message ==
        "everything is done but 3 rows, for which the statement fails");
  CHECK(counts(tenant) == "3 x 0, 4093 x 1");
  CHECK(tenant.value("SELECT count(DISTINCT key) FROM drover_batch_parked") == "3");
  mend(tenant);
  CHECK(told(rig.up(tenant.target(), set)) == "applied");
  CHECK(counts(tenant) == "4096 x 1");
}

TEST_CASE("what is wrong with every row is not looked for in one", "[batch]") {
  const PgTenant tenant;
  CountingRig rig;
  std::vector<std::string> bodies = counting(kRows, "on_poison=park");
  bodies[1].replace(bodies[1].find("n + 1"), 5, "n + 1 + pg_catalog.length(pg_read_file('x'))");
  tenant.sql("DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN; GRANT ALL ON SCHEMA " +
             tenant.schema() + " TO plain");
  Target target = tenant.target();
  target.connection += " user=plain";
  const ApplyOutcome outcome = rig.up(target, line_of(bodies));
  REQUIRE(outcome.fault);
  CHECK(outcome.fault->kind == "permission_denied");
  CHECK(rig.tries <= 1);
  CHECK(tenant.value("SELECT count(*) FROM drover_batch_parked") == "0");
}

}  // namespace
}  // namespace drover::engine::test

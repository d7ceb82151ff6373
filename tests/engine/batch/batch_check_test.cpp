// What the check of a batch finds, and what becomes of it.

#include <catch2/catch.hpp>

#include "tests/engine/batch/batch_rig.h"

namespace drover::engine::test {
namespace {

constexpr int kRows = 120'000;  // more than two statements of a check

/// A batch of `keys` that gives column `b` of `marks` half of `a`, rounded as its type says.
std::vector<std::string> halving(const std::string& keys, const std::string& lines = "") {
  return {
      up_down(fmt::format(
                  "CREATE TABLE marks (id bigint PRIMARY KEY, a numeric(9,2), b numeric(9,1));\n"
                  "INSERT INTO marks WITH RECURSIVE i (i) AS (SELECT 1 UNION ALL SELECT i + 1 "
                  "FROM i WHERE i < {}) SELECT i, i % 1000, NULL FROM i",
                  kRows),
              "DROP TABLE marks"),
      fmt::format("-- drover: batch table=marks rows=50000..50000 {}\n{}"
                  "UPDATE marks SET b = a / 2 WHERE {{range}};\n-- drover: down\nSELECT 1;\n",
                  keys,
                  lines)};
}

/// A rig that tells when the rows of a batch are all gone through and its check begins.
struct CheckedRig : BatchRig {
  explicit CheckedRig(std::function<void()> plant) : on_check(std::move(plant)) {
    options.batches = &told_runner;
  }

  std::function<void()> on_check;
  bool begun = false;
  ToldSessions telling{[this](std::span<const Statement> statements) {
    const bool check = std::any_of(statements.begin(), statements.end(), [](const auto& one) {
      return one.sql.find("FROM chunk WHERE due") != std::string_view::npos;
    });
    if (check && !std::exchange(begun, true)) {
      on_check();
    }
  }};
  batch::BatchRunner told_runner{telling, real_clock, governor};
};

template <typename Tenant>
std::string wrong_rows(const Tenant& tenant) {
  return tenant.value("SELECT count(*) FROM marks WHERE b IS NULL OR abs(b - a / 2) > 0.1");
}

TEMPLATE_TEST_CASE("a check by values finds whatever was spoilt, wherever it lies",
                   "[batch]",
                   PgTenant,
                   FileTenant) {
  for (const std::string spoil : {"UPDATE marks SET b = 7777 WHERE id = 1",
                                  "UPDATE marks SET b = 7777 WHERE id = 60000",
                                  "UPDATE marks SET b = 7777 WHERE id = 120000",
                                  "UPDATE marks SET b = NULL WHERE id = 60000",
                                  "UPDATE marks SET a = 333 WHERE id = 60000",
                                  "INSERT INTO marks VALUES (0, 12, NULL)"}) {
    CAPTURE(spoil);
    const TestType tenant;
    CheckedRig rig([&] { tenant.sql(spoil); });
    const MigrationSet set = line_of(halving("check=checksum"));
    CHECK(told(rig.up(tenant.target(), set)) == "applied");
    CHECK(rig.begun);
    CHECK(wrong_rows(tenant) == "0");
    CHECK(tenant.value("SELECT redone FROM drover_batches") == "1");
  }
}

TEST_CASE("a check by what done means does not see a wrong value, one by values does", "[batch]") {
  for (const auto& [check, found] : {std::pair("count", "1"), std::pair("checksum", "0")}) {
    const PgTenant tenant;
    CheckedRig rig([&] { tenant.sql("UPDATE marks SET b = 7777 WHERE id = 60000"); });
    const MigrationSet set =
        line_of(halving(fmt::format("check={}", check), "-- drover: done b IS NOT NULL\n"));
    CHECK(told(rig.up(tenant.target(), set)) == "applied");
    CHECK(wrong_rows(tenant) == found);
  }
}

TEMPLATE_TEST_CASE("rows that the statement does not mean are not checked",
                   "[batch]",
                   PgTenant,
                   FileTenant) {
  const TestType tenant;
  BatchRig rig;
  std::vector<std::string> bodies = halving("check=checksum", "-- drover: where id % 2 = 0\n");
  bodies[1].replace(bodies[1].find("{range}"), 7, "{range} AND id <> 4");
  CHECK(told(rig.up(tenant.target(), line_of(bodies))) == "applied");
  CHECK(tenant.value("SELECT count(*) FROM marks WHERE b IS NOT NULL") == "59999");
}

TEST_CASE("types that cannot be compared are checked as text", "[batch]") {
  const PgTenant tenant;
  BatchRig rig;
  const MigrationSet set = line_of(
      {"-- drover: up postgres\nCREATE TABLE marks (id int PRIMARY KEY, \"a B\" json, p point, c "
       "char(4), d timestamptz);\nINSERT INTO marks SELECT i FROM generate_series(1, 100) i;\n"
       "-- drover: down\nDROP TABLE marks;\n",
       "-- drover: batch postgres table=marks check=checksum\n"
       "UPDATE marks SET \"a B\" = to_json(id), p = point(id, 0.1), c = id::text, d = "
       "'2026-01-01'::date + id WHERE {range};\n-- drover: down\nSELECT 1;\n"});
  CHECK(told(rig.up(tenant.target(), set)) == "applied");
  CHECK(tenant.value("SELECT redone FROM drover_batches") == "0");
}

TEMPLATE_TEST_CASE("values that are others each time are said to be so",
                   "[batch]",
                   PgTenant,
                   FileTenant) {
  const TestType tenant;
  BatchRig rig;
  std::vector<std::string> bodies = halving("check=checksum");
  bodies[1].replace(bodies[1].find("a / 2"), 5, "random()");
  const ApplyOutcome outcome = rig.up(tenant.target(), line_of(bodies));
  REQUIRE(outcome.fault);
  CHECK(outcome.fault->kind == "batch_not_verified");
  CHECK(outcome.fault->hint.find("now()") != std::string::npos);
}

}  // namespace
}  // namespace drover::engine::test

// Several workers in one table: they share it out among themselves, and no row is met twice.

#include <catch2/catch.hpp>

#include "tests/engine/batch/batch_rig.h"

namespace drover::engine::test {
namespace {

TEST_CASE("workers share out one range, and each row is met once", "[batch]") {
  const PgTenant tenant;
  BatchRig rig;
  const MigrationSet set = line_of(counting(200'000, "rows=2000..2000 workers=4"));
  CHECK(told(rig.up(tenant.target(), set)) == "applied");
  CHECK(counts(tenant) == "200000 x 1");
  CHECK(std::stoi(tenant.value("SELECT count(*) FROM drover_batch_ranges")) > 3);
  CHECK(tenant.value("SELECT sum(rows_seen) || ' ' || sum(rows_changed) FROM "
                     "drover_batch_ranges") == "200000 200000");
  CHECK(tenant.value("SELECT count(*) FROM drover_batch_ranges WHERE NOT done") == "0");
  // The ranges lie next to each other: each but the first begins where another ends.
  CHECK(tenant.value("SELECT count(*) FROM drover_batch_ranges a WHERE first_key IS NOT NULL AND "
                     "NOT EXISTS (SELECT 1 FROM drover_batch_ranges b WHERE b.end_key = "
                     "a.first_key)") == "0");
}

TEST_CASE("workers share out a table from above, and one as it lies on disk", "[batch]") {
  for (const std::string way : {"order=desc", "scan=heap"}) {
    CAPTURE(way);
    const PgTenant tenant;
    BatchRig rig;
    std::vector<std::string> bodies =
        counting(40'000,
                 way + " rows=500..500 workers=3",
                 way == "order=desc" ? "" : "-- drover: done n = 1\n");
    bodies[1].replace(bodies[1].find("batch"), 5, "batch postgres");
    CHECK(told(rig.up(tenant.target(), line_of(bodies))) == "applied");
    CHECK(counts(tenant) == "40000 x 1");
    CHECK(std::stoi(tenant.value("SELECT count(*) FROM drover_batch_ranges")) > 1);
  }
}

TEST_CASE("more workers than rows are no harm", "[batch]") {
  for (const int rows : {1, 2, 5}) {
    CAPTURE(rows);
    const PgTenant tenant;
    BatchRig rig;
    CHECK(told(rig.up(tenant.target(), line_of(counting(rows, "rows=1..1 workers=8")))) ==
          "applied");
    CHECK(counts(tenant) == fmt::format("{} x 1", rows));
    CHECK(tenant.value("SELECT sum(rows_seen) FROM drover_batch_ranges") == std::to_string(rows));
  }
}

TEST_CASE("the leaves of a table are shared out among workers", "[batch]") {
  const PgTenant tenant;
  BatchRig rig;
  std::string up =
      "CREATE TABLE hits (id bigint PRIMARY KEY, n integer NOT NULL) PARTITION BY RANGE (id);\n";
  for (int i = 0; i < 4; ++i) {
    up += fmt::format("CREATE TABLE hits_{} PARTITION OF hits FOR VALUES FROM ({}) TO ({});\n",
                      i,
                      i * 5'000,
                      (i + 1) * 5'000);
  }
  up += "INSERT INTO hits SELECT i, 0 FROM generate_series(0, 19999) i;\n";
  const MigrationSet set =
      line_of({"-- drover: up postgres\n" + up + "-- drover: down\nSELECT 1;\n",
               "-- drover: batch table=hits rows=500..500 workers=3\n"
               "UPDATE hits SET n = n + 1 WHERE {range};\n-- drover: down\nSELECT 1;\n"});
  CHECK(told(rig.up(tenant.target(), set)) == "applied");
  CHECK(counts(tenant) == "20000 x 1");
  CHECK(tenant.value("SELECT count(DISTINCT part) FROM drover_batch_ranges") == "4");
  CHECK(tenant.value("SELECT sum(rows_seen) FROM drover_batch_ranges") == "20000");
}

}  // namespace
}  // namespace drover::engine::test

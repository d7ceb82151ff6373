// Batches worked off in real databases, from the announcement to the check.

#include <catch2/catch.hpp>

#include "tests/engine/batch/batch_rig.h"

namespace drover::engine::test {

TEMPLATE_TEST_CASE("a batch changes every row once, in as many transactions as its size asks",
                   "[batch]",
                   PgTenant,
                   FileTenant) {
  const TestType tenant;
  BatchRig rig;
  const MigrationSet set = line_of(counting(10'500, "rows=1000..1000"));
  const ApplyOutcome outcome = rig.up(tenant.target(), set);
  CHECK(told(outcome) == "applied");
  CHECK(names(outcome.done) == std::vector<std::string>{"0001", "0002"});
  CHECK(counts(tenant) == "10500 x 1");
  CHECK(tenant.value("SELECT batches FROM drover_batch_ranges") == "11");
  CHECK(tenant.value("SELECT rows_seen FROM drover_batch_ranges") == "10500");
  CHECK(tenant.value("SELECT rows_changed FROM drover_batch_ranges") == "10500");
  CHECK(tenant.value("SELECT state FROM drover_batches") == "done");
  CHECK(tenant.value("SELECT owner FROM drover_batches").empty());
  CHECK(tenant.value("SELECT count(*) FROM drover_steps") == "0");
  CHECK(tenant.value("SELECT at_batch FROM drover_tenant").empty());
  CHECK(told(rig.up(tenant.target(), set)) == "current");
}

TEMPLATE_TEST_CASE("the units around a batch run in their order", "[batch]", PgTenant, FileTenant) {
  const TestType tenant;
  BatchRig rig;
  std::vector<std::string> bodies =
      counting(2'500,
               "rows=100..100",
               "-- drover: done n > 0\n",
               "-- drover: verify\nSELECT count(*) = 0 FROM hits WHERE n = 0;\n"
               "-- drover: up\nCREATE TABLE after AS SELECT sum(n) AS n FROM hits;\n");
  bodies[1] = "-- drover: up\nUPDATE hits SET n = -1 WHERE id = 7;\n" + bodies[1];
  const MigrationSet set = line_of(bodies);
  CHECK(told(rig.up(tenant.target(), set)) == "applied");
  CHECK(tenant.value("SELECT n FROM after") == "2500");  // row 7 was done in the second pass
  CHECK(tenant.value("SELECT redone FROM drover_batches") == "1");
  CHECK(counts(tenant) == "2500 x 1");
}

}  // namespace drover::engine::test

// What a plan says of batches before anything runs: how many rows, and which cannot be.

#include <string>

#include <catch2/catch.hpp>

#include "tests/orchestrator/cli/staged_fleet.h"
#include "tests/support/pg_cluster.h"

using drover::test::PgCluster;
using drover::test::ProgramDir;
using drover::test::ProgramResult;
using drover::test::shared_cluster;
using namespace drover::test::fleet;  // NOLINT(google-build-using-namespace): tests only

namespace {

void write_file(const ProgramDir& dir, int number, const std::string& body) {
  dir.files().write(fmt::format("migrations/{:04}_step.sql", number),
                    fmt::format("-- drover: parents {}\n{}\n-- drover: down\nSELECT 1;\n",
                                number == 1 ? "none" : fmt::format("{:04}", number - 1),
                                body));
}

std::string batch_over(const std::string& keys, const std::string& statement) {
  return fmt::format("-- drover: batch postgres {}\n{};", keys, statement);
}

/// Two databases at 0001, which have tables of 1,000 and of 3,000 rows whose sizes are known.
struct Planned {
  Planned() {
    fleet.add(shared_cluster(), "plan_", 2);
    fleet.write(dir, {"name: rest"});
    write_file(dir,
               1,
               "-- drover: up postgres\nCREATE TABLE hits (id int PRIMARY KEY, n int);\n"
               "CREATE TABLE loose (a int, n int);");
    REQUIRE(dir.run({"upgrade", "--yes"}).status == 0);
    for (const auto& [tenant, rows] : {std::pair("plan_000", 1000), std::pair("plan_001", 3000)}) {
      fleet.execute(
          tenant, fmt::format("INSERT INTO hits SELECT i, 0 FROM generate_series(1, {}) i", rows));
      fleet.execute(tenant, "INSERT INTO loose SELECT 1, 2; ANALYZE");
    }
  }

  const ProgramDir dir;
  StagedFleet fleet;
};

}  // namespace

TEST_CASE("a plan says how many rows a batch goes through", "[cli]") {
  const Planned here;
  write_file(here.dir, 2, batch_over("table=hits", "UPDATE hits SET n = n + 1 WHERE {range}"));
  const ProgramResult plan = here.dir.run({"plan"});
  CAPTURE(plan.out, plan.err);
  CHECK(plan.status == 0);
  CHECK(plan.out.find("- the batch of revision '0002' goes through about 4000 rows of 'hits' in 2 "
                      "tenants, the most in 'plan_001': 3000\n") != std::string::npos);
  REQUIRE(here.dir.run({"upgrade", "--yes"}).status == 0);
  CHECK(here.fleet.ask("plan_001", "SELECT sum(n) FROM hits") == "3000");
}

TEST_CASE("a batch that cannot be makes its tenants unfit when planned", "[cli]") {
  const Planned here;
  const auto unfit_of = [&](const std::string& batch) {
    write_file(here.dir, 2, batch);
    const json plan = document(here.dir, {"plan"}, 3);
    return plan["tenants"][0]["unfit"].get<std::string>();
  };
  CHECK(unfit_of(batch_over("table=loose", "UPDATE loose SET n = 1 WHERE {range}"))
            .starts_with("batch_key_missing: "));
  CHECK(unfit_of(batch_over("table=hit", "UPDATE hit SET n = 1 WHERE {range}"))
            .starts_with("batch_table_missing: "));
  CHECK(unfit_of(batch_over("table=hits", "UPDATE hits SET m = 1 WHERE {range}"))
            .find("column \"m\" of relation \"hits\" does not exist") != std::string::npos);
  const std::string reads_all =
      unfit_of(batch_over("table=hits", "UPDATE hits SET n = 1 WHERE {range} OR n = 7"));
  CHECK(reads_all.starts_with("batch_reads_all: "));
  CHECK(reads_all.find("Seq Scan on hits") != std::string::npos);
  CHECK(here.fleet.ask("plan_000",
                       "SELECT count(*) FROM pg_class WHERE relname LIKE 'drover_batch%'") == "0");
}

TEST_CASE("what comes before a batch may mend what is wrong with it", "[cli]") {
  const Planned here;
  const auto plan_of = [&](const std::string& first, const std::string& batch) {
    write_file(here.dir, 2, "-- drover: up postgres\n" + first + "\n" + batch);
    return here.dir.run({"plan"});
  };
  const ProgramResult column =
      plan_of("ALTER TABLE hits ADD COLUMN m int;",
              batch_over("table=hits", "UPDATE hits SET m = n WHERE {range}"));
  CAPTURE(column.out);
  CHECK(column.out.find("! ") == std::string::npos);
  CHECK(column.out.find("about 4000 rows") != std::string::npos);
  const ProgramResult table =
      plan_of("CREATE TABLE later (id int PRIMARY KEY, n int);",
              batch_over("table=later", "UPDATE later SET n = 1 WHERE {range}"));
  CHECK(table.out.find("! ") == std::string::npos);
  const ProgramResult key =
      plan_of("ALTER TABLE loose ADD COLUMN id bigserial PRIMARY KEY;",
              batch_over("table=loose", "UPDATE loose SET n = 1 WHERE {range}"));
  CHECK(key.out.find("! tenant 'plan_000', batch of revision '0002': ") != std::string::npos);
  CHECK(key.out.find("; unless what comes before it changes that\n") != std::string::npos);
  REQUIRE(here.dir.run({"upgrade", "--yes"}).status == 0);
  CHECK(here.fleet.ask("plan_000", "SELECT n FROM loose") == "1");
}

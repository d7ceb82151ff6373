// Others write while a batch goes through their table.

#include <catch2/catch.hpp>

#include <random>

#include "tests/engine/batch/staged_governor.h"

namespace drover::engine::test {
namespace {

/// Rows 2, 4, 6 and so on up to 2 * kRows, which the batch sets to one.
constexpr int kRows = 5'000;
constexpr int kBatches = kRows / 100;

std::vector<std::string> setting_to_one() {
  return {
      "-- drover: up postgres\n"
      "CREATE TABLE hits (id bigint PRIMARY KEY, n integer NOT NULL);\n" +
          fmt::format("INSERT INTO hits SELECT i * 2, 0 FROM generate_series(1, {}) i;\n", kRows) +
          "-- drover: down\nSELECT 1;\n",
      "-- drover: batch table=hits trigger=sync rows=100..100\n"
      "-- drover: done n = 1\n"
      "UPDATE hits SET n = 1 WHERE {range};\n-- drover: down\nSELECT 1;\n"};
}

std::string triggers_on_hits(const PgTenant& tenant) {
  return tenant.value(
      "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'hits'::regclass AND NOT tgisinternal");
}

TEST_CASE("rows that others write meanwhile are done by the trigger, and it goes", "[batch]") {
  const PgTenant tenant;
  StagedRig rig;
  const MigrationSet set = line_of(setting_to_one());
  std::atomic<bool> writers_are_done = false;
  std::string triggers;
  rig.governor.on_ask = [&](int time) {
    if (time == 2) {
      triggers = triggers_on_hits(tenant);
    }
    return time > kBatches * 3 / 4 && !writers_are_done ? StagedGovernor::hold() : BatchLeave{};
  };
  Running running(rig, tenant.target(), set);
  REQUIRE(eventually([&] { return tenant.has_table("drover_batch_ranges"); }));
  REQUIRE(
      eventually([&] { return tenant.value("SELECT count(*) FROM drover_batch_ranges") == "1"; }));
  const auto write = [&](unsigned seed) {
    std::mt19937 random(seed);
    const auto any = [&](int most) { return std::uniform_int_distribution(1, most)(random); };
    Other other(tenant.target());
    for (int i = 0; i < 300; ++i) {
      other.run(fmt::format("INSERT INTO hits VALUES ({}, 0) ON CONFLICT DO NOTHING",
                            any(kRows) * 2 + 1));
      other.run(fmt::format("UPDATE hits SET n = 0 WHERE id = {}", any(kRows * 2)));
      other.run(fmt::format("DELETE FROM hits WHERE id = {}", any(kRows * 2)));
    }
  };
  {
    const std::jthread one(write, 1U);
    const std::jthread two(write, 2U);
  }
  writers_are_done = true;
  CHECK(told(running.outcome()) == "applied");
  CHECK(triggers == "1");
  CHECK(triggers_on_hits(tenant) == "0");
  CHECK(tenant.value("SELECT count(*) FROM hits WHERE n <> 1") == "0");
  CHECK(std::stoi(tenant.value("SELECT count(*) FROM hits WHERE id % 2 = 1")) > 100);
  CHECK(tenant.value("SELECT redone FROM drover_batches") == "0");
}

TEST_CASE("rows that others move behind the end of the heap are met in a second pass", "[batch]") {
  const PgTenant tenant;
  StagedRig rig;
  const MigrationSet set =
      line_of({"-- drover: up postgres\n"
               "CREATE TABLE hits (id uuid PRIMARY KEY, place integer, n integer, filler text);\n"
               "INSERT INTO hits SELECT gen_random_uuid(), i, 0, repeat('x', 400) FROM "
               "generate_series(1, 4000) i;\n-- drover: down\nSELECT 1;\n",
               "-- drover: batch postgres table=hits scan=heap rows=100..100\n"
               "-- drover: done n > 0\n"
               "UPDATE hits SET n = n + 1 WHERE {range};\n-- drover: down\nSELECT 1;\n"});
  rig.governor.on_ask = [&](int time) {
    if (time == 5) {
      tenant.sql("UPDATE hits SET filler = filler || 'y' WHERE place > 3000");
    }
    return BatchLeave{};
  };
  CHECK(told(rig.up(tenant.target(), set)) == "applied");
  CHECK(counts(tenant) == "4000 x 1");
  CHECK(tenant.value("SELECT redone FROM drover_batches") == "1");
}

TEST_CASE("the trigger does rows that others write on SQLite as well, and goes", "[batch]") {
  const FileTenant tenant;
  StagedRig rig;
  const MigrationSet set =
      line_of(counting(2'000, "trigger=sync rows=100..100", "-- drover: done n > 0\n"));
  const std::string triggers = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'";
  rig.governor.on_ask = [&](int time) {
    if (time == 5) {
      CHECK(tenant.value(triggers) == "2");
      tenant.sql("INSERT INTO hits VALUES (-1, 0), (3000, 0)");
      tenant.sql("UPDATE hits SET n = 0 WHERE id IN (1, 1999)");
    }
    return BatchLeave{};
  };
  CHECK(told(rig.up(tenant.target(), set)) == "applied");
  CHECK(counts(tenant) == "2002 x 1");
  CHECK(tenant.value(triggers) == "0");
  CHECK(tenant.value("SELECT redone FROM drover_batches") == "0");
}

TEST_CASE("the trigger is on every partition, and on those that come later", "[batch]") {
  const PgTenant tenant;
  StagedRig rig;
  const MigrationSet set =
      line_of({"-- drover: up postgres\n"
               "CREATE TABLE hits (id bigint PRIMARY KEY, n integer NOT NULL) PARTITION BY RANGE "
               "(id);\n"
               "CREATE TABLE hits_low PARTITION OF hits FOR VALUES FROM (0) TO (1000);\n"
               "CREATE TABLE hits_high PARTITION OF hits FOR VALUES FROM (1000) TO (5000);\n"
               "INSERT INTO hits SELECT i, 0 FROM generate_series(1, 2000) i;\n"
               "-- drover: down\nSELECT 1;\n",
               "-- drover: batch table=hits trigger=sync rows=100..100\n"
               "-- drover: done n > 0\n"
               "UPDATE hits SET n = n + 1 WHERE {range};\n-- drover: down\nSELECT 1;\n"});
  rig.governor.on_ask = [&](int time) {
    if (time == 5) {
      tenant.sql("CREATE TABLE hits_later PARTITION OF hits FOR VALUES FROM (5000) TO (9000)");
      tenant.sql("INSERT INTO hits VALUES (0, 0), (4000, 0), (6000, 0)");
      tenant.sql("UPDATE hits SET n = 0 WHERE id IN (1, 1999)");
    }
    return BatchLeave{};
  };
  CHECK(told(rig.up(tenant.target(), set)) == "applied");
  CHECK(counts(tenant) == "2003 x 1");
  CHECK(tenant.value("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'drover_sync%' AND "
                     "tgrelid IN ('hits'::regclass, 'hits_later'::regclass)") == "0");
}

TEST_CASE("a low id that is committed late is done all the same", "[batch]") {
  const PgTenant tenant;
  StagedRig rig;
  const MigrationSet set = line_of(setting_to_one());
  CHECK(told(rig.up(tenant.target(), set, "0001")) == "applied");
  Other late(tenant.target());
  late.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
  CHECK(late.run("SELECT count(*) FROM pg_class WHERE relname = 'nothing'") == "0");
  rig.governor.on_ask = [&](int time) {
    if (time == 10) {  // its place is passed, and the trigger is there though it did not see that
      CHECK(late.run("INSERT INTO hits VALUES (1, 0)").empty());
    }
    if (time == kBatches - 2) {
      CHECK(late.run("COMMIT").empty());
    }
    return BatchLeave{};
  };
  CHECK(told(rig.up(tenant.target(), set)) == "applied");
  CHECK(tenant.value("SELECT n FROM hits WHERE id = 1") == "1");
  CHECK(tenant.value("SELECT count(*) FROM hits WHERE n <> 1") == "0");
}

TEST_CASE("a batch waits for those who wrote before its trigger, and does not begin without it",
          "[batch]") {
  const PgTenant tenant;
  StagedRig rig;
  rig.options.approach.lock_timeout = Milliseconds(200);
  const MigrationSet set = line_of(setting_to_one());
  CHECK(told(rig.up(tenant.target(), set, "0001")) == "applied");
  Other writer(tenant.target());
  writer.run("BEGIN");
  CHECK(writer.run("INSERT INTO hits VALUES (1, 0)").empty());
  const ApplyOutcome held = rig.up(tenant.target(), set);
  REQUIRE(held.fault);
  CHECK(held.fault->kind == "lock_timeout");
  CHECK(tenant.value("SELECT count(*) FROM drover_batch_ranges") == "0");
  CHECK(writer.run("COMMIT").empty());
  CHECK(told(rig.up(tenant.target(), set)) == "applied");
  CHECK(tenant.value("SELECT count(*) FROM hits WHERE n <> 1") == "0");
}

TEST_CASE("a deadlock with a writer who goes the other way ends in progress", "[batch]") {
  const PgTenant tenant;
  cluster().execute("postgres",
                    fmt::format("ALTER DATABASE {} SET deadlock_timeout = '50ms'", kDatabase));
  StagedRig rig;
  const MigrationSet set = line_of(counting(2'000, "rows=100..100"));
  Other writer(tenant.target());
  std::string fate;
  std::jthread opposing;
  rig.governor.on_ask = [&](int time) {
    if (time == 3) {  // the next transaction is of rows 201 to 300
      writer.run("BEGIN");
      writer.run("UPDATE hits SET n = n WHERE id = 290");
      opposing = std::jthread([&] {
        const bool waits = eventually([&] {
          return cluster().value("postgres",
                                 fmt::format("SELECT count(*) FROM pg_stat_activity WHERE {} = "
                                             "ANY (pg_blocking_pids(pid))",
                                             writer.pid())) != "0";
        });
        fate = waits ? writer.run("UPDATE hits SET n = n WHERE id = 210") : "nobody waits";
        writer.run("COMMIT");
      });
    }
    return BatchLeave{};
  };
  CHECK(told(rig.up(tenant.target(), set)) == "applied");
  opposing.join();
  cluster().execute("postgres", fmt::format("ALTER DATABASE {} RESET deadlock_timeout", kDatabase));
  CHECK(counts(tenant) == "2000 x 1");
  // One of the two was the victim.
  const bool ours = tenant.value("SELECT retries FROM drover_batch_ranges") != "0";
  CAPTURE(fate, ours);
  CHECK((fate == "40P01" || (fate.empty() && ours)));
}

TEST_CASE("rows that somebody holds are tried again, fewer at a time", "[batch]") {
  const PgTenant tenant;
  StagedRig rig;
  const MigrationSet set = line_of(counting(2'000, "rows=10..1000"));
  CHECK(told(rig.up(tenant.target(), set, "0001")) == "applied");
  Other writer(tenant.target());
  writer.run("BEGIN");
  writer.run("UPDATE hits SET n = n WHERE id = 900");
  rig.governor.on_ask = [&](int time) {
    if (time == 2) {  // once it was tried in vain
      writer.run("COMMIT");
    }
    return BatchLeave{};
  };
  CHECK(told(rig.up(tenant.target(), set)) == "applied");
  CHECK(counts(tenant) == "2000 x 1");
  CHECK(tenant.value("SELECT retries FROM drover_batch_ranges") == "1");
  REQUIRE_FALSE(rig.governor.rows().empty());
  CHECK(rig.governor.rows().front() == 500);
}

}  // namespace
}  // namespace drover::engine::test

// The tool, its sessions and the server are killed at random moments of a batch that counts up:
// afterwards every row was counted once. DROVER_CHAOS says at how many moments (`./dev chaos`).

#include <catch2/catch.hpp>

#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>

#include "tests/engine/batch/batch_child.h"

namespace drover::engine::test {
namespace {

using Micros = std::chrono::microseconds;

int moments() {
  const char* const wanted = std::getenv("DROVER_CHAOS");
  return wanted == nullptr ? 20 : std::max(std::atoi(wanted), 1);
}

/// Random numbers whose seed is told where a test fails.
class Chance {
 public:
  explicit Chance(unsigned seed) : random_(seed) {}
  Micros up_to(Micros longest) {
    return Micros(std::uniform_int_distribution<std::int64_t>(500, longest.count())(random_));
  }

 private:
  std::mt19937 random_;
};

/// A moment that nobody waits for: the whole point of these tests.
void let_pass(Micros time) {
  std::this_thread::sleep_for(time);
}

template <typename Tenant>
void check_counted_once(const Tenant& tenant, int rows) {
  CHECK(counts(tenant) == fmt::format("{} x 1", rows));
  CHECK(tenant.value("SELECT sum(rows_seen) FROM drover_batch_ranges") == std::to_string(rows));
  CHECK(tenant.value("SELECT count(*) FROM drover_batches WHERE state = 'done'") == "1");
  CHECK(tenant.value("SELECT count(*) FROM drover_steps") == "0");
}

/// Whether a batch has begun, and is not at its end.
bool is_under_way(const PgTenant& tenant) {
  return tenant.has_table("drover_batch_ranges") &&
         tenant.value(
             "SELECT count(*) FROM drover_batch_ranges WHERE cursor_key IS NOT NULL AND "
             "NOT done") != "0";
}
bool is_under_way(const FileTenant& tenant) {
  const std::string there =
      tenant.value("SELECT count(*) FROM sqlite_master WHERE name = 'drover_batch_ranges'");
  return there == "1" && tenant.value(
                             "SELECT count(*) FROM drover_batch_ranges WHERE cursor_key "
                             "IS NOT NULL AND NOT done") != "0";
}

/// Kills the child again and again; a tenant that is done makes room for the next one.
template <typename Tenant>
void kill_the_tool(const CountingFiles& files, int rows, Micros longest) {
  const unsigned seed = std::random_device()();
  CAPTURE(seed);
  Chance chance(seed);
  int within = 0;
  for (int killed = 0; killed < moments();) {
    const Tenant tenant;
    bool done = false;
    while (!done && killed < moments()) {
      BatchChild child(tenant.target(), files.dir());
      let_pass(chance.up_to(longest));
      child.signal(SIGKILL);
      const int status = child.wait();
      CHECK((status == -1 || status == 0));
      done = status == 0;
      killed += done ? 0 : 1;
      within += !done && is_under_way(tenant) ? 1 : 0;
    }
    if (!done) {
      CHECK(BatchChild(tenant.target(), files.dir()).wait() == 0);
    }
    check_counted_once(tenant, rows);
  }
  CHECK(within > moments() / 4);
}

TEST_CASE("a tool that is killed at random counts every row once, on PostgreSQL", "[batch]") {
  constexpr int kRows = 60'000;
  const CountingFiles files(counting(kRows, "rows=100..100 workers=2"));
  kill_the_tool<PgTenant>(files, kRows, std::chrono::milliseconds(400));
}

TEST_CASE("a tool that is killed at random counts every row once, on SQLite", "[batch]") {
  constexpr int kRows = 10'000;
  const CountingFiles files(counting(kRows, "rows=50..50"));
  kill_the_tool<FileTenant>(files, kRows, std::chrono::milliseconds(150));
}

TEST_CASE("sessions that are ended at random count every row once", "[batch]") {
  constexpr int kRows = 60'000;
  const unsigned seed = std::random_device()();
  CAPTURE(seed);
  Chance chance(seed);
  const CountingFiles files(counting(kRows, "rows=100..100 workers=2"));
  int ended = 0;
  while (ended < moments()) {
    const PgTenant tenant;
    BatchRig rig;
    ApplyOutcome outcome;
    std::atomic<bool> over = false;
    std::jthread tool([&] {
      outcome = rig.up(tenant.target(), files.set());
      over = true;
    });
    while (!over) {
      let_pass(chance.up_to(std::chrono::milliseconds(60)));
      const std::string count = cluster().value(
          "postgres",
          fmt::format(
              "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM "
              "pg_stat_activity WHERE datname = '{}' AND query LIKE '%drover_batch_ranges%' "
              "AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1) one",
              kDatabase));
      ended += count == "1" ? 1 : 0;
    }
    tool.join();
    CHECK(told(outcome) == "applied");
    check_counted_once(tenant, kRows);
  }
}

TEST_CASE("a server that crashes at random counts every row once", "[batch]") {
  constexpr int kRows = 100'000;
  const unsigned seed = std::random_device()();
  CAPTURE(seed);
  Chance chance(seed);
  PgCluster own;
  own.create_database(kDatabase);
  const CountingFiles files(counting(kRows, "rows=100..100 workers=2"));
  for (int crashed = 0, made = 0; crashed < moments(); ++made) {
    const std::string schema = fmt::format("crashed{}", made);
    own.execute(kDatabase, "CREATE SCHEMA " + schema);
    const Target target = own.target(kDatabase, schema);
    const auto value = [&](const std::string& sql) {
      return own.value(kDatabase, fmt::format("SET search_path = {};\n{}", schema, sql));
    };
    BatchRig rig;
    ApplyOutcome outcome;
    std::atomic<bool> over = false;
    std::jthread tool([&] {
      outcome = rig.up(target, files.set());
      over = true;
    });
    REQUIRE(eventually([&] {
      return over || value("SELECT to_regclass('drover_batch_ranges') IS NOT NULL") == "t";
    }));
    while (!over && crashed < moments()) {
      let_pass(chance.up_to(std::chrono::milliseconds(150)));
      own.stop(PgCluster::Stop::immediate);
      own.start();
      ++crashed;
    }
    tool.join();
    if (outcome.fault) {  // the server was away where the batch was none of its business
      INFO(told(outcome));
      batch::BatchRunner next(
          rig.sessions, rig.real_clock, rig.governor, {.silence = Milliseconds(0)});
      rig.options.batches = &next;  // the one before could perhaps not say goodbye
      outcome = rig.up(target, files.set());
    }
    CHECK(told(outcome) == "applied");
    CHECK(value("SELECT string_agg(n || ' ' || rows, ', ') FROM (SELECT n, count(*) AS rows FROM "
                "hits GROUP BY n) c") == fmt::format("1 {}", kRows));
    CHECK(value("SELECT sum(rows_seen) FROM drover_batch_ranges") == std::to_string(kRows));
  }
}

TEST_CASE("a batch is not done when the server loses its last transactions at its end", "[batch]") {
  constexpr int kRows = 1'000;
  PgClusterOptions options;
  options.settings = {"wal_writer_delay=10s"};
  PgCluster own(options);
  own.create_database(kDatabase);
  int crashed = 0;
  ToldSessions sessions([&](std::span<const Statement> statements) {
    const bool ends = std::any_of(statements.begin(), statements.end(), [](const Statement& one) {
      return std::find(one.params.begin(), one.params.end(), "done") != one.params.end();
    });
    if (ends && ++crashed == 1) {
      own.stop(PgCluster::Stop::immediate);
      own.start();
    }
  });
  BatchRig rig;
  batch::BatchRunner runner(sessions, rig.real_clock, rig.governor);
  rig.options.batches = &runner;
  const Target target = own.target(kDatabase, "public");
  CHECK(told(rig.up(target, line_of(counting(kRows, "rows=100..100")))) == "applied");
  CHECK(crashed >= 2);
  CHECK(own.value(kDatabase, "SELECT count(*) FROM hits WHERE n = 1") == std::to_string(kRows));
  CHECK(own.value(kDatabase, "SELECT sum(rows_seen) FROM drover_batch_ranges") ==
        std::to_string(kRows));
}

}  // namespace
}  // namespace drover::engine::test

// What people and the governor say while a batch runs takes effect.

#include <catch2/catch.hpp>

#include "tests/engine/batch/staged_governor.h"

namespace drover::engine::test {
namespace {

const BatchId kBatch{RevisionId{"0002"}, 1};

/// A batch that stops at its fifth transaction until it is let on.
struct Held {
  explicit Held(int rows, const std::string& keys) : set(line_of(counting(rows, keys))) {
    rig.governor.on_ask = [this](int time) {
      return time >= 5 && !let_on ? StagedGovernor::hold() : BatchLeave{};
    };
    rig.observer.on_batch = [this](const BatchNews& news) {
      const std::lock_guard lock(heard_mutex);
      heard.push_back(news);
    };
  }

  bool has_heard(const std::string& waiting) {
    const std::lock_guard lock(heard_mutex);
    return std::any_of(
        heard.begin(), heard.end(), [&](const BatchNews& news) { return news.waiting == waiting; });
  }

  /// Holds at its fifth transaction from here on.
  void start() {
    running.emplace(rig, tenant.target(), set);
    REQUIRE(eventually([&] {
      return tenant.has_table("drover_batch_ranges") &&
             tenant.value("SELECT waiting FROM drover_batch_ranges") ==
                 "active_backends: the test says so";
    }));
  }

  /// As another process would, and then waits until it was read.
  void set_control(BatchControl control) {
    control.by = "bob@desk";
    Other other(tenant.target());
    const BatchTables tables(Dialect::postgres, tenant.schema());
    REQUIRE(other.send({tables.set_control(kBatch, control)}).ok());
    for (int i = 0; i < 2; ++i) {
      const std::string sign = seen_at();
      REQUIRE(eventually([&] { return seen_at() != sign; }));
    }
  }

  std::string seen_at() const { return tenant.value("SELECT seen_at FROM drover_batches"); }
  std::string rows_seen() const {
    return tenant.value("SELECT sum(rows_seen) FROM drover_batch_ranges");
  }

  const PgTenant tenant;
  StagedRig rig;
  MigrationSet set;
  std::atomic<bool> let_on = false;
  std::mutex heard_mutex;
  std::vector<BatchNews> heard;
  std::optional<Running> running;
};

TEST_CASE("a batch that people pause stays where it is until they let it on", "[batch]") {
  Held held(10'000, "rows=100..100");
  held.start();
  BatchControl control;
  control.paused = true;
  held.set_control(control);
  held.let_on = true;
  CHECK(eventually([&] {
    return held.tenant.value("SELECT waiting FROM drover_batch_ranges") == "paused: by bob@desk";
  }));
  CHECK(held.rows_seen() == "400");
  CHECK(eventually([&] { return held.has_heard("paused"); }));
  CHECK_FALSE(held.running->over());
  held.set_control({});
  CHECK(told(held.running->outcome()) == "applied");
  CHECK(counts(held.tenant) == "10000 x 1");
}

TEST_CASE("a pause outlives the process that reads it", "[batch]") {
  Held held(10'000, "rows=100..100");
  held.start();
  BatchControl control;
  control.paused = true;
  held.set_control(control);
  std::stop_source stop;
  StagedRig second;
  second.patience.stop = stop.get_token();
  held.tenant.sql("UPDATE drover_batches SET owner = 'elsewhere/1/x', seen_at = '2000-01-01'");
  held.tenant.sql("UPDATE drover_batch_ranges SET owner = 'elsewhere/1/x'");
  CHECK(held.running->outcome().fault->kind == "batch_taken_over");
  Running again(second, held.tenant.target(), held.set);
  CHECK(eventually([&] {
    return held.tenant.value("SELECT waiting FROM drover_batch_ranges") == "paused: by bob@desk";
  }));
  stop.request_stop();
  CHECK(again.outcome().fault->kind == "interrupted");
  CHECK(held.rows_seen() == "400");
}

TEST_CASE("people say how many rows a transaction may have", "[batch]") {
  Held held(5'000, "rows=1000..1000");
  held.start();
  BatchControl control;
  control.rows = 37;
  held.set_control(control);
  held.let_on = true;
  CHECK(told(held.running->outcome()) == "applied");
  CHECK(counts(held.tenant) == "5000 x 1");
  CHECK(held.tenant.value("SELECT batches FROM drover_batch_ranges") ==
        std::to_string(4 + (1'000 + 36) / 37));
}

TEST_CASE("people say how many work at it", "[batch]") {
  Held held(20'000, "rows=200..200");
  held.start();
  BatchControl control;
  control.workers = 3;
  held.set_control(control);
  held.let_on = true;
  CHECK(told(held.running->outcome()) == "applied");
  CHECK(counts(held.tenant) == "20000 x 1");
  CHECK(std::stoi(held.tenant.value("SELECT count(*) FROM drover_batch_ranges")) > 1);
}

TEST_CASE("people say how much a batch rests, and how much WAL it may write", "[batch]") {
  for (const bool by_wal : {false, true}) {
    CAPTURE(by_wal);
    Held held(2'000, "rows=100..100");
    held.start();
    held.tenant.sql("UPDATE drover_batch_ranges SET waited_ms = 0");
    BatchControl control;
    if (by_wal) {
      control.wal_per_second = 200'000;
    } else {
      control.nice = 20;
    }
    held.set_control(control);
    held.let_on = true;
    CHECK(told(held.running->outcome()) == "applied");
    CHECK(counts(held.tenant) == "2000 x 1");
    CHECK(held.has_heard("rest"));
    CHECK(std::stoi(held.tenant.value("SELECT waited_ms FROM drover_batch_ranges")) > 0);
  }
}

TEST_CASE("a batch that the governor cancels goes on with half the rows", "[batch]") {
  const PgTenant tenant;
  StagedRig rig;
  const MigrationSet set = line_of(counting(3'000, "rows=10..1000"));
  CHECK(told(rig.up(tenant.target(), set, "0001")) == "applied");
  Other writer(tenant.target());
  writer.run("BEGIN");
  writer.run("UPDATE hits SET n = n WHERE id = 900");
  std::string waiting;
  rig.observer.on_batch = [&](const BatchNews& news) {
    waiting = news.waiting.empty() ? waiting : news.waiting;
  };
  const std::jthread governing([&] {
    const bool waits = eventually([&] {
      return cluster().value("postgres",
                             fmt::format("SELECT count(*) FROM pg_stat_activity WHERE {} = ANY "
                                         "(pg_blocking_pids(pid))",
                                         writer.pid())) != "0";
    });
    CHECK(waits);
    rig.governor.cancel();
    CHECK(
        eventually([&] { return tenant.value("SELECT retries FROM drover_batch_ranges") == "1"; }));
    writer.run("COMMIT");
  });
  CHECK(told(rig.up(tenant.target(), set)) == "applied");
  CHECK(counts(tenant) == "3000 x 1");
  CHECK(waiting == "blocked_sessions");
  REQUIRE_FALSE(rig.governor.rows().empty());
  CHECK(rig.governor.rows().front() <= 500);
}

TEST_CASE("what fails again and again is tried more and more seldom, and not for ever", "[batch]") {
  const PgTenant tenant;
  SkippingClock clock;
  Rig rig;
  OpenBatchGovernor governor;
  batch::BatchRunner runner(rig.sessions, clock, governor, {Milliseconds(20), Milliseconds(20)});
  rig.options.batches = &runner;
  tenant.sql(
      "CREATE FUNCTION fails() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN "
      "RAISE 'never' USING ERRCODE = '40001'; END $$");
  std::vector<std::string> bodies = counting(3'000, "rows=10..1000");
  bodies[1].replace(bodies[1].find("n + 1"), 5, "n + fails()");
  const ApplyOutcome outcome = rig.up(tenant.target(), line_of(bodies));
  REQUIRE(outcome.fault);
  CHECK(outcome.fault->kind == "serialization_failure");
  CHECK_THAT(outcome.fault->message, Catch::Contains("after 31 tries"));
  const std::vector<Milliseconds> pauses = clock.pauses();
  REQUIRE(pauses.size() == 30);
  CHECK(pauses.front() <= Milliseconds(100));
  CHECK(pauses.back() >= Milliseconds(15'000));
  CHECK(pauses.back() <= Milliseconds(30'000));
}

TEST_CASE("a batch that is stopped goes on another time", "[batch]") {
  const PgTenant tenant;
  StagedRig rig;
  const MigrationSet set = line_of(counting(5'000, "rows=100..100 workers=2"));
  std::stop_source stop;
  rig.patience.stop = stop.get_token();
  rig.governor.on_ask = [&](int time) {
    if (time == 10) {
      stop.request_stop();
    }
    return BatchLeave{};
  };
  const ApplyOutcome stopped = rig.up(tenant.target(), set);
  CHECK(stopped.kind == Kind::partial);
  REQUIRE(stopped.fault);
  CHECK(stopped.fault->kind == "interrupted");
  CHECK(stopped.fault->code == ErrorCode::halted);
  CHECK(tenant.value("SELECT owner FROM drover_batches").empty());
  CHECK(tenant.value("SELECT count(*) FROM hits WHERE n = 0") != "0");
  rig.patience = {};
  CHECK(told(rig.up(tenant.target(), set)) == "applied");
  CHECK(counts(tenant) == "5000 x 1");
  CHECK(tenant.value("SELECT sum(rows_seen) FROM drover_batch_ranges") == "5000");
}

TEST_CASE("a run that loses its right to work starts no transaction of a batch", "[batch]") {
  const PgTenant tenant;
  StagedRig rig;
  std::atomic<bool> may = true;
  rig.options.may_start = [&] { return may.load(); };
  rig.governor.on_ask = [&](int time) {
    may = time < 5;
    return BatchLeave{};
  };
  const MigrationSet set = line_of(counting(5'000, "rows=100..100"));
  const ApplyOutcome outcome = rig.up(tenant.target(), set);
  REQUIRE(outcome.fault);
  CHECK(outcome.fault->code == ErrorCode::halted);
  CHECK(tenant.value("SELECT rows_seen FROM drover_batch_ranges") == "500");
}

}  // namespace
}  // namespace drover::engine::test

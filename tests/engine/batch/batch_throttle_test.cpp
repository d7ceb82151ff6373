#include "engine/batch_throttle.h"

#include <functional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

using drover::engine::BatchLeave;
using drover::engine::BatchLimits;
using drover::engine::BatchSignal;
using drover::engine::BatchThrottle;
using drover::engine::BatchWork;
using drover::engine::Milliseconds;
using drover::engine::SteadyTime;
using drover::engine::TableReading;
using drover::engine::ThrottleSeat;
using drover::engine::WaitReason;
using drover::engine::WalBudget;
using drover::engine::WorkerZones;
using Watched = BatchThrottle::Watched;
using SeatId = BatchThrottle::SeatId;
using std::chrono::seconds;

namespace {

constexpr std::uint64_t kMegabyte = std::uint64_t{1} << 20U;

ThrottleSeat facts(std::int64_t pid = 100) {
  return {"acme", pid, 42, 0.2, false};
}

/// A law with one seat, and everything read at once and harmless.
struct Rig {
  explicit Rig(BatchLimits limits = {}, ThrottleSeat who = facts())
      : law("db1:5432", std::move(limits), Watched::yes) {
    law.begin_watch(now);
    seat = law.enter(std::move(who), now);
    read_all();
  }

  void read_all() {
    law.read_blocked({}, now);
    law.read_replicas({}, now);
    law.read_slots({}, now);
    law.read_archive(0, now);
    law.read_backends(0, now);
    law.read_autovacuum({}, now);
    law.read_table(seat, {}, now);
  }

  BatchLeave ask(const BatchWork& done = {}) { return law.ask(seat, done, now); }

  SteadyTime now = SteadyTime{} + std::chrono::hours(1);
  BatchThrottle law;
  SeatId seat = 0;
};

BatchWork commit_of(Milliseconds commit) {
  BatchWork work;
  work.busy = commit;
  work.commit = commit;
  return work;
}

}  // namespace

TEST_CASE("a quiet server lets everybody go") {
  Rig rig;
  const BatchLeave leave = rig.ask();
  CHECK(leave.go);
  CHECK(leave.reason == WaitReason::none);
}

TEST_CASE("each signal stops at its limit and not below it, and says why") {
  struct Case {
    std::function<void(Rig&)> below;
    std::function<void(Rig&)> at;
    WaitReason reason;
    std::string detail;
  };
  const std::vector<Case> cases{
      {[](Rig& r) {
         r.law.read_replicas({{"standby1", Milliseconds(4'999), 0}}, r.now);
       },
       [](Rig& r) {
         r.law.read_replicas({{"standby0", {}, 0}, {"standby1", Milliseconds(7'200), 0}}, r.now);
       },
       WaitReason::replica_lag,
       "replica standby1 is 7.2 s behind, the limit is 5.0 s"},
      {[](Rig& r) {
         r.law.read_replicas({{"standby1", {}, 256 * kMegabyte - 1}}, r.now);
       },
       [](Rig& r) {
         r.law.read_replicas({{"standby1", {}, 300 * kMegabyte}}, r.now);
       },
       WaitReason::replica_lag,
       "replica standby1 is 300 MB behind, the limit is 256 MB"},
      {[](Rig& r) {
         r.law.read_slots({{"s", 511 * kMegabyte, 1024 * kMegabyte}}, r.now);
       },
       [](Rig& r) {
         r.law.read_slots({{"s", 512 * kMegabyte, 1024 * kMegabyte}}, r.now);
       },
       WaitReason::slot_retention,
       "slot s keeps 512 MB of WAL, the limit is 512 MB"},
      {[](Rig& r) { r.law.read_archive(41, r.now); },
       [](Rig& r) { r.law.read_archive(42, r.now); },
       WaitReason::slot_retention,
       "42 segments of WAL wait for the archive, the limit is 42"},
      {[](Rig& r) { r.law.read_backends(24, r.now); },
       [](Rig& r) { r.law.read_backends(25, r.now); },
       WaitReason::active_backends,
       "25 other sessions are active, the limit is 25"},
      {[](Rig& r) {
         r.law.read_autovacuum({{"other", 42, true}, {"acme", 43, true}}, r.now);
       },
       [](Rig& r) {
         r.law.read_autovacuum({{"acme", 42, true}}, r.now);
       },
       WaitReason::autovacuum,
       "autovacuum works on the table against wraparound"},
      {[](Rig& r) {
         r.law.read_table(r.seat, {10'000, 1'999}, r.now);
       },
       [](Rig& r) {
         r.law.read_table(r.seat, {10'000, 2'000}, r.now);
       },
       WaitReason::dead_rows,
       "the table has 2000 dead rows for 10000 live ones, the limit is 20 %"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.detail);
    Rig rig;
    one.below(rig);
    CHECK(rig.ask().go);
    one.at(rig);
    const BatchLeave leave = rig.ask();
    CHECK_FALSE(leave.go);
    CHECK(leave.reason == one.reason);
    CHECK(leave.detail == one.detail);
    CHECK(leave.ask_again > Milliseconds(0));
    rig.ask();  // who was sent to VACUUM is back, and the table is looked at again
    one.below(rig);
    CHECK(rig.ask().go);
  }
}

TEST_CASE("a slot without a limit of the server's has that of the limits, or none") {
  Rig open;
  open.law.read_slots({{"s", 900'000 * kMegabyte, {}}}, open.now);
  CHECK(open.ask().go);

  BatchLimits limits;
  limits.slot_bytes = 100 * kMegabyte;
  Rig limited(limits);
  limited.law.read_slots({{"s", 100 * kMegabyte, {}}}, limited.now);
  CHECK(limited.ask().reason == WaitReason::slot_retention);
}

TEST_CASE("the window and the flag file come before everything else") {
  bool open = true;
  bool flag = false;
  BatchLimits limits;
  limits.window = {[&] { return open; }, "22:00-06:00"};
  limits.flag = {[&] { return flag; }, "/run/drover/stop"};
  Rig rig(limits);
  rig.law.read_backends(25, rig.now);
  CHECK(rig.ask().reason == WaitReason::active_backends);

  flag = true;
  CHECK(rig.ask().reason == WaitReason::flag);
  CHECK(rig.ask().detail == "the flag file /run/drover/stop is there");
  open = false;
  CHECK(rig.ask().reason == WaitReason::window);
  CHECK(rig.ask().detail == "batches run 22:00-06:00 only");
}

TEST_CASE("nobody begins before the server was read") {
  BatchThrottle law("db1:5432", {}, Watched::yes);
  const SteadyTime now = SteadyTime{} + std::chrono::hours(1);
  law.begin_watch(now);
  const SeatId seat = law.enter(facts(), now);

  BatchLeave leave = law.ask(seat, {}, now);
  CHECK(leave.reason == WaitReason::unobservable);
  CHECK(leave.detail == "server db1:5432 has not yet told its blocked sessions");
  law.failed(BatchSignal::blocked, "connection refused");
  leave = law.ask(seat, {}, now);
  CHECK(leave.detail ==
        "server db1:5432 has not yet told its blocked sessions: connection refused");
}

TEST_CASE("what cannot be read for 15 s stops everybody until it can") {
  Rig rig;
  const auto read_rest = [&] {
    rig.law.read_blocked({}, rig.now);
    rig.law.read_slots({}, rig.now);
    rig.law.read_archive(0, rig.now);
    rig.law.read_backends(0, rig.now);
    rig.law.read_autovacuum({}, rig.now);
    rig.law.read_table(rig.seat, {}, rig.now);
  };
  rig.law.failed(BatchSignal::replicas, "server closed the connection");
  rig.now += Milliseconds(14'999);
  read_rest();
  CHECK(rig.ask().go);

  rig.now += Milliseconds(1);
  const BatchLeave leave = rig.ask();
  CHECK_FALSE(leave.go);
  CHECK(leave.reason == WaitReason::unobservable);
  CHECK(leave.detail ==
        "server db1:5432 has not told its replica lag for 15.0 s: "
        "server closed the connection");

  rig.law.read_replicas({}, rig.now);
  CHECK(rig.ask().go);
}

TEST_CASE("what was never readable is left out and noted once; what once was stops") {
  BatchThrottle law("db1:5432", {}, Watched::yes);
  SteadyTime now = SteadyTime{} + std::chrono::hours(1);
  law.begin_watch(now);
  const SeatId seat = law.enter(facts(), now);
  const auto read_rest = [&] {
    law.read_blocked({}, now);
    law.read_slots({}, now);
    law.read_archive(0, now);
    law.read_backends(0, now);
    law.read_autovacuum({}, now);
    law.read_table(seat, {}, now);
  };
  read_rest();

  CHECK_FALSE(law.refused(BatchSignal::replicas, "permission denied"));
  CHECK(law.is_left_out(BatchSignal::replicas));
  CHECK(law.ask(seat, {}, now).go);
  CHECK(law.refused(BatchSignal::backends, "permission denied"));
  CHECK_FALSE(law.is_left_out(BatchSignal::backends));

  law.begin_watch(now);  // a later one asks again, for rights may have been given
  CHECK_FALSE(law.is_left_out(BatchSignal::replicas));
  law.refused(BatchSignal::replicas, "permission denied");
  read_rest();
  CHECK(law.notes() == std::vector<std::string>{
                           "server db1:5432 is not watched for replica lag: permission denied"});
  CHECK(law.ask(seat, {}, now).go);
}

TEST_CASE("a session blocked for 500 ms cancels the batch that blocks it, once, and is let by") {
  Rig rig;
  const SeatId other = rig.law.enter(facts(200), rig.now);
  rig.law.read_table(other, {}, rig.now);

  CHECK(rig.law.read_blocked({{100, 7, Milliseconds(499)}}, rig.now).empty());
  CHECK(rig.ask().go);
  CHECK_FALSE(rig.law.take_cancelled(rig.seat));

  CHECK(rig.law.read_blocked({{100, 7, Milliseconds(600)}}, rig.now) == std::vector{rig.seat});
  CHECK(rig.law.take_cancelled(rig.seat));
  CHECK_FALSE(rig.law.take_cancelled(rig.seat));
  CHECK_FALSE(rig.law.take_cancelled(other));
  const BatchLeave leave = rig.ask();
  CHECK(leave.reason == WaitReason::blocked_sessions);
  CHECK(leave.detail == "session 7 waited 0.6 s for what this batch had locked");
  CHECK(leave.ask_again == BatchThrottle::kYield);
  CHECK(rig.law.ask(other, {}, rig.now).go);

  // The request is on its way: no second one at once.
  rig.now += Milliseconds(100);
  CHECK(rig.law.read_blocked({{100, 7, Milliseconds(700)}}, rig.now).empty());
  rig.now += Milliseconds(400);
  CHECK(rig.law.read_blocked({{100, 7, Milliseconds(1'100)}}, rig.now) == std::vector{rig.seat});

  rig.law.read_blocked({}, rig.now);
  rig.now += BatchThrottle::kYield;
  CHECK(rig.ask().go);
}

TEST_CASE("a worker that has moved is known by its new session") {
  Rig rig;
  rig.law.moved(rig.seat, 300);
  CHECK(rig.law.read_blocked({{100, 7, Milliseconds(900)}}, rig.now).empty());
  CHECK(rig.law.read_blocked({{300, 7, Milliseconds(900)}}, rig.now) == std::vector{rig.seat});
}

TEST_CASE("slow commits hold batches back, and let one show that they are better") {
  Rig rig;
  CHECK(rig.ask(commit_of(Milliseconds(99))).go);
  CHECK(rig.ask(commit_of(Milliseconds(103))).go);  // one alone does not make the mean

  BatchLeave leave = rig.ask(commit_of(Milliseconds(200)));
  CHECK(leave.reason == WaitReason::commit_latency);
  CHECK(leave.detail == "a commit takes 120 ms, the limit is 100 ms");
  CHECK(leave.ask_again == BatchThrottle::kInterval);
  rig.now += leave.ask_again;
  CHECK(rig.ask().go);
  CHECK_FALSE(rig.ask(commit_of(Milliseconds(100))).go);
  rig.now += BatchThrottle::kInterval;
  CHECK(rig.ask(commit_of(Milliseconds(5))).go);
}

TEST_CASE("WAL beyond the budget is a debt of all who sit at the server") {
  BatchLimits limits;
  limits.wal_per_second = 10 * kMegabyte;
  Rig rig(limits);
  const SeatId other = rig.law.enter(facts(200), rig.now);
  BatchWork work;
  work.wal_bytes = 9 * kMegabyte;
  CHECK(rig.ask(work).go);
  work.wal_bytes = 6 * kMegabyte;
  const BatchLeave leave = rig.ask(work);
  CHECK(leave.reason == WaitReason::wal_budget);
  CHECK(leave.detail == "the server's 10 MB of WAL a second are used up");
  CHECK(leave.ask_again == Milliseconds(501));
  CHECK(rig.law.ask(other, {}, rig.now).reason == WaitReason::wal_budget);
  rig.now += Milliseconds(500);
  CHECK_FALSE(rig.law.ask(other, {}, rig.now).go);
  rig.now += Milliseconds(1);
  CHECK(rig.law.ask(other, {}, rig.now).go);
}

TEST_CASE("a debt outlives the seat that made it, and saving up ends after a second") {
  const SteadyTime start = SteadyTime{} + std::chrono::hours(1);
  WalBudget budget(1'000);
  budget.spend(5'000, start);
  CHECK(budget.utilisation(start) == 1);
  CHECK(budget.wait(start) == Milliseconds(4'001));
  const SteadyTime later = start + std::chrono::hours(1);
  CHECK(budget.utilisation(later) == 0);
  budget.spend(700, later);
  CHECK(budget.utilisation(later) == Approx(0.7));
  CHECK(budget.wait(later) == Milliseconds(0));
  budget.spend(300, later);
  CHECK(budget.wait(later) == Milliseconds(1));
}

TEST_CASE("SQLite has nothing to be watched, but its WAL counts") {
  BatchLimits limits;
  limits.wal_per_second = 1'000;
  BatchThrottle law("/srv/tenants", limits, Watched::no);
  SteadyTime now = SteadyTime{} + std::chrono::hours(1);
  const SeatId seat = law.enter(facts(0), now);
  now += seconds(60);
  CHECK(law.ask(seat, {}, now).go);
  BatchWork work;
  work.wal_bytes = 2'000;
  CHECK(law.ask(seat, work, now).reason == WaitReason::wal_budget);
}

TEST_CASE("beside autovacuum a batch rests for as long as it worked") {
  Rig rig;
  rig.law.read_autovacuum({{"acme", 42, false}}, rig.now);
  CHECK(rig.ask().go);
  BatchWork work;
  work.busy = Milliseconds(400);
  const BatchLeave leave = rig.ask(work);
  CHECK(leave.reason == WaitReason::autovacuum);
  CHECK(leave.detail == "autovacuum works on the table: half speed");
  CHECK(leave.ask_again == Milliseconds(400));
  rig.now += Milliseconds(400);
  CHECK(rig.ask().go);
}

TEST_CASE("one worker is sent to VACUUM, the others wait, and old numbers are forgotten") {
  Rig rig;
  const SeatId other = rig.law.enter(facts(200), rig.now);
  const TableReading full{10'000, 5'000};
  rig.law.read_table(rig.seat, full, rig.now);
  rig.law.read_table(other, full, rig.now);

  CHECK(rig.ask().vacuum_first);
  const BatchLeave second = rig.law.ask(other, {}, rig.now);
  CHECK(second.reason == WaitReason::dead_rows);
  CHECK_FALSE(second.vacuum_first);

  CHECK(rig.ask().detail == "looking at what the VACUUM has left");
  CHECK(rig.law.ask(other, {}, rig.now).go);  // what it knew of the table is forgotten
  rig.law.read_table(rig.seat, {10'000, 100}, rig.now);
  CHECK(rig.ask().go);
  rig.law.read_table(rig.seat, full, rig.now);  // of rows that have died since
  CHECK(rig.ask().vacuum_first);
}

TEST_CASE("a VACUUM that has just not helped is not repeated at once") {
  Rig rig;
  const TableReading full{10'000, 5'000};
  rig.law.read_table(rig.seat, full, rig.now);
  CHECK(rig.ask().vacuum_first);
  CHECK_FALSE(rig.ask().go);
  rig.law.read_table(rig.seat, full, rig.now);
  const BatchLeave leave = rig.ask();
  CHECK(leave.reason == WaitReason::dead_rows);
  CHECK_FALSE(leave.vacuum_first);
  CHECK(leave.detail ==
        "the table has 5000 dead rows for 10000 live ones, the limit is 20 %; "
        "a VACUUM has just not helped, something old needs them");
  rig.now += Milliseconds(59'999);
  rig.read_all();
  rig.law.read_table(rig.seat, full, rig.now);
  CHECK_FALSE(rig.ask().vacuum_first);
  rig.now += Milliseconds(1);
  CHECK(rig.ask().vacuum_first);
}

TEST_CASE("a small table is not vacuumed for a few dead rows") {
  Rig rig;
  rig.law.read_table(rig.seat, {10, 999}, rig.now);
  CHECK(rig.ask().go);
}

TEST_CASE("a batch's own query has to answer first, and decides from then on") {
  ThrottleSeat who = facts();
  who.has_query = true;
  Rig rig({}, who);
  CHECK(rig.ask().reason == WaitReason::unobservable);
  CHECK(rig.ask().detail == "the batch's throttle query has not yet answered");

  rig.law.read_query(rig.seat, true);
  CHECK(rig.ask().reason == WaitReason::query);
  CHECK(rig.ask().detail == "the batch's throttle query says wait");
  rig.law.read_query(rig.seat, false);
  CHECK(rig.ask().go);

  rig.now += seconds(15);
  rig.law.table_failed(rig.seat, "division by zero", rig.now);
  rig.read_all();
  CHECK(rig.ask().go);
  rig.now += seconds(15);
  rig.law.read_blocked({}, rig.now);
  rig.law.read_replicas({}, rig.now);
  rig.law.read_slots({}, rig.now);
  rig.law.read_archive(0, rig.now);
  rig.law.read_backends(0, rig.now);
  rig.law.read_autovacuum({}, rig.now);
  rig.law.table_failed(rig.seat, "division by zero", rig.now);
  CHECK(rig.ask().detail ==
        "the throttle query in database acme could not be read for 15.0 s: division by zero");
}

TEST_CASE("a table is read once it has lasted a second, a query at once, both once a second") {
  Rig rig;
  ThrottleSeat asking = facts(200);
  asking.has_query = true;
  const SeatId table = rig.law.enter(facts(300), rig.now);
  const SeatId query = rig.law.enter(asking, rig.now);
  CHECK(rig.law.due(rig.now) == std::vector{query});
  rig.law.table_failed(query, "no", rig.now);
  CHECK(rig.law.due(rig.now).empty());
  rig.now += seconds(1);
  CHECK(rig.law.due(rig.now) == std::vector{rig.seat, table, query});
}

namespace {

/// The number of workers after each tick of 5 s at the given utilisations.
std::vector<unsigned> workers_after(const std::vector<double>& loads, unsigned wanted) {
  WorkerZones zones;
  SteadyTime now = SteadyTime{} + std::chrono::hours(1);
  std::vector<unsigned> workers;
  zones.workers_for(wanted);
  for (const double load : loads) {
    zones.observe(load, now);
    now += WorkerZones::kTick;
    workers.push_back(zones.workers_for(wanted));
  }
  return workers;
}

}  // namespace

TEST_CASE("workers follow the zones of the load") {
  using Loads = std::vector<double>;
  using Workers = std::vector<unsigned>;

  SECTION("as many as wanted while nothing is wrong") {
    CHECK(workers_after(Loads{0, 0, 0.5, 0.69}, 8) == Workers{8, 8, 8, 8});
  }
  SECTION("one less from 0.7 on, when it lasts two ticks") {
    CHECK(workers_after(Loads{0.7, 0.5, 0.7, 0.7}, 8) == Workers{8, 8, 8, 7});
  }
  SECTION("half as many from 1 on") {
    CHECK(workers_after(Loads{1, 1}, 8) == Workers{8, 4});
  }
  SECTION("the milder of two ticks counts") {
    CHECK(workers_after(Loads{1, 0.8}, 8) == Workers{8, 7});
  }
  SECTION("a decrease every 15 s at most, and never below one") {
    CHECK(workers_after(Loads{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 5) ==
          Workers{5, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1});
  }
  SECTION("one more below 0.4, 15 s after the decrease and after each other") {
    CHECK(workers_after(Loads{1, 1, 0, 0, 0, 0, 0, 0, 0.5, 0, 0}, 6) ==
          Workers{6, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6});
  }
}

TEST_CASE("load of the server takes workers away, lag does not") {
  const auto workers_under = [](const std::function<void(Rig&)>& read) {
    Rig rig;
    rig.law.workers_for(8);
    for (int tick = 0; tick < 3; ++tick) {
      read(rig);
      rig.law.observe(rig.now);
      rig.now += WorkerZones::kTick;
    }
    return rig.law.workers_for(8);
  };
  CHECK(workers_under([](Rig& r) { r.law.read_backends(10, r.now); }) == 8);
  CHECK(workers_under([](Rig& r) { r.law.read_backends(18, r.now); }) == 7);
  CHECK(workers_under([](Rig& r) { r.law.read_backends(25, r.now); }) == 4);
  CHECK(workers_under([](Rig& r) { r.ask(commit_of(Milliseconds(100))); }) == 4);
  CHECK(workers_under([](Rig& r) {
          r.law.read_blocked({{100, 7, Milliseconds(100)}}, r.now);
        }) == 7);
  CHECK(workers_under([](Rig& r) {
          r.law.read_blocked({{100, 7, Milliseconds(500)}}, r.now);
          r.law.read_blocked({}, r.now);  // counts until it was looked at
        }) == 4);
  CHECK(workers_under([](Rig& r) {
          r.law.read_replicas({{"standby1", seconds(100), 0}}, r.now);
        }) == 8);
}

TEST_CASE("one blocked session counts for one tick of the load only") {
  Rig rig;
  rig.law.workers_for(8);
  rig.law.read_blocked({{100, 7, Milliseconds(500)}}, rig.now);
  for (int tick = 0; tick < 4; ++tick) {
    rig.law.observe(rig.now);
    rig.now += WorkerZones::kTick;
  }
  CHECK(rig.law.workers_for(8) == 8);
}

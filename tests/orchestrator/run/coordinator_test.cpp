#include "orchestrator/run/coordinator.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "engine/base/system_clock.h"
#include "orchestrator/run/lease_keeper.h"
#include "orchestrator/run/pool_dispatcher.h"
#include "tests/orchestrator/run/run_fakes.h"
#include "tests/support/memory_journal.h"

using drover::Error;
using drover::ErrorCode;
using drover::engine::Clock;
using drover::engine::FaultClass;
using drover::engine::Patience;
using drover::engine::SqlError;
using drover::engine::SteadyTime;
using drover::orchestrator::Dispatcher;
using drover::orchestrator::JournalTenant;
using drover::orchestrator::Outcome;
using drover::orchestrator::Owner;
using drover::orchestrator::RunRequest;
using drover::orchestrator::RunState;
using drover::orchestrator::Tenant;
using drover::orchestrator::TenantId;
using drover::orchestrator::run::Coordinator;
using drover::orchestrator::run::crashed_starts;
using drover::orchestrator::run::PoolDispatcher;
using drover::orchestrator::run::RunPlan;
using drover::orchestrator::run::RunResult;
using drover::test::ended;
using drover::test::FakeProbe;
using drover::test::FakeWorker;
using drover::test::fleet_of;
using drover::test::Gate;
using drover::test::InlineDispatcher;
using drover::test::MemoryJournal;
using drover::test::MemoryStore;
using drover::test::RecordingObserver;
using drover::test::StepClock;
using namespace std::chrono_literals;

namespace {

/// A run begun in a journal of its own.
struct House {
  explicit House(std::vector<Tenant> fleet) {
    RunRequest request;
    request.environment = "test";
    for (const Tenant& tenant : fleet) {
      request.tenants.push_back(tenant.id);
    }
    plan.run = journal.begin_run(request, plan.owner);
    plan.tenants = std::move(fleet);
  }

  RunResult run(Clock& its_clock, Dispatcher& dispatcher, FakeProbe& probe) {
    plan.lease_taken = its_clock.now();
    Coordinator coordinator(its_clock, dispatcher, probe, journal, observer);
    return coordinator.run(plan);
  }

  /// On a clock that passes by itself, everything on one thread but for the lease.
  RunResult run_stepwise(FakeWorker::Work work, FakeProbe::Probe answer) {
    FakeWorker worker(std::move(work));
    FakeProbe probe(std::move(answer));
    InlineDispatcher dispatcher(worker);
    return run(clock, dispatcher, probe);
  }

  RunState state() { return journal.run(plan.run.value).state; }

  std::set<std::string> kinds_of_events() {
    std::set<std::string> kinds;
    for (const auto& event : journal.events_of(plan.run)) {
      kinds.insert(event.kind);
    }
    return kinds;
  }

  StepClock clock{2};  // the coordinator and its lease keeper
  std::shared_ptr<MemoryStore> store = std::make_shared<MemoryStore>();
  MemoryJournal journal{store};
  RecordingObserver observer;
  RunPlan plan;
};

SqlError refused() {
  SqlError error;
  error.origin = SqlError::Origin::connection;
  error.message = "connection refused";
  return error;
}

/// Work and probes of servers that are down for `outage`, from the start of the clock on.
struct Outage {
  Outage(const Clock& its_clock, SteadyTime::duration outage)
      : clock(its_clock), end(its_clock.now() + outage) {}

  FakeWorker::Work work() const {
    return [this](const Tenant&, int, const Patience&) {
      return clock.now() < end ? ended(Outcome::unreachable, FaultClass::server_down)
                               : ended(Outcome::applied);
    };
  }

  FakeProbe::Probe probe() const {
    return [this](const Tenant&) {
      return clock.now() < end ? std::optional(refused()) : std::nullopt;
    };
  }

  const Clock& clock;
  SteadyTime end;
};

std::exception_ptr disk_full() {
  return std::make_exception_ptr(
      Error(ErrorCode::storage, "journal_failed", "the disk is full", "Free some space."));
}

}  // namespace

TEST_CASE("every tenant is worked on once, never more at a time than allowed, and all is told") {
  House house(fleet_of(200, 3));
  house.plan.limits.in_flight = 7;
  std::atomic<int> at_once{0};
  std::atomic<int> most{0};
  FakeWorker worker([&](const Tenant&, int, const Patience&) {
    const int now = ++at_once;
    int seen = most.load();
    while (seen < now && !most.compare_exchange_weak(seen, now)) {
    }
    std::this_thread::yield();
    --at_once;
    return ended(Outcome::applied);
  });
  FakeProbe probe;
  drover::engine::base::SystemClock clock;
  PoolDispatcher dispatcher(worker, house.plan.limits.in_flight);

  const RunResult result = house.run(clock, dispatcher, probe);

  CHECK(result.exit_status() == 0);
  CHECK(result.summary.count(Outcome::applied) == 200);
  CHECK(result.tenants[123].id.value == "t123");
  CHECK(result.tenants[123].server == "db0");
  CHECK(most <= 7);
  CHECK(house.state() == RunState::finished);
  CHECK(house.journal.run(house.plan.run.value).counts.at(Outcome::applied) == 200);
  CHECK(house.observer.tenants.size() == 200);
  REQUIRE_FALSE(house.observer.snapshots.empty());
  CHECK(house.observer.snapshots.back().done == 200);
}

TEST_CASE("a run of nothing is finished at once") {
  House house({});
  const RunResult result = house.run_stepwise({}, {});
  CHECK(result.exit_status() == 0);
  CHECK(house.state() == RunState::finished);
}

TEST_CASE("a run outlives an outage of its server and goes on within seconds of its end") {
  House house(fleet_of(20));
  const Outage outage(house.clock, 6s);
  const SteadyTime start = house.clock.now();
  const RunResult result = house.run_stepwise(outage.work(), outage.probe());
  CHECK(result.summary.count(Outcome::applied) == 20);
  CHECK(result.tenants[0].attempts == 1);
  CHECK(house.clock.now() - start < 11s);
  CHECK(house.kinds_of_events() == std::set<std::string>{"server_paused", "server_resumed"});
  const auto& snapshots = house.observer.snapshots;
  CHECK(std::any_of(snapshots.begin(), snapshots.end(), [](const auto& snapshot) {
    return snapshot.waiting_for.starts_with("server 'db0' to come back");
  }));
}

TEST_CASE("a server that stays down costs its own tenants only") {
  House house(fleet_of(10, 2));
  const auto is_dead = [](const Tenant& tenant) { return tenant.target.server == "db1"; };
  const SteadyTime start = house.clock.now();
  const RunResult result = house.run_stepwise(
      [&](const Tenant& tenant, int, const Patience&) {
        return is_dead(tenant) ? ended(Outcome::unreachable, FaultClass::no_connection)
                               : ended(Outcome::applied);
      },
      [&](const Tenant& tenant) {
        return is_dead(tenant) ? std::optional(refused()) : std::nullopt;
      });
  CHECK(result.summary.count(Outcome::applied) == 5);
  CHECK(result.summary.count(Outcome::unreachable) == 5);
  CHECK(result.exit_status() == 3);
  CHECK(house.clock.now() - start == 10min);
  CHECK(house.state() == RunState::finished);
}

TEST_CASE("a tripped budget halts the run, and leaves the rest to be resumed") {
  House house(fleet_of(10));
  house.plan.failure_budget = 1;
  house.plan.limits.in_flight = 1;
  const RunResult result = house.run_stepwise(
      [](const Tenant&, int, const Patience&) {
        return ended(Outcome::failed, FaultClass::permanent);
      },
      {});
  CHECK(result.exit_status() == 4);
  REQUIRE(result.halt.has_value());
  CHECK(result.halt->message == "2 of 10 tenants failed, and 1 is tolerated");
  CHECK(result.summary.count(Outcome::failed) == 2);
  CHECK(result.summary.count(Outcome::not_started) == 8);
  CHECK(house.state() == RunState::interrupted);
  CHECK(house.journal.run(house.plan.run.value).counts ==
        std::map<Outcome, std::size_t>{{Outcome::failed, 2}});
}

TEST_CASE("a drain lets what is under way end and starts nothing more") {
  House house(fleet_of(10));
  house.plan.limits.in_flight = 3;
  Gate gate;
  std::atomic<int> stopped = 0;  // Catch's macros are for one thread
  FakeWorker worker([&](const Tenant&, int, const Patience& patience) {
    gate.pass();
    stopped += patience.stop.stop_requested() ? 1 : 0;
    return ended(Outcome::applied);
  });
  FakeProbe probe;
  drover::engine::base::SystemClock clock;
  PoolDispatcher dispatcher(worker, 3);
  house.plan.lease_taken = clock.now();
  Coordinator coordinator(clock, dispatcher, probe, house.journal, house.observer);

  std::jthread operator_thread([&] {
    gate.await(3);
    coordinator.drain(130);
    gate.open();
  });
  const RunResult result = coordinator.run(house.plan);

  // The drain may be heard after a tenant that was let through, never before the first three.
  CHECK(result.summary.count(Outcome::applied) >= 3);
  CHECK(result.summary.count(Outcome::not_started) == 10 - result.summary.count(Outcome::applied));
  CHECK(stopped == 0);
  CHECK(result.exit_status() == 130);
}

TEST_CASE("a drain that comes before the run starts nothing at all") {
  House house(fleet_of(10));
  FakeWorker worker([](const Tenant&, int, const Patience&) { return ended(Outcome::applied); });
  FakeProbe probe;
  InlineDispatcher dispatcher(worker);
  house.plan.lease_taken = house.clock.now();
  house.plan.limits.in_flight = 1;
  Coordinator coordinator(house.clock, dispatcher, probe, house.journal, house.observer);
  coordinator.drain(143);
  const RunResult result = coordinator.run(house.plan);
  CHECK(result.summary.count(Outcome::not_started) == 10);
  CHECK(result.exit_status() == 143);
  CHECK(house.state() == RunState::interrupted);
}

TEST_CASE("a cancel, or the caller's stop, asks what is under way to stop") {
  House house(fleet_of(10));
  house.plan.limits.in_flight = 3;
  Gate gate;
  std::atomic<int> waiting{0};
  drover::engine::base::SystemClock clock;
  FakeWorker worker([&](const Tenant&, int, const Patience& patience) {
    if (++waiting == 3) {
      gate.open();
    }
    clock.wait_until(SteadyTime::max(), patience.stop);
    return ended(Outcome::failed, FaultClass::permanent, "interrupted");
  });
  FakeProbe probe;
  PoolDispatcher dispatcher(worker, 3);
  house.plan.lease_taken = clock.now();
  Coordinator coordinator(clock, dispatcher, probe, house.journal, house.observer);
  std::stop_source stop;
  bool by_signal = false;
  SECTION("cancel") {
    by_signal = true;
  }
  SECTION("stop token") {
    by_signal = false;
  }

  std::jthread operator_thread([&] {
    gate.pass();
    if (by_signal) {
      coordinator.drain(130);
      coordinator.cancel(130);
    } else {
      stop.request_stop();
    }
  });
  const RunResult result = coordinator.run(house.plan, {SteadyTime::max(), stop.get_token()});

  CHECK(result.summary.count(Outcome::not_started) == 10);
  CHECK(result.exit_status() == (by_signal ? 130 : 4));
  CHECK(house.state() == RunState::interrupted);
  // Those three have an outcome, or a resume would take them for crashes.
  CHECK(crashed_starts(house.journal.tenants_of(house.plan.run)).empty());
}

TEST_CASE("a run past its deadline is cancelled") {
  House house(fleet_of(3));
  const Outage outage(house.clock, 1h);
  FakeWorker worker(outage.work());
  FakeProbe probe(outage.probe());
  InlineDispatcher dispatcher(worker);
  house.plan.lease_taken = house.clock.now();
  const SteadyTime start = house.clock.now();
  Coordinator coordinator(house.clock, dispatcher, probe, house.journal, house.observer);
  const RunResult result = coordinator.run(house.plan, {start + 90s, {}});
  CHECK(result.summary.count(Outcome::not_started) == 3);
  CHECK(house.clock.now() - start == 90s);
  CHECK(result.exit_status() == 4);
}

TEST_CASE("a run whose lease another process took starts nothing more and ends with exit 5") {
  House house(fleet_of(20));
  house.plan.limits.in_flight = 1;
  MemoryJournal other(house.store);
  const Outage outage(house.clock, 1h);
  bool taken = false;
  const RunResult result = house.run_stepwise(
      [&](const Tenant& tenant, int attempt, const Patience& patience) {
        if (!std::exchange(taken, true)) {
          house.store->advance(1min);
          other.take_over(house.plan.run, {"ann", "elsewhere", 7});
        }
        return outage.work()(tenant, attempt, patience);
      },
      outage.probe());
  REQUIRE(result.halt.has_value());
  CHECK(result.halt->kind == "lease_lost");
  CHECK(result.exit_status() == 5);
  CHECK(result.summary.count(Outcome::not_started) == 20);
  CHECK(house.state() == RunState::running);  // theirs
}

TEST_CASE("a store that fails for less than the lease goes unnoticed, for longer ends the run") {
  House house(fleet_of(5));
  const Outage outage(house.clock, 100s);
  const SteadyTime start = house.clock.now();
  const SteadyTime::duration failing = GENERATE(8s, 80s);
  house.journal.fail_with(disk_full());
  const RunResult result = house.run_stepwise(outage.work(), [&](const Tenant& tenant) {
    if (house.clock.now() - start > failing) {
      house.journal.fail_with(nullptr);
    }
    return outage.probe()(tenant);
  });
  if (failing == 8s) {
    CHECK(result.exit_status() == 0);
    CHECK(house.state() == RunState::finished);
    return;
  }
  CHECK(result.exit_status() == 74);
  REQUIRE(result.halt.has_value());
  CHECK(result.halt->message == "the disk is full");
  CHECK(result.summary.count(Outcome::not_started) == 5);
  CHECK(house.clock.now() - start == 28s);  // a lease of 30 s, less the margin
}

TEST_CASE("a lease that is not renewed in time starts nothing, whatever the reason") {
  House house(fleet_of(3));
  FakeWorker worker([](const Tenant&, int, const Patience&) { return ended(Outcome::applied); });
  FakeProbe probe;
  InlineDispatcher dispatcher(worker);
  house.plan.lease_taken = house.clock.now() - 1h;  // this process was frozen
  MemoryJournal other(house.store);
  house.store->advance(1h);
  other.take_over(house.plan.run, {"ann", "elsewhere", 7});
  Coordinator coordinator(house.clock, dispatcher, probe, house.journal, house.observer);
  const RunResult result = coordinator.run(house.plan);
  CHECK(result.summary.count(Outcome::not_started) == 3);
  CHECK(result.exit_status() == 5);
}

TEST_CASE("a tenant's crashes are counted over processes, its retries are not") {
  House house(fleet_of(1));
  house.plan.crashed_starts[TenantId{"t0"}] = 1;
  std::vector<int> attempts;
  std::vector<int> in_journal;
  const RunResult result = house.run_stepwise(
      [&](const Tenant&, int attempt, const Patience&) {
        attempts.push_back(attempt);
        const auto tenants = house.journal.tenants_of(house.plan.run);
        in_journal.push_back(crashed_starts(tenants).at(TenantId{"t0"}));
        return attempts.size() == 1 ? ended(Outcome::failed, FaultClass::session_killed)
                                    : ended(Outcome::applied);
      },
      [](const Tenant&) { return std::nullopt; });
  CHECK(attempts == std::vector<int>{2, 3});
  CHECK(in_journal == std::vector<int>{2, 2});
  CHECK(result.tenants[0].outcome == Outcome::applied);
  CHECK(crashed_starts(house.journal.tenants_of(house.plan.run)).empty());
}

TEST_CASE("what happened is kept in the journal as events and told as sentences") {
  House house(fleet_of(1));
  int turn = 0;
  house.run_stepwise(
      [&](const Tenant&, int, const Patience&) {
        return ++turn == 1 ? ended(Outcome::unreachable, FaultClass::authentication)
                           : ended(Outcome::applied);
      },
      {});
  CHECK(house.observer.events == std::vector<std::string>{"tenant 't0' is tried again: it broke"});
  const auto events = house.journal.events_of(house.plan.run);
  REQUIRE(events.size() == 1);
  CHECK(events[0].kind == "tenant_retried");
  CHECK(events[0].tenant == "t0");
}

TEST_CASE("a lease is trusted for less than it lasts, and renewed well before") {
  const SteadyTime asked{1h};
  CHECK(drover::orchestrator::run::trusted_until(asked, 30s) == asked + 28s);
  CHECK(drover::orchestrator::run::trusted_until(asked, 2s) == asked + 1600ms);
  CHECK(drover::orchestrator::run::renewal_interval(30s) == 5s);
  CHECK(drover::orchestrator::run::renewal_interval(3s) == 1s);
}

#include "orchestrator/run/pool_dispatcher.h"

#include <atomic>
#include <future>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/orchestrator/run/run_fakes.h"

using drover::engine::Patience;
using drover::orchestrator::Assignment;
using drover::orchestrator::Outcome;
using drover::orchestrator::Tenant;
using drover::orchestrator::TenantOutcome;
using drover::orchestrator::run::PoolDispatcher;
using drover::test::ended;
using drover::test::FakeWorker;
using drover::test::fleet_of;
using drover::test::Gate;

TEST_CASE("tenants one after the other are served by one thread") {
  const std::vector<Tenant> fleet = fleet_of(50);
  std::set<std::thread::id> threads;
  FakeWorker worker([&](const Tenant&, int, const Patience&) {
    threads.insert(std::this_thread::get_id());
    return ended(Outcome::current);
  });
  {
    PoolDispatcher dispatcher(worker, 16);
    for (const Tenant& tenant : fleet) {
      std::promise<TenantOutcome> outcome;
      dispatcher.start({&tenant, 1, {}},
                       [&](TenantOutcome result) { outcome.set_value(std::move(result)); });
      CHECK(outcome.get_future().get().outcome == Outcome::current);
    }
  }
  CHECK(threads.size() == 1);
  CHECK(worker.times_idle() == 1);
}

TEST_CASE("as many tenants as are started run at once, and each thread is told that it rests") {
  const std::vector<Tenant> fleet = fleet_of(12);
  Gate gate;
  std::mutex threads_mutex;
  std::set<std::thread::id> threads;
  std::atomic<int> done{0};
  FakeWorker worker([&](const Tenant&, int, const Patience&) {
    {
      const std::lock_guard lock(threads_mutex);
      threads.insert(std::this_thread::get_id());
    }
    gate.pass();
    return ended(Outcome::current);
  });
  {
    PoolDispatcher dispatcher(worker, 12);
    for (const Tenant& tenant : fleet) {
      dispatcher.start({&tenant, 1, {}}, [&](const TenantOutcome&) { ++done; });
    }
    gate.await(12);
    gate.open();
  }
  CHECK(done == 12);
  CHECK(threads.size() == 12);
  CHECK(worker.times_idle() == 12);
}

TEST_CASE("something aside does not wait for the tenants") {
  const std::vector<Tenant> fleet = fleet_of(4);
  Gate gate;
  FakeWorker worker([&](const Tenant&, int, const Patience&) {
    gate.pass();
    return ended(Outcome::current);
  });
  PoolDispatcher dispatcher(worker, 4);
  for (const Tenant& tenant : fleet) {
    dispatcher.start({&tenant, 1, {}}, [](const TenantOutcome&) {});
  }
  gate.await(4);
  std::promise<void> probed;
  dispatcher.run_aside([&] { probed.set_value(); });
  probed.get_future().wait();
  gate.open();
  SUCCEED("the probe ran while every tenant was held");
}

TEST_CASE("a dispatcher that goes away waits for what it started") {
  const std::vector<Tenant> fleet = fleet_of(200);
  std::atomic<int> done{0};
  FakeWorker worker([](const Tenant&, int, const Patience&) { return ended(Outcome::applied); });
  {
    PoolDispatcher dispatcher(worker, 8);
    for (const Tenant& tenant : fleet) {
      dispatcher.start({&tenant, 1, {}}, [&](const TenantOutcome&) { ++done; });
    }
    dispatcher.run_aside([&] { ++done; });
  }
  CHECK(done == 201);
}

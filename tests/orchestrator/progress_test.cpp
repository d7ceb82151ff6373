#include "orchestrator/progress.h"

#include <chrono>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/orchestrator/schedule_driver.h"

using drover::engine::SteadyTime;
using drover::orchestrator::Outcome;
using drover::orchestrator::Progress;
using drover::orchestrator::ProgressSnapshot;
using drover::orchestrator::Rate;
using drover::orchestrator::ScheduledTenant;
using drover::test::tenants_on;
using drover::test::went;
using namespace std::chrono_literals;

namespace {

constexpr SteadyTime kStart{std::chrono::hours(1)};

}  // namespace

TEST_CASE("a steady rate is told right from its first seconds on, and fades when all is quiet") {
  Rate rate(kStart);
  CHECK(rate.per_second(kStart) == 0.0);
  for (int i = 1; i <= 20; ++i) {
    rate.add(1, kStart + i * 250ms);
  }
  CHECK(rate.per_second(kStart + 5s) == Approx(4.0).epsilon(0.05));
  CHECK(rate.per_second(kStart + 35s) < 0.3);
}

TEST_CASE("a snapshot counts what is done by outcome, and what is under way") {
  Progress progress(tenants_on("db", 4), kStart);
  progress.started(0, 1, kStart);
  progress.started(1, 1, kStart);
  progress.started(2, 1, kStart);
  progress.returned(2);  // to be tried again
  progress.finished(0, went(Outcome::applied), kStart + 1s);
  const ProgressSnapshot now = progress.snapshot({}, kStart + 2s);
  CHECK(now.total == 4);
  CHECK(now.done == 1);
  CHECK(now.in_flight == 1);
  CHECK(now.counts.at(Outcome::applied) == 1);
  CHECK(now.elapsed == 2s);
  CHECK(now.waiting_for.empty());
}

TEST_CASE("the slowest tenants under way are shown oldest first, five at most") {
  Progress progress(tenants_on("db", 9), kStart);
  for (std::size_t i = 0; i < 9; ++i) {
    progress.started(8 - i, 1, kStart + std::chrono::seconds(i));
  }
  progress.finished(8, went(Outcome::current), kStart + 9s);
  progress.returned(7);
  progress.started(7, 2, kStart + 9s);
  const auto slowest = progress.snapshot({}, kStart + 10s).slowest;
  REQUIRE(slowest.size() == 5);
  CHECK(slowest[0].id.value == "t6");
  CHECK(slowest[0].age == 8s);
  CHECK(slowest[4].id.value == "t2");
}

TEST_CASE("the time to go weighs tenants by their known durations") {
  std::vector<ScheduledTenant> tenants = tenants_on("db", 10);
  for (std::size_t i = 0; i < tenants.size(); ++i) {
    tenants[i].known_duration = i < 5 ? 9s : 1s;
  }
  Progress progress(tenants, kStart);
  CHECK_FALSE(progress.snapshot({}, kStart + 1s).remaining.has_value());
  SteadyTime now = kStart;
  for (std::size_t i = 0; i < 5; ++i) {
    progress.started(i, 1, now);
    now += 9s;
    progress.finished(i, went(Outcome::applied), now);
  }
  // 45 s of 50 s of work are done, though only half of the tenants.
  const auto remaining = progress.snapshot({}, now).remaining;
  REQUIRE(remaining.has_value());
  CHECK(remaining->count() > 2'500);
  CHECK(remaining->count() < 7'500);
}

TEST_CASE("the time to go is at least what the slowest tenant under way still needs") {
  std::vector<ScheduledTenant> tenants = tenants_on("db", 5);
  for (ScheduledTenant& tenant : tenants) {
    tenant.known_duration = 10ms;
  }
  tenants[4].known_duration = 100s;
  Progress progress(tenants, kStart);
  progress.started(4, 1, kStart);
  for (std::size_t i = 0; i < 4; ++i) {
    progress.finished(i, went(Outcome::applied), kStart + 1s);
  }
  CHECK(progress.snapshot({}, kStart + 1s).remaining >= 99s);
  progress.finished(4, went(Outcome::applied), kStart + 2s);
  CHECK(progress.snapshot({}, kStart + 2s).remaining == 0ms);
}

TEST_CASE("what the run waits for is said when nothing is left to start") {
  Progress progress(tenants_on("db", 2), kStart);
  SECTION("paused servers") {
    CHECK(progress.snapshot({{"db1:5432", "down", kStart}}, kStart + 12s).waiting_for ==
          "server 'db1:5432' to come back, paused for 12 s");
    CHECK(progress.snapshot({{"a", "down", kStart}, {"b", "down", kStart}}, kStart + 1s)
              .waiting_for == "server 'a' and 1 more to come back, paused for 1 s");
  }
  SECTION("the last tenants") {
    progress.started(0, 1, kStart);
    progress.started(1, 1, kStart + 1s);
    CHECK(progress.snapshot({}, kStart + 3s).waiting_for ==
          "tenant 't0' and 1 more, under way for 3 s");
    progress.finished(0, went(Outcome::applied), kStart + 4s);
    CHECK(progress.snapshot({}, kStart + 5s).waiting_for == "tenant 't1', under way for 4 s");
  }
}

#include "orchestrator/api/hooked_worker.h"

#include <functional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

using namespace drover::orchestrator;
using drover::ErrorCode;
using drover::engine::Patience;
using drover::engine::RevisionId;

namespace {

using Log = std::vector<std::string>;

/// Both the inner worker and the hooks: writes down in what order they are called.
struct Stage final : TenantWorker, RunHooks {
  TenantOutcome work(const Tenant& tenant, int attempt, const Patience& /*patience*/) override {
    log.push_back("work " + tenant.id.value + " " + std::to_string(attempt));
    return worked;
  }
  void worker_idle() override { log.emplace_back("idle"); }

  bool wants(const HookFacts& facts) const override { return wanted.contains(facts.event); }
  std::optional<Halt> run(const HookFacts& facts, const Patience& patience) override {
    std::string text(name_of(facts.event));
    text += facts.outcome ? " " + std::string(name_of(facts.outcome->outcome)) : "";
    text += patience.stop.stop_requested() ? " stopped" : "";
    log.push_back(text + " " + std::to_string(facts.attempt));
    return failing.contains(facts.event)
               ? std::optional(Halt{ErrorCode::halted, "hook_failed", "the hook said no", "Mend."})
               : std::nullopt;
  }
  std::chrono::milliseconds longest(HookEvent /*event*/) const override { return {}; }
  std::vector<std::string> take_news() override { return {}; }

  std::set<HookEvent> wanted{HookEvent::before_tenant, HookEvent::after_tenant};
  std::set<HookEvent> failing;
  TenantOutcome worked;
  Log log;
};

TenantOutcome applied() {
  TenantOutcome outcome;
  outcome.id = {"acme"};
  outcome.outcome = Outcome::applied;
  outcome.from = {RevisionId{"0001"}};
  outcome.to = {RevisionId{"0002"}};
  outcome.attempts = 1;
  return outcome;
}

struct House {
  House() {
    tenant.id = {"acme"};
    stage.worked = applied();
  }

  TenantOutcome work(const Patience& patience = {}) {
    return HookedWorker(stage, stage).work(tenant, 2, patience);
  }

  Stage stage;
  Tenant tenant;
};

}  // namespace

TEST_CASE("a tenant is worked on between its hooks, which learn the attempt and the outcome") {
  House house;
  CHECK(house.work().outcome == Outcome::applied);
  CHECK(house.stage.log == Log{"before_tenant 2", "work acme 2", "after_tenant applied 2"});
}

TEST_CASE("a worker without hooks for a tenant is the worker itself") {
  House house;
  house.stage.wanted.clear();
  CHECK(house.work().outcome == Outcome::applied);
  HookedWorker(house.stage, house.stage).worker_idle();
  CHECK(house.stage.log == Log{"work acme 2", "idle"});
}

TEST_CASE("a tenant whose hook fails before it is left alone, and undrained") {
  House house;
  house.stage.failing = {HookEvent::before_tenant};
  const TenantOutcome outcome = house.work();
  CHECK(house.stage.log == Log{"before_tenant 2", "after_tenant failed 2"});
  CHECK(outcome.outcome == Outcome::failed);
  CHECK(outcome.reason == "hook");
  CHECK(outcome.attempts == 0);
  REQUIRE(outcome.fault.has_value());
  CHECK(outcome.fault->kind == "hook_failed");
  CHECK(outcome.fault->code == ErrorCode::incomplete);
  CHECK(outcome.fault->message == "the hook said no");
  CHECK(outcome.fault->hint ==
        "Mend what it found, then retry: nothing was changed, and the hook is called again.");
}

TEST_CASE("a hook that fails after a tenant makes it a failed one, and it is where it is") {
  House house;
  house.stage.failing = {HookEvent::after_tenant};
  const TenantOutcome outcome = house.work();
  CHECK(outcome.outcome == Outcome::failed);
  CHECK(outcome.reason == "hook");
  CHECK(outcome.to == std::vector{RevisionId{"0002"}});
  REQUIRE(outcome.fault.has_value());
  CHECK(outcome.fault->message == "the hook said no");
}

TEST_CASE("a hook that fails after a tenant adds nothing to another failure") {
  House house;
  house.stage.failing = {HookEvent::after_tenant};
  house.stage.worked.outcome = Outcome::partial;
  const TenantOutcome outcome = house.work();
  CHECK(outcome.outcome == Outcome::partial);
  CHECK(outcome.reason.empty());
  CHECK_FALSE(outcome.fault.has_value());
}

TEST_CASE("a cancel ends the hook before a tenant, and not the one after it") {
  House house;
  house.stage.failing = {HookEvent::before_tenant};
  std::stop_source cancel;
  std::stop_source force;
  cancel.request_stop();
  SECTION("a cancel") {
    const TenantOutcome outcome =
        house.work({drover::engine::SteadyTime::max(), cancel.get_token(), force.get_token()});
    CHECK(house.stage.log == Log{"before_tenant stopped 2", "after_tenant failed 2"});
    REQUIRE(outcome.fault.has_value());
    CHECK(outcome.fault->kind == "interrupted");
  }
  SECTION("a forced one") {
    force.request_stop();
    house.work({drover::engine::SteadyTime::max(), cancel.get_token(), force.get_token()});
    CHECK(house.stage.log == Log{"before_tenant stopped 2", "after_tenant failed stopped 2"});
  }
}

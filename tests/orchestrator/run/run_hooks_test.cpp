// When the hooks of a run are called, and what follows from their failures.

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "engine/base/system_clock.h"
#include "orchestrator/run/coordinator.h"
#include "orchestrator/run/pool_dispatcher.h"
#include "orchestrator/run_hooks.h"
#include "tests/orchestrator/run/run_fakes.h"
#include "tests/support/memory_journal.h"

using namespace drover::orchestrator;
using namespace std::chrono_literals;
using drover::ErrorCode;
using drover::engine::FaultClass;
using drover::engine::Patience;
using drover::orchestrator::run::Coordinator;
using drover::orchestrator::run::Force;
using drover::orchestrator::run::PoolDispatcher;
using drover::orchestrator::run::RunPlan;
using drover::orchestrator::run::RunResult;
using drover::test::ended;
using drover::test::FakeProbe;
using drover::test::FakeWorker;
using drover::test::fleet_of;
using Latch = drover::test::Gate;
using drover::test::InlineDispatcher;
using drover::test::MemoryJournal;
using drover::test::MemoryStore;
using drover::test::RecordingObserver;
using drover::test::StepClock;

namespace {

using Log = std::vector<std::string>;

/// Writes down what it is called for.
class FakeHooks final : public RunHooks {
 public:
  using Answer = std::function<std::optional<Halt>(const HookFacts&, const Patience&)>;

  bool wants(const HookFacts& facts) const override { return wanted.contains(facts.event); }

  std::optional<Halt> run(const HookFacts& facts, const Patience& patience) override {
    note(text_of(facts));
    return answer ? answer(facts, patience) : std::nullopt;
  }

  std::chrono::milliseconds longest(HookEvent /*event*/) const override { return 10s; }

  std::vector<std::string> take_news() override {
    const std::lock_guard lock(mutex_);
    return std::exchange(news, {});
  }

  void note(std::string text) {
    const std::lock_guard lock(mutex_);
    log_.push_back(std::move(text));
  }

  Log log() const {
    const std::lock_guard lock(mutex_);
    return log_;
  }

  std::set<HookEvent> wanted{HookEvent::run_start,
                             HookEvent::run_end,
                             HookEvent::stage_start,
                             HookEvent::stage_end,
                             HookEvent::failure,
                             HookEvent::halt};
  Answer answer;
  std::vector<std::string> news;

 private:
  /// "stage_end canary", "failure t0 failed", "halt budget_exhausted", "run_end 4"
  static std::string text_of(const HookFacts& facts) {
    std::string text(name_of(facts.event));
    const bool of_stage =
        facts.event == HookEvent::stage_start || facts.event == HookEvent::stage_end;
    text += of_stage ? " " + facts.stage : "";
    text += facts.outcome
                ? fmt::format(" {} {}", facts.tenant->id.value, name_of(facts.outcome->outcome))
                : "";
    text += facts.event == HookEvent::halt ? " " + facts.halt->kind : "";
    text += facts.exit_status ? fmt::format(" {}", *facts.exit_status) : "";
    return text;
  }

  mutable std::mutex mutex_;  // guards all below
  Log log_;
};

FakeHooks::Answer fails_at(HookEvent event, std::string stage = "") {
  return [event, stage](const HookFacts& facts, const Patience&) -> std::optional<Halt> {
    if (facts.event != event || (!stage.empty() && facts.stage != stage)) {
      return std::nullopt;
    }
    return Halt{ErrorCode::halted, "hook_failed", "the hook said no", "Mend it."};
  };
}

/// A run of `tenants`; the first is the stage 'canary' and the others are 'rest'.
struct House {
  explicit House(std::size_t tenants) {
    std::vector<Tenant> fleet = fleet_of(tenants);
    RunRequest request;
    request.environment = "test";
    plan.rollout.stages.resize(2);
    plan.rollout.stages[0].name = "canary";
    plan.rollout.stages[1].name = "rest";
    for (std::size_t i = 0; i < tenants; ++i) {
      request.tenants.push_back(fleet[i].id);
      plan.rollout.stages[i == 0 ? 0 : 1].tenants.push_back(i);
    }
    for (RolloutStage& stage : plan.rollout.stages) {
      stage.before.planned = stage.tenants.size();
      stage.limits.in_flight = 1;
    }
    plan.run = journal.begin_run(request, plan.owner);
    plan.tenants = std::move(fleet);
  }

  /// On a clock that passes by itself, everything on one thread but for the lease.
  RunResult go(const std::function<TenantOutcome(const Tenant&)>& work = {}) {
    FakeWorker worker([&](const Tenant& tenant, int, const Patience&) {
      hooks.note("work " + tenant.id.value);
      return work ? work(tenant) : ended(Outcome::applied);
    });
    FakeProbe probe;
    InlineDispatcher dispatcher(worker);
    plan.lease_taken = clock.now();
    Coordinator coordinator(clock, dispatcher, probe, journal, observer, nullptr, nullptr, &hooks);
    return coordinator.run(plan);
  }

  RunState state() { return journal.run(plan.run.value).state; }

  bool has_passed(const std::string& stage) {
    const std::vector<EventRecord> events = journal.events_of(plan.run);
    return std::any_of(events.begin(), events.end(), [&](const EventRecord& event) {
      return event.kind == "stage_passed" && event.text == stage;
    });
  }

  StepClock clock{2};  // the coordinator and its lease keeper
  std::shared_ptr<MemoryStore> store = std::make_shared<MemoryStore>();
  MemoryJournal journal{store};
  RecordingObserver observer;
  FakeHooks hooks;
  RunPlan plan;
};

}  // namespace

TEST_CASE("the hooks of a run are called around its stages, and its end is the last") {
  House house(3);
  const RunResult result = house.go();
  CHECK(result.exit_status() == 0);
  CHECK(house.hooks.log() == Log{"run_start",
                                 "stage_start canary",
                                 "work t0",
                                 "stage_end canary",
                                 "stage_start rest",
                                 "work t1",
                                 "work t2",
                                 "stage_end rest",
                                 "run_end 0"});
  CHECK(house.has_passed("canary"));
  CHECK(house.has_passed("rest"));
}

TEST_CASE("a run without stages has only a start and an end") {
  House house(2);
  house.plan.rollout = {};
  CHECK(house.go().exit_status() == 0);
  CHECK(house.hooks.log() == Log{"run_start", "work t0", "work t1", "run_end 0"});
}

TEST_CASE("a start that fails ends the run before anything is started") {
  House house(3);
  house.hooks.answer = fails_at(HookEvent::run_start);
  const RunResult result = house.go();
  CHECK(result.exit_status() == 4);
  REQUIRE(result.halt.has_value());
  CHECK(result.halt->kind == "hook_failed");
  CHECK(result.halt->message == "the hook said no");
  CHECK(result.summary.count(Outcome::not_started) == 3);
  CHECK(house.state() == RunState::interrupted);
  CHECK(house.hooks.log() == Log{"run_start", "halt hook_failed", "run_end 4"});
}

TEST_CASE("a stage whose start hook fails starts nothing, and the run can be gone on with") {
  House house(3);
  house.plan.rollout.stages[1].limits.in_flight = 2;
  house.hooks.answer = fails_at(HookEvent::stage_start, "rest");
  const RunResult result = house.go();
  CHECK(result.exit_status() == 4);
  CHECK(result.summary.count(Outcome::applied) == 1);
  CHECK(result.summary.count(Outcome::not_started) == 2);
  CHECK(house.state() == RunState::interrupted);
  CHECK(house.has_passed("canary"));
  CHECK(house.hooks.log() == Log{"run_start",
                                 "stage_start canary",
                                 "work t0",
                                 "stage_end canary",
                                 "stage_start rest",
                                 "halt hook_failed",
                                 "run_end 4"});
  // Nobody has touched them: they are no crashes.
  CHECK(run::crashed_starts(house.journal.tenants_of(house.plan.run)).empty());
}

TEST_CASE("a stage has not passed when its end hook fails, the last one neither") {
  House house(2);
  const std::string stage = GENERATE(as<std::string>{}, "canary", "rest");
  house.hooks.answer = fails_at(HookEvent::stage_end, stage);
  const RunResult result = house.go();
  CHECK(result.exit_status() == 4);
  CHECK(result.summary.count(Outcome::applied) == (stage == "canary" ? 1 : 2));
  CHECK(house.has_passed("canary") == (stage == "rest"));
  CHECK_FALSE(house.has_passed("rest"));
  CHECK(house.state() == RunState::interrupted);
  CHECK(house.observer.stages == (stage == "canary"
                                      ? Log{"canary begins"}
                                      : Log{"canary begins", "canary has passed", "rest begins"}));
}

TEST_CASE("each failure is told, and so is the halt that follows") {
  House house(4);
  house.plan.rollout.stages[1].rules.failure_budget = 1;
  house.hooks.wanted = {HookEvent::failure, HookEvent::halt, HookEvent::run_end};
  const RunResult result = house.go([](const Tenant& tenant) {
    return tenant.id.value == "t0" ? ended(Outcome::applied)
                                   : ended(Outcome::failed, FaultClass::permanent);
  });
  CHECK(result.exit_status() == 4);
  Log log = house.hooks.log();
  CHECK(log.back() == "run_end 4");
  std::sort(log.begin(), log.end());
  CHECK(log == Log{"failure t1 failed",
                   "failure t2 failed",
                   "halt budget_exhausted",
                   "run_end 4",
                   "work t0",
                   "work t1",
                   "work t2"});
}

TEST_CASE("hooks of failures that hang hold nobody up") {
  House house(6);
  house.hooks.wanted = {HookEvent::failure};
  Latch all_done;
  std::atomic<int> worked{0};
  house.hooks.answer = [&](const HookFacts&, const Patience&) {
    all_done.pass();  // until the last tenant has been worked on
    return std::nullopt;
  };
  FakeWorker worker([&](const Tenant& tenant, int, const Patience&) {
    if (++worked == 6) {
      all_done.open();
    }
    return tenant.id.value < "t4" ? ended(Outcome::failed, FaultClass::permanent)
                                  : ended(Outcome::applied);
  });
  FakeProbe probe;
  drover::engine::base::SystemClock clock;
  PoolDispatcher dispatcher(worker, 2);
  house.plan.lease_taken = clock.now();
  Coordinator coordinator(
      clock, dispatcher, probe, house.journal, house.observer, nullptr, nullptr, &house.hooks);
  const RunResult result = coordinator.run(house.plan);
  CHECK(result.summary.count(Outcome::failed) == 4);
  CHECK(house.hooks.log().size() == 4);  // those that had to wait are called as well
}

TEST_CASE("a hook beside the run, or at its end, fails for the exit status only") {
  House house(2);
  const HookEvent event = GENERATE(HookEvent::failure, HookEvent::run_end);
  house.hooks.answer = fails_at(event);
  const RunResult result = house.go([&](const Tenant& tenant) {
    return event == HookEvent::failure && tenant.id.value == "t1"
               ? ended(Outcome::failed, FaultClass::permanent)
               : ended(Outcome::applied);
  });
  CHECK(result.exit_status() == 3);
  CHECK_FALSE(result.halt.has_value());
  CHECK(house.journal.run(house.plan.run.value).exit_status == 3);
  const Log& events = house.observer.events;
  CHECK(std::find(events.begin(), events.end(), "the hook said no") != events.end());
}

TEST_CASE("what hooks have to say is passed on") {
  House house(1);
  house.hooks.news = {"a hook grumbles"};
  house.go();
  CHECK(house.observer.events == Log{"a hook grumbles"});
}

TEST_CASE("a drain lets the hook that is waited for come to its end, and nothing follows on it") {
  House house(3);
  Coordinator* running = nullptr;
  house.hooks.answer = [&](const HookFacts& facts,
                           const Patience& patience) -> std::optional<Halt> {
    if (facts.event == HookEvent::stage_start) {
      running->drain(130);
      CHECK_FALSE(patience.stop.stop_requested());
    }
    return std::nullopt;
  };
  FakeWorker worker([](const Tenant&, int, const Patience&) { return ended(Outcome::applied); });
  FakeProbe probe;
  InlineDispatcher dispatcher(worker);
  house.plan.lease_taken = house.clock.now();
  Coordinator coordinator(house.clock,
                          dispatcher,
                          probe,
                          house.journal,
                          house.observer,
                          nullptr,
                          nullptr,
                          &house.hooks);
  running = &coordinator;
  const RunResult result = coordinator.run(house.plan);
  CHECK(result.exit_status() == 130);
  CHECK(result.summary.count(Outcome::not_started) == 3);
  CHECK(house.hooks.log() ==
        Log{"run_start", "stage_start canary", "halt interrupted", "run_end 130"});
  CHECK(house.state() == RunState::interrupted);
}

TEST_CASE("a cancel stops the hook that is waited for, and the end of the run is told still") {
  House house(2);
  Latch under_way;
  drover::engine::base::SystemClock clock;
  house.hooks.wanted = {HookEvent::stage_start, HookEvent::run_end};
  house.hooks.answer = [&](const HookFacts& facts,
                           const Patience& patience) -> std::optional<Halt> {
    if (facts.event == HookEvent::run_end) {
      return std::nullopt;
    }
    under_way.open();
    clock.wait_until(drover::engine::SteadyTime::max(), patience.stop);
    return Halt{ErrorCode::halted, "hook_failed", "it was stopped", ""};
  };
  FakeWorker worker([](const Tenant&, int, const Patience&) { return ended(Outcome::applied); });
  FakeProbe probe;
  PoolDispatcher dispatcher(worker, 1);
  house.plan.lease_taken = clock.now();
  Coordinator coordinator(
      clock, dispatcher, probe, house.journal, house.observer, nullptr, nullptr, &house.hooks);
  const std::jthread operator_thread([&] {
    under_way.pass();
    coordinator.cancel(130, Force::no);
  });
  const RunResult result = coordinator.run(house.plan);
  CHECK(result.exit_status() == 130);
  CHECK_FALSE(result.halt.has_value());
  CHECK(result.summary.count(Outcome::not_started) == 2);
  CHECK(house.hooks.log() == Log{"stage_start canary", "run_end 130"});
}

TEST_CASE("a pause is told, and the run goes on when it is let go") {
  House house(3);
  house.plan.rollout.stages[1].rules.delay = 20s;  // so that there is time to hear of it
  house.hooks.wanted = {HookEvent::halt};
  std::string told;
  house.hooks.answer = [&](const HookFacts& facts, const Patience&) -> std::optional<Halt> {
    told = facts.stage + ": " + facts.halt->message;
    house.journal.send_control(house.plan.run, {Control::What::go_on, "ann@here"});
    return std::nullopt;
  };
  const RunResult result = house.go([&](const Tenant& tenant) {
    if (tenant.id.value == "t0") {
      house.journal.send_control(house.plan.run, {Control::What::pause, "ann@here"});
    }
    return ended(Outcome::applied);
  });
  CHECK(house.hooks.log() == Log{"work t0", "work t1", "halt run_paused", "work t2"});
  CHECK(told == "rest: ann@here paused the run");
  CHECK(result.summary.count(Outcome::applied) == 3);
}

TEST_CASE("a run that another process has taken leaves the end to that one") {
  House house(2);
  house.plan.rollout.stages[0].limits.in_flight = 1;
  MemoryJournal other(house.store);
  bool taken = false;
  const RunResult result = house.go([&](const Tenant&) {
    if (!std::exchange(taken, true)) {
      house.store->advance(1min);
      other.take_over(house.plan.run, {"ann", "elsewhere", 7});
    }
    return ended(Outcome::unreachable, FaultClass::no_connection);
  });
  CHECK(result.exit_status() == 5);
  const Log log = house.hooks.log();
  CHECK(std::none_of(
      log.begin(), log.end(), [](const std::string& text) { return text.starts_with("run_end"); }));
}

#include "orchestrator/run/coordinator.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <iterator>
#include <numeric>
#include <optional>
#include <stop_token>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "orchestrator/run/inbox.h"
#include "orchestrator/run/lease_keeper.h"
#include "orchestrator/run/run_loop.h"

namespace drover::orchestrator::run {
namespace {

using engine::SteadyTime;
using std::chrono::milliseconds;

constexpr milliseconds kBetweenSnapshots{100};
constexpr milliseconds kLongestSilence{1'000};

std::vector<ScheduledTenant> scheduled(const RunPlan& plan) {
  std::vector<ScheduledTenant> result;
  result.reserve(plan.tenants.size());
  for (const Tenant& tenant : plan.tenants) {
    ScheduledTenant& entry = result.emplace_back();
    entry.id = tenant.id;
    entry.server = tenant.target.server;
    if (const auto known = plan.durations.find(tenant.id); known != plan.durations.end()) {
      entry.known_duration = known->second;
    }
    if (const auto crashed = plan.crashed_starts.find(tenant.id);
        crashed != plan.crashed_starts.end()) {
      entry.crashed_starts = crashed->second;
    }
    if (const auto size = plan.bytes.find(tenant.id); size != plan.bytes.end()) {
      entry.bytes = size->second;
    }
  }
  return result;
}

/// A run without stages has one.
RolloutRules rules_of(const RunPlan& plan) {
  if (!plan.rollout.stages.empty()) {
    return plan.rollout;
  }
  RolloutRules rules;
  rules.seed = plan.seed;
  RolloutStage& all = rules.stages.emplace_back();
  all.name = "all";
  all.limits = plan.limits;
  all.rules.failure_budget = plan.failure_budget;
  all.before.planned = plan.tenants.size();
  all.tenants.resize(plan.tenants.size());
  std::iota(all.tenants.begin(), all.tenants.end(), std::size_t{0});
  return rules;
}

Halt halted_by(const Control& control) {
  return {ErrorCode::halted,
          "halted_by_operator",
          control.reason.empty()
              ? fmt::format("{} halted the run", control.who)
              : fmt::format("{} halted the run: {}", control.who, control.reason),
          "Resume the run to go on."};
}

/// Ends that somebody should be told of.
bool is_failure(Outcome outcome) noexcept {
  return outcome == Outcome::failed || outcome == Outcome::partial ||
         outcome == Outcome::in_doubt || outcome == Outcome::unreachable;
}

}  // namespace

RunLoop::RunLoop(Tools tools, const RunPlan& plan, const engine::Patience& patience)
    : RunLoop(std::move(tools), plan, patience, scheduled(plan)) {}

RunLoop::RunLoop(Tools tools,
                 const RunPlan& plan,
                 const engine::Patience& patience,
                 std::vector<ScheduledTenant> tenants)
    : tools_(std::move(tools)),
      plan_(plan),
      deadline_(patience.deadline),
      progress_(tenants, now()),
      rollout_(std::move(tenants), rules_of(plan)),
      started_(plan.tenants.size(), false),
      hooks_(tools_.hooks,
             [this](std::function<Message()> task, Message otherwise) {
               run_aside(std::move(task), std::move(otherwise));
             }),
      trusted_until_(trusted_until(plan.lease_taken, tools_.journal.lease())) {
  trust_until(trusted_until_);
  result_.tenants.resize(plan.tenants.size());
}

/// What tenants' threads go by as well, before each message.
void RunLoop::trust_until(SteadyTime until) {
  trusted_until_ = until;
  rollout_.trust_lease_until(until);
  if (plan_.trust) {
    plan_.trust->extend(until);
  }
}

RunResult RunLoop::go() {
  {
    const LeaseKeeper keeper(
        tools_.journal,
        tools_.clock,
        plan_.run,
        plan_.owner,
        [inbox = tools_.inbox](Message message) { inbox->push(std::move(message)); });
    hear(now());  // what was said before the run began
    if (!rollout_.stopping()) {
      hooks_.call(facts_of(HookEvent::run_start));
    }
    tick();
    while (!rollout_.finished() || hooks_.awaited()) {
      hear(next_wake());
      check_time();
      tick();
      look_ahead();
      show_progress();
    }
    await_hooks_beside();
    await_asides();
    for (const TenantOutcome& outcome : result_.tenants) {
      result_.summary.add(outcome);
    }
    call_last_hooks();
  }
  end_in_journal();
  tools_.observer.on_progress(progress_.snapshot({}, now()));
  return std::move(result_);
}

/// Waits for something to happen, until `until` at most.
void RunLoop::hear(SteadyTime until) {
  for (Message& message : tools_.inbox->wait(tools_.clock, until)) {
    std::visit(*this, message);
  }
  tell_news();
}

/// Time does not go on for the rollout while it waits for hooks.
void RunLoop::tick() {
  if (!hooks_.awaited()) {
    carry_out(rollout_.tick(now()));
  }
}

SteadyTime RunLoop::next_wake() const {
  SteadyTime wake = shown_at_ + (has_news_ ? kBetweenSnapshots : kLongestSilence);
  if (!hooks_.awaited()) {
    wake = std::min(wake, rollout_.wake_at().value_or(SteadyTime::max()));
  }
  if (store_failure_) {
    wake = std::min(wake, trusted_until_);
  }
  return rollout_.stopping() ? wake : std::min(wake, deadline_);
}

/// What follows from time alone.
void RunLoop::check_time() {
  if (now() >= deadline_ && !rollout_.stopping()) {
    (*this)(CancelWanted{Coordinator::kStoppedByOperator, Force::yes});
  }
  // A store that cannot be written any more ends the run; one that comes back in time does not.
  if (store_failure_ && now() >= trusted_until_) {
    carry_out(rollout_.halt(*std::exchange(store_failure_, std::nullopt), now()));
  }
}

/// Tells who comes next, once for each tenant; not while hooks are called that they wait for.
void RunLoop::look_ahead() {
  const bool may_look = tools_.preparer != nullptr && !hooks_.awaited();
  if (!may_look || !std::exchange(line_moved_, false)) {
    return;
  }
  for (const std::size_t tenant : rollout_.upcoming(tools_.preparer->looks_ahead())) {
    if (announced_.insert(tenant).second) {
      tools_.preparer->prepare(plan_.tenants[tenant]);
    }
  }
}

void RunLoop::show_progress() {
  const SteadyTime at = now();
  if (at < shown_at_ + (has_news_ ? kBetweenSnapshots : kLongestSilence)) {
    return;
  }
  ProgressSnapshot snapshot = progress_.snapshot(rollout_.paused_servers(), at);
  if (std::string waits = rollout_.waits_for(at); !waits.empty()) {
    snapshot.waiting_for = std::move(waits);
  }
  if (const std::optional<HookEvent> event = hooks_.awaited_event()) {
    snapshot.waiting_for = fmt::format("the {} hooks to end", name_of(*event));
  }
  tools_.observer.on_progress(snapshot);
  shown_at_ = at;
  has_news_ = false;
}

/// Each in its order; the rest stays due while hooks are called that it follows on.
void RunLoop::carry_out(RolloutActions actions) {
  std::move(actions.begin(), actions.end(), std::back_inserter(due_));
  while (!hooks_.awaited() && !due_.empty()) {
    RolloutAction action = std::move(due_.front());
    due_.pop_front();
    std::visit(*this, action);
  }
  if (rollout_.stopping()) {
    plan_.stopping.request_stop();
  }
}

void RunLoop::operator()(TenantReturned& message) {
  progress_.returned(message.tenant);
  has_news_ = true;
  carry_out(rollout_.completed(message.tenant, std::move(message.outcome), now()));
}

void RunLoop::operator()(const ProbeReturned& message) {
  --asides_;
  carry_out(rollout_.probed(message.server, message.error, now()));
}

void RunLoop::operator()(const CapacityReturned& message) {
  --asides_;
  carry_out(rollout_.learned_capacity(message.server, message.free, now()));
}

void RunLoop::operator()(const LeaseRenewed& message) {
  store_failure_ = std::nullopt;
  trust_until(message.trusted_until);
}

void RunLoop::operator()(HaltWanted& message) {
  if (message.why.code == ErrorCode::busy) {
    hooks_.stop_awaited();  // the run is someone else's
  }
  carry_out(rollout_.halt(std::move(message.why), now()));
}

void RunLoop::operator()(const DrainWanted& message) {
  result_.interrupted = message.exit_status;
  tell_interrupt();
  carry_out(rollout_.drain(now()));
}

void RunLoop::operator()(const CancelWanted& message) {
  result_.interrupted = message.exit_status;
  tell_interrupt();
  stop_hooks(message.force);
  carry_out(rollout_.cancel(now()));
  if (message.force == Force::yes) {
    force_.request_stop();
  }
}

void RunLoop::operator()(const ControlWanted& message) {
  const Control& control = message.control;
  switch (control.what) {
    case Control::What::pause:
      tell_pause(control);
      carry_out(rollout_.pause(control.who, now()));
      return;
    case Control::What::go_on:
      carry_out(rollout_.go_on(control.who, now()));
      return;
    case Control::What::throttle:
      carry_out(rollout_.throttle(control.in_flight, control.who, now()));
      return;
    case Control::What::retry:
      carry_out(rollout_.retry_failed(control.who, now()));
      return;
    case Control::What::halt:
    case Control::What::cancel:
    case Control::What::force:
      carry_out(rollout_.halt(halted_by(control), now()));
      if (control.what != Control::What::halt) {
        stop_hooks(control.what == Control::What::force ? Force::yes : Force::no);
        carry_out(rollout_.cancel(now()));
      }
      if (control.what == Control::What::force) {
        force_.request_stop();
      }
      return;
    case Control::What::skip:
      break;
  }
  const auto found =
      std::find_if(plan_.tenants.begin(), plan_.tenants.end(), [&](const Tenant& tenant) {
        return tenant.id.value == control.tenant;
      });
  if (found != plan_.tenants.end()) {
    carry_out(rollout_.skip(static_cast<std::size_t>(found - plan_.tenants.begin()),
                            fmt::format("{} ({})", control.reason, control.who),
                            now()));
  }
}

void RunLoop::operator()(CheckReturned& message) {
  --asides_;
  carry_out(rollout_.checked(
      message.asked, message.result.answer, std::move(message.result.text), now()));
}

void RunLoop::operator()(const AskCheck& action) {
  const engine::Patience patience{deadline_, no_asides_.get_token()};
  run_aside(
      [this, action, patience]() -> Message {
        return CheckReturned{action, tools_.checks->ask(action.stage, action.check, patience)};
      },
      CheckReturned{action, {}});
}

void RunLoop::operator()(const StartTenant& action) {
  const Tenant& tenant = plan_.tenants[action.tenant];
  line_moved_ = true;
  if (!started_[action.tenant]) {
    started_[action.tenant] = true;
    tools_.journal.record(TenantStarted{plan_.run, tenant.id, action.attempt});
  }
  progress_.started(action.tenant, action.attempt, now());
  try {
    tools_.dispatcher.start(
        {&tenant, action.attempt, {SteadyTime::max(), cancel_.get_token(), force_.get_token()}},
        [inbox = tools_.inbox, index = action.tenant](TenantOutcome outcome) {
          inbox->push(TenantReturned{index, std::move(outcome)});
        });
  } catch (const Error& error) {
    tools_.inbox->push(HaltWanted{halt_for(error)});
    tools_.inbox->push(TenantReturned{action.tenant, {}});
  }
}

/// The inbox gets what `ask` returns, or `otherwise` when it cannot be asked.
void RunLoop::run_aside(std::function<Message()> ask, Message otherwise) {
  ++asides_;
  try {
    tools_.dispatcher.run_aside(
        [inbox = tools_.inbox, ask = std::move(ask)] { inbox->push(ask()); });
  } catch (const Error& error) {
    tools_.inbox->push(HaltWanted{halt_for(error)});
    tools_.inbox->push(std::move(otherwise));
  }
}

void RunLoop::operator()(const ProbeServer& action) {
  const engine::Patience patience{now() + plan_.probe_timeout, no_asides_.get_token()};
  run_aside(
      [this, action, patience]() -> Message {
        return ProbeReturned{action.server,
                             tools_.probe.probe(plan_.tenants[action.tenant], patience)};
      },
      ProbeReturned{action.server, std::nullopt});
}

void RunLoop::operator()(const AskCapacity& action) {
  const engine::Patience patience{now() + plan_.probe_timeout, no_asides_.get_token()};
  run_aside(
      [this, action, patience]() -> Message {
        return CapacityReturned{
            action.server, tools_.probe.free_connections(plan_.tenants[action.tenant], patience)};
      },
      CapacityReturned{action.server, std::nullopt});
}

void RunLoop::operator()(FinishTenant& action) {
  has_news_ = true;
  progress_.finished(action.tenant, action.outcome, now());
  // One that was never touched stays without an outcome, so that a resume finds it to be done.
  if (started_[action.tenant] || action.outcome.outcome != Outcome::not_started) {
    tools_.journal.record(TenantFinished{plan_.run, action.outcome});
  }
  tools_.observer.on_tenant(action.outcome);
  if (is_failure(action.outcome.outcome)) {
    HookFacts facts = facts_of(HookEvent::failure);
    facts.tenant = &plan_.tenants[action.tenant];
    facts.attempt = action.outcome.attempts;
    facts.outcome = action.outcome;
    hooks_.call_beside(std::move(facts));
  }
  result_.tenants[action.tenant] = std::move(action.outcome);
}

void RunLoop::operator()(const ReopenTenant& action) {
  has_news_ = true;
  started_[action.tenant] = false;  // so that its new start is told to the journal
  progress_.reopened(action.tenant, result_.tenants[action.tenant]);
}

void RunLoop::operator()(HaltRun& action) {
  tell_stop(action.halt);
  result_.halt = std::move(action.halt);
}

void RunLoop::operator()(Note& note) {
  has_news_ = true;
  tools_.observer.on_event(note.text);
  tools_.journal.record(
      RunEvent{plan_.run, std::move(note.tenant), std::move(note.kind), std::move(note.text)});
}

/// They refer to the plan and to this.
void RunLoop::await_asides() {
  no_asides_.request_stop();
  while (asides_ > 0) {
    hear(SteadyTime::max());
  }
}

void RunLoop::end_in_journal() {
  // Whoever goes on with a run that was stopped tries those again that did not go well.
  const bool wants_more =
      rollout_.has_gates_left() ||
      std::any_of(result_.tenants.begin(), result_.tenants.end(), [](const TenantOutcome& outcome) {
        return !went_well(outcome) && !was_left_out(outcome);
      });
  const bool some_left = result_.summary.count(Outcome::not_started) > 0 || stage_left_open_ ||
                         (rollout_.stopping() && wants_more);
  result_.state = some_left ? RunState::interrupted : RunState::finished;
  if (lease_is_lost()) {
    return;  // the run is someone else's
  }
  try {
    tools_.journal.finish_run(plan_.run, result_.state, result_.exit_status());
  } catch (const Error& error) {
    if (!result_.halt || result_.halt->code != ErrorCode::storage) {
      result_.halt = halt_for(error);
    }
  }
}

Coordinator::Coordinator(engine::Clock& clock,
                         Dispatcher& dispatcher,
                         ServerProbe& probe,
                         Journal& journal,
                         RunObserver& observer,
                         StageCheck* checks,
                         TenantPreparer* preparer,
                         RunHooks* hooks)
    : clock_(clock),
      dispatcher_(dispatcher),
      probe_(probe),
      journal_(journal),
      observer_(observer),
      checks_(checks),
      preparer_(preparer),
      hooks_(hooks),
      inbox_(std::make_shared<Inbox>()) {}

Coordinator::~Coordinator() = default;

RunResult Coordinator::run(const RunPlan& plan, const engine::Patience& patience) {
  const std::stop_callback on_stop(patience.stop,
                                   [this] { cancel(kStoppedByOperator, Force::yes); });
  return RunLoop(
             {clock_, dispatcher_, probe_, journal_, observer_, checks_, preparer_, hooks_, inbox_},
             plan,
             patience)
      .go();
}

void Coordinator::drain(int exit_status) {
  inbox_->push(DrainWanted{exit_status});
}

void Coordinator::cancel(int exit_status, Force force) {
  inbox_->push(CancelWanted{exit_status, force});
}

}  // namespace drover::orchestrator::run

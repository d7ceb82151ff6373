// How a run moves from stage to stage, and whom it tells.

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "orchestrator/run/run_loop.h"

namespace drover::orchestrator::run {

using engine::SteadyTime;

namespace {

constexpr std::chrono::milliseconds kBetweenLooks{1'000};

/// The kinds of the journal's events by which a resumed run knows its stages.
constexpr std::string_view kStageEvents[] = {kStageBegun, kStageAtGate, kStagePassed};

}  // namespace

/// Known in the journal before anything follows from it. A stage has passed when its hooks say so
/// too: they are called again by a run that goes on after they failed.
void RunLoop::operator()(const StageMoved& action) {
  if (plan_.rollout.stages.empty()) {
    return;
  }
  const bool passes = action.to == StageMoved::To::passed;
  if (!passes) {
    tell_stage(action);
  }
  const bool has_hooks = passes || (action.to == StageMoved::To::begun && !rollout_.stopping());
  if (!has_hooks) {
    return;
  }
  HookFacts facts = facts_of(passes ? HookEvent::stage_end : HookEvent::stage_start);
  facts.stage = rollout_.stage_at(action.stage).name;
  if (hooks_.call(std::move(facts))) {
    stage_moving_ = action;
  } else if (passes) {
    tell_stage(action);
  }
}

void RunLoop::tell_stage(const StageMoved& moved) {
  const RolloutStage& stage = rollout_.stage_at(moved.stage);
  tools_.journal.record(RunEvent{
      plan_.run, {}, std::string(kStageEvents[static_cast<std::size_t>(moved.to)]), stage.name});
  tools_.observer.on_stage(stage.name, moved.to);
  if (moved.to != StageMoved::To::passed) {
    return;
  }
  try {
    tools_.journal.flush();
  } catch (const Error& error) {
    tools_.inbox->push(HaltWanted{halt_for(error)});
  }
}

/// What the coordinator knows of the moment.
HookFacts RunLoop::facts_of(HookEvent event) const {
  HookFacts facts;
  facts.event = event;
  const bool has_stage = is_of_stage(event) && rollout_.stage() < plan_.rollout.stages.size();
  if (has_stage) {
    facts.stage = rollout_.stage_at(rollout_.stage()).name;
  }
  return facts;
}

void RunLoop::operator()(HookReturned& message) {
  --asides_;
  hooks_.returned(message.event);
  switch (message.event) {
    case HookEvent::failure:
    case HookEvent::halt:
    case HookEvent::run_end:
      if (message.failed) {
        ++result_.failed_hooks;
        tools_.observer.on_event(message.failed->message);
      }
      return;
    default:
      stage_hooks_ended(message.failed);
  }
}

/// Those of a stage, or of the start of the run.
void RunLoop::stage_hooks_ended(const std::optional<Halt>& failed) {
  const std::optional<StageMoved> moved = std::exchange(stage_moving_, std::nullopt);
  const bool passes = moved && moved->to == StageMoved::To::passed;
  RolloutActions halting;
  if (failed) {
    stage_left_open_ = stage_left_open_ || passes;
    if (!rollout_.stopping()) {
      halting = rollout_.halt(*failed, now());
    }
  } else if (passes) {
    tell_stage(*moved);
  }
  if (rollout_.stopping()) {
    take_back_starts();
  }
  carry_out(std::move(halting));
}

/// Tenants and stages whose start was put off, and that nobody wants started any more.
void RunLoop::take_back_starts() {
  std::deque<RolloutAction> rest;
  for (RolloutAction& action : due_) {
    const auto* const moved = std::get_if<StageMoved>(&action);
    if (const auto* start = std::get_if<StartTenant>(&action)) {
      tools_.inbox->push(TenantReturned{start->tenant, {}});
    } else if (moved == nullptr || moved->to != StageMoved::To::begun) {
      rest.push_back(std::move(action));
    }
  }
  due_ = std::move(rest);
}

/// The hooks hear once that the run ends early, whatever else adds to it.
void RunLoop::tell_stop(Halt why) {
  if (!std::exchange(stop_told_, true)) {
    HookFacts facts = facts_of(HookEvent::halt);
    facts.halt = std::move(why);
    hooks_.call_beside(std::move(facts));
  }
}

void RunLoop::tell_interrupt() {
  tell_stop(
      {ErrorCode::halted, "interrupted", "the run is asked to stop", "Resume the run to go on."});
}

void RunLoop::tell_pause(const Control& control) {
  if (rollout_.paused() || rollout_.stopping()) {
    return;
  }
  HookFacts facts = facts_of(HookEvent::halt);
  facts.halt =
      Halt{ErrorCode::waiting, "run_paused", fmt::format("{} paused the run", control.who), ""};
  hooks_.call_beside(std::move(facts));
}

void RunLoop::stop_hooks(Force force) {
  hooks_.stop_awaited();
  hooks_.forget_waiting();
  if (force == Force::yes) {
    hooks_.stop_beside();
  }
}

/// They are given as long as one of them may take, all together.
void RunLoop::await_hooks_beside() {
  const SteadyTime until = now() + hooks_.longest_beside();
  while (hooks_.busy_beside() && now() < until) {
    hear(std::min(until, now() + kBetweenLooks));
    show_progress();
  }
  if (const std::size_t count = hooks_.forget_waiting(); count > 0) {
    tools_.observer.on_event(
        fmt::format("{} hooks of failures and halts are not called: the run is over", count));
  }
  hooks_.stop_beside();
}

/// Of a run that is still ours.
void RunLoop::call_last_hooks() {
  HookFacts facts = facts_of(HookEvent::run_end);
  facts.halt = result_.halt;
  facts.exit_status = result_.exit_status();
  for (const TenantOutcome& outcome : result_.tenants) {
    ++facts.counts[outcome.outcome];
  }
  if (!lease_is_lost() && hooks_.call(std::move(facts))) {
    while (hooks_.awaited()) {
      hear(now() + kBetweenLooks);
      show_progress();
    }
  }
}

void RunLoop::tell_news() {
  for (const std::string& text : hooks_.take_news()) {
    has_news_ = true;
    tools_.observer.on_event(text);
  }
}

}  // namespace drover::orchestrator::run

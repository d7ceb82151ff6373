#include "orchestrator/run/hook_desk.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace drover::orchestrator::run {

HookDesk::HookDesk(RunHooks* hooks, RunAside run_aside)
    : hooks_(hooks), run_aside_(std::move(run_aside)) {}

void HookDesk::run(HookFacts facts, const std::stop_token& stop) {
  const HookEvent event = facts.event;
  run_aside_(
      [hooks = hooks_, facts = std::move(facts), stop]() -> Message {
        return HookReturned{facts.event, hooks->run(facts, {engine::SteadyTime::max(), stop})};
      },
      HookReturned{event,
                   Halt{ErrorCode::storage,
                        "no_threads",
                        fmt::format("the {} hooks cannot be called", name_of(event)),
                        "Raise the limit of threads, then resume the run."}});
}

bool HookDesk::call(HookFacts facts) {
  if (hooks_ == nullptr || !hooks_->wants(facts)) {
    return false;
  }
  awaited_ = facts.event;
  stop_awaited_ = std::stop_source();  // whatever was asked of earlier ones
  run(std::move(facts), stop_awaited_.get_token());
  return true;
}

void HookDesk::call_beside(HookFacts facts) {
  if (hooks_ != nullptr && hooks_->wants(facts)) {
    waiting_.push_back(std::move(facts));
    call_waiting();
  }
}

void HookDesk::call_waiting() {
  while (beside_ < kMostBeside && !waiting_.empty()) {
    ++beside_;
    HookFacts facts = std::move(waiting_.front());
    waiting_.pop_front();
    run(std::move(facts), stop_beside_.get_token());
  }
}

std::chrono::milliseconds HookDesk::longest_beside() const {
  return hooks_ == nullptr
             ? std::chrono::milliseconds(0)
             : std::max(hooks_->longest(HookEvent::failure), hooks_->longest(HookEvent::halt));
}

void HookDesk::returned(HookEvent event) {
  if (is_beside_run(event)) {
    --beside_;
    call_waiting();
  } else {
    awaited_ = std::nullopt;
  }
}

std::size_t HookDesk::forget_waiting() {
  const std::size_t count = waiting_.size();
  waiting_.clear();
  return count;
}

std::vector<std::string> HookDesk::take_news() {
  return hooks_ == nullptr ? std::vector<std::string>() : hooks_->take_news();
}

}  // namespace drover::orchestrator::run

/// When the hooks of a run are called: those that the run waits for, one event at a time, and those
/// beside it, a few at a time and in the order in which things happened.
///
/// The coordinator asks for them and hears of their end by its inbox; nothing here blocks.
///
/// Thread safety: none; the coordinator's thread.

#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "orchestrator/run/inbox.h"
#include "orchestrator/run_hooks.h"

namespace drover::orchestrator::run {

class HookDesk {
 public:
  /// Hooks beside the run, at a time; there must be threads left to probe servers.
  static constexpr std::size_t kMostBeside = 2;

  /// Lets a task run beside the run; the inbox gets what it returns, or else `otherwise`.
  using RunAside = std::function<void(std::function<Message()> task, Message otherwise)>;

  /// `hooks` outlives this; null for a run without any.
  HookDesk(RunHooks* hooks, RunAside run_aside);

  /// Calls the hooks of `facts`; the run waits until returned(). False when there are none.
  bool call(HookFacts facts);
  bool awaited() const noexcept { return awaited_.has_value(); }
  std::optional<HookEvent> awaited_event() const noexcept { return awaited_; }

  /// Has the hooks of `facts` called beside the run.
  void call_beside(HookFacts facts);
  bool busy_beside() const noexcept { return beside_ > 0 || !waiting_.empty(); }

  /// How long those beside the run may go on when there is nothing else left to do.
  std::chrono::milliseconds longest_beside() const;

  /// To be told of each HookReturned.
  void returned(HookEvent event);

  /// The hooks that the run waits for are asked to stop.
  void stop_awaited() { stop_awaited_.request_stop(); }

  /// Events beside the run that have not been seen to are forgotten. How many.
  std::size_t forget_waiting();

  /// ... and hooks that are being called are asked to stop.
  void stop_beside() { stop_beside_.request_stop(); }

  std::vector<std::string> take_news();

 private:
  void run(HookFacts facts, const std::stop_token& stop);
  void call_waiting();

  RunHooks* const hooks_;
  const RunAside run_aside_;
  std::optional<HookEvent> awaited_;
  std::size_t beside_ = 0;  ///< Being called.
  std::deque<HookFacts> waiting_;
  std::stop_source stop_awaited_;
  std::stop_source stop_beside_;
};

}  // namespace drover::orchestrator::run

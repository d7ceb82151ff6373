/// Who calls the hooks of a run: the seam between the run, which knows what happens when, and the
/// programs. api/fleet_hooks.h answers.

#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "engine/clock.h"
#include "orchestrator/hook_facts.h"
#include "orchestrator/schedule.h"

namespace drover::orchestrator {

/// Thread safe. Never throws.
class RunHooks {
 public:
  RunHooks() = default;
  RunHooks(const RunHooks&) = delete;
  RunHooks& operator=(const RunHooks&) = delete;
  virtual ~RunHooks() = default;

  /// Whether run() would call anything.
  virtual bool wants(const HookFacts& facts) const = 0;

  /// Calls the hooks for `facts`, one after the other. Blocks, each for its deadline at most. Why
  /// the first one failed whose failure counts; nullopt: none did.
  virtual std::optional<Halt> run(const HookFacts& facts, const engine::Patience& patience) = 0;

  /// How long the hooks of `event` may take together.
  virtual std::chrono::milliseconds longest(HookEvent event) const = 0;

  /// What people should know of hooks since the last call: those that failed without more.
  virtual std::vector<std::string> take_news() = 0;
};

}  // namespace drover::orchestrator

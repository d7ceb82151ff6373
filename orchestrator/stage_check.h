/// Who asks what a gate wants to know: the seam between the rollout, which decides, and the
/// databases, programs and servers that are asked. gates/ and api/ answer.

#pragma once

#include <cstddef>
#include <string>

#include "engine/clock.h"
#include "orchestrator/gate_watch.h"

namespace drover::orchestrator {

struct CheckResult {
  Answer answer = Answer::inconclusive;
  std::string text;  ///< Why: one sentence without a full stop.
};

/// Thread safe. Blocks; never throws.
class StageCheck {
 public:
  StageCheck() = default;
  StageCheck(const StageCheck&) = delete;
  StageCheck& operator=(const StageCheck&) = delete;
  virtual ~StageCheck() = default;

  /// Asks check number `check` of the gate of stage number `stage`.
  virtual CheckResult ask(std::size_t stage,
                          std::size_t check,
                          const engine::Patience& patience) = 0;
};

}  // namespace drover::orchestrator

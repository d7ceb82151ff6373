/// What must hold between two stages: looks at it in order, and says what to ask next.
///
/// The share of tenants that went well, then the time to pass, then the checks one after the other,
/// then the approvals. Who asks a check is gates/; what follows from the verdict is rollout.h. It
/// has no clock and does no I/O.
///
/// Thread safety: none.

#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/clock.h"

namespace drover::orchestrator {

/// What one look at a check said.
enum class Answer { pass, fail, inconclusive };

/// A Gate without what it asks; see rollout_options.h.
struct GateRules {
  struct CheckRules {
    std::size_t passes = 1;
    std::size_t retries = 0;
    std::chrono::milliseconds interval{0};
  };
  std::optional<std::size_t> success_percent;
  std::chrono::milliseconds soak{0};
  std::vector<CheckRules> checks;
  std::size_t approvals = 0;
};

/// What is known of the stage when its last tenant is done.
struct StageTally {
  std::size_t planned = 0;
  std::size_t went_well = 0;          ///< Applied, or current already.
  std::set<std::string> approved_by;  ///< People.
};

class GateWatch {
 public:
  struct Verdict {
    enum class What {
      wait,  ///< For time, or for the answer under way; see wake_at().
      ask,   ///< The check `check`.
      pass,
      fail,
      inconclusive,  ///< Nobody can say; a person must look.
      unapproved,
    };
    What what = What::wait;
    std::size_t check = 0;
    std::string text;  ///< Why: one sentence without a full stop.
  };

  GateWatch(GateRules rules, StageTally tally, engine::SteadyTime now);

  /// Call it after every event; each `ask` must be answered once.
  Verdict look(engine::SteadyTime now);
  void answered(Answer answer, std::string text, engine::SteadyTime now);

  /// Time to pass stands still.
  void pause(engine::SteadyTime now);
  void go_on(engine::SteadyTime now);

  /// When look() may say something new without an event.
  std::optional<engine::SteadyTime> wake_at() const noexcept;

  /// Left of the time to pass.
  std::chrono::milliseconds soak_left(engine::SteadyTime now) const noexcept;

 private:
  std::optional<Verdict> success_verdict() const;
  std::optional<Verdict> check_verdict(engine::SteadyTime now);

  const GateRules rules_;
  const StageTally tally_;
  engine::SteadyTime soaked_at_;                        ///< When it will have passed,
  std::optional<std::chrono::milliseconds> soak_left_;  ///< ... or, while paused, what is left.
  std::size_t check_ = 0;
  std::size_t passes_ = 0;
  std::size_t tries_ = 0;  ///< That were no pass.
  bool asked_ = false;
  engine::SteadyTime ask_at_ = engine::SteadyTime::min();
  Answer last_ = Answer::pass;
  std::string text_;
};

}  // namespace drover::orchestrator

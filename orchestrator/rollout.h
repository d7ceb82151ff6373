/// A run in stages: a stage's tenants are worked on by a Schedule, then its gate must pass, then
/// the next stage begins. Also where a person pauses, throttles and skips.
///
/// A pure state machine like the Schedule that it drives: the coordinator in production and the
/// simulator in tests tell it what happened, and carry out what it answers. It has no clock, no
/// thread and does no I/O. How tenants come into stages is waves.h, what a gate wants next is
/// gate_watch.h, how much may fail beyond one stage failure_budgets.h.
///
/// Promises: every tenant is finished exactly once. No tenant of a stage starts before the gate of
/// the stage before it has passed. A halted or drained rollout starts nothing more.
///
/// Thread safety: none; one thread drives it.

#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "engine/clock.h"
#include "orchestrator/failure_budgets.h"
#include "orchestrator/gate_watch.h"
#include "orchestrator/options.h"
#include "orchestrator/outcome.h"
#include "orchestrator/schedule.h"

namespace drover::orchestrator {

/// A stage with the tenants that it has left to do.
struct RolloutStage {
  std::string name;
  std::vector<std::size_t> tenants;  ///< Indexes; the order is kept where nothing else decides.
  Limits limits;
  ScheduleOptions rules;  ///< `limits`, `seed` and `on_failure` are set by the rollout.
  GateRules gate;
  StageTally before;        ///< What earlier processes did; `planned` counts all of its tenants.
  bool passed = false;      ///< Its gate has passed before.
  bool has_window = false;  ///< The calendar tells when it is open.
  std::optional<std::chrono::milliseconds> progress_deadline;
};

/// When tenants of a stage may be started: the span that is open at a time, or the next one.
struct OpenBetween {
  engine::SteadyTime opens;
  engine::SteadyTime closes;
};

struct RolloutRules {
  std::vector<RolloutStage> stages;  ///< At least one. Every tenant is in exactly one.
  BudgetRules budgets;
  std::vector<TenantOutcome> failed_before;  ///< Failures of earlier processes that count.
  std::function<OpenBetween(std::size_t stage, engine::SteadyTime now)> calendar;
  std::uint32_t seed = 0;
};

// What is to be done, beside what a Schedule wants.
struct AskCheck {
  std::size_t stage;
  std::size_t check;
};
struct StageMoved {
  enum class To {
    begun,   ///< With tenants to do.
    gate,    ///< They are done; only where the gate asks for something.
    passed,  ///< On to the next.
  };
  std::size_t stage;
  To to;
};
using RolloutAction = std::variant<StartTenant,
                                   ProbeServer,
                                   AskCapacity,
                                   FinishTenant,
                                   ReopenTenant,
                                   CancelWork,
                                   HaltRun,
                                   Note,
                                   AskCheck,
                                   StageMoved>;
using RolloutActions = std::vector<RolloutAction>;

class Rollout {
 public:
  Rollout(std::vector<ScheduledTenant> tenants, RolloutRules rules);
  ~Rollout();

  // What happened. Each call returns what is to be done now; whoever calls must do all of it, in
  // order, and answer every StartTenant, ProbeServer, AskCapacity and AskCheck with one event.
  RolloutActions tick(engine::SteadyTime now);
  RolloutActions completed(std::size_t tenant, TenantOutcome outcome, engine::SteadyTime now);
  RolloutActions probed(std::size_t server,
                        const std::optional<engine::SqlError>& error,
                        engine::SteadyTime now);
  RolloutActions learned_capacity(std::size_t server,
                                  std::optional<std::size_t> free,
                                  engine::SteadyTime now);
  RolloutActions checked(const AskCheck& asked,
                         Answer answer,
                         std::string text,
                         engine::SteadyTime now);

  // What a person or the process wants; see Schedule.
  RolloutActions drain(engine::SteadyTime now);
  RolloutActions cancel(engine::SteadyTime now);
  RolloutActions halt(Halt why, engine::SteadyTime now);
  RolloutActions pause(const std::string& who, engine::SteadyTime now);
  RolloutActions go_on(const std::string& who, engine::SteadyTime now);
  RolloutActions throttle(std::size_t in_flight, const std::string& who, engine::SteadyTime now);
  RolloutActions skip(std::size_t tenant, const std::string& reason, engine::SteadyTime now);

  /// Tenants of the stage under way that failed have another turn; a gate that is being looked at
  /// begins anew after them.
  RolloutActions retry_failed(const std::string& who, engine::SteadyTime now);
  void trust_lease_until(engine::SteadyTime until) noexcept;

  /// When to call tick() if nothing happens before; nullopt: only an event goes on.
  std::optional<engine::SteadyTime> wake_at() const noexcept;

  bool finished() const noexcept { return phase_ == Phase::over; }
  bool stopping() const noexcept { return stopping_; }

  /// Ended before the gate of its last stage, where there is one to pass.
  bool has_gates_left() const noexcept;
  bool paused() const noexcept { return paused_; }
  std::size_t stage() const noexcept { return stage_; }

  /// Up to `most` tenants of the stage under way that wait for their turn, those that will have it
  /// first in front. None once it is stopping.
  std::vector<std::size_t> upcoming(std::size_t most) const;
  const RolloutStage& stage_at(std::size_t index) const { return rules_.stages.at(index); }
  std::vector<PausedServer> paused_servers() const;

  /// What keeps it from starting tenants, for people: "gate of stage 'canary': ..."; empty:
  /// nothing.
  std::string waits_for(engine::SteadyTime now) const;

 private:
  enum class Phase { before_stage, in_stage, at_gate, over };

  RolloutActions settle(engine::SteadyTime now);
  bool advance(engine::SteadyTime now);
  void begin_stage(engine::SteadyTime now);
  void end_stage(engine::SteadyTime now);
  bool pass_gate(engine::SteadyTime now);
  void end_early();
  void look_at_window(engine::SteadyTime now);
  void look_for_progress(engine::SteadyTime now);
  void stop_because(Halt why, engine::SteadyTime now);
  void take(Actions actions);
  void take_finished(FinishTenant action);
  void note(std::string kind, std::string text, std::string tenant = {});

  const RolloutRules rules_;
  std::vector<ScheduledTenant> tenants_;
  std::vector<std::size_t> place_;              ///< Of each tenant, in its stage.
  std::vector<std::size_t> stage_of_;           ///< Settled before this process: of no stage.
  std::map<std::size_t, std::string> skipped_;  ///< Before their stage began.
  FailureBudgets budgets_;

  Phase phase_ = Phase::before_stage;
  std::size_t stage_ = 0;
  std::unique_ptr<Schedule> schedule_;  ///< Of the stage under way, until it has passed its gate.
  std::size_t first_server_ = 0;        ///< The number of the schedule's first server.
  std::size_t servers_so_far_ = 0;
  StageTally tally_;
  std::optional<GateWatch> gate_;
  std::optional<std::size_t> throttled_to_;
  bool paused_ = false;
  bool stopping_ = false;
  engine::SteadyTime closes_ = engine::SteadyTime::min();  ///< Of the window last looked at.
  engine::SteadyTime opens_ = engine::SteadyTime::min();
  engine::SteadyTime stalls_at_ = engine::SteadyTime::max();
  engine::SteadyTime trusted_until_ = engine::SteadyTime::max();
  RolloutActions actions_;
};

}  // namespace drover::orchestrator

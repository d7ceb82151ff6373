/// One run of the coordinator, from its first tick to its result: what it hears, what it does, and
/// what it keeps of both. Its part that has to do with stages and hooks is run_loop_hooks.cpp.
///
/// For coordinator.cpp only.
///
/// Thread safety: none; the thread that runs.

#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <utility>
#include <vector>

#include "engine/clock.h"
#include "orchestrator/dispatcher.h"
#include "orchestrator/journal.h"
#include "orchestrator/rollout.h"
#include "orchestrator/run/hook_desk.h"
#include "orchestrator/run/inbox.h"
#include "orchestrator/run/run_plan.h"
#include "orchestrator/stage_check.h"

namespace drover::orchestrator::run {

/// The tools of a run; see Coordinator.
struct Tools {
  engine::Clock& clock;
  Dispatcher& dispatcher;
  ServerProbe& probe;
  Journal& journal;
  RunObserver& observer;
  StageCheck* checks;        ///< May be absent: then no gate asks anything.
  TenantPreparer* preparer;  ///< May be absent.
  RunHooks* hooks;           ///< May be absent.
  std::shared_ptr<Inbox> inbox;
};

/// One run from its first tick to its result.
class RunLoop {
 public:
  RunLoop(Tools tools, const RunPlan& plan, const engine::Patience& patience);

  RunResult go();

  // What the inbox brings.
  void operator()(TenantReturned& message);
  void operator()(const ProbeReturned& message);
  void operator()(const CapacityReturned& message);
  void operator()(const LeaseRenewed& message);
  void operator()(LeaseNotRenewed& message) { store_failure_ = std::move(message.why); }
  void operator()(HaltWanted& message);
  void operator()(const DrainWanted& message);
  void operator()(const CancelWanted& message);
  void operator()(const ControlWanted& message);
  void operator()(CheckReturned& message);
  void operator()(HookReturned& message);

  // What the schedule wants.
  void operator()(const StartTenant& action);
  void operator()(const ProbeServer& action);
  void operator()(const AskCapacity& action);
  void operator()(FinishTenant& action);
  void operator()(const ReopenTenant& action);
  void operator()(const CancelWork&) { cancel_.request_stop(); }
  void operator()(HaltRun& action);
  void operator()(Note& note);
  void operator()(const AskCheck& action);
  void operator()(const StageMoved& action);

 private:
  RunLoop(Tools tools,
          const RunPlan& plan,
          const engine::Patience& patience,
          std::vector<ScheduledTenant> tenants);

  engine::SteadyTime now() const { return tools_.clock.now(); }
  void tick();
  void carry_out(RolloutActions actions);
  void hear(engine::SteadyTime until);
  engine::SteadyTime next_wake() const;
  void check_time();
  void look_ahead();
  void trust_until(engine::SteadyTime until);
  void show_progress();
  void run_aside(std::function<Message()> ask, Message otherwise);
  void await_asides();
  HookFacts facts_of(HookEvent event) const;
  void tell_stage(const StageMoved& moved);
  void tell_stop(Halt why);
  void tell_interrupt();
  void tell_pause(const Control& control);
  void stop_hooks(Force force);
  void stage_hooks_ended(const std::optional<Halt>& failed);
  void take_back_starts();
  void await_hooks_beside();
  void call_last_hooks();
  void tell_news();
  void end_in_journal();
  bool lease_is_lost() const { return result_.halt && result_.halt->code == ErrorCode::busy; }

  Tools tools_;
  const RunPlan& plan_;
  engine::SteadyTime deadline_;
  Progress progress_;
  Rollout rollout_;
  RunResult result_;
  std::stop_source cancel_;     ///< Ends tenants under way,
  std::stop_source force_;      ///< ... also inside of statements that cancel_ lets end,
  std::stop_source no_asides_;  ///< ... and probes that nobody needs any more.
  std::vector<bool> started_;   ///< By this process.
  std::size_t asides_ = 0;      ///< Probes, questions and hooks that are under way.
  HookDesk hooks_;
  std::deque<RolloutAction> due_;           ///< Waits for hooks to end.
  std::optional<StageMoved> stage_moving_;  ///< What the hooks under way are called for.
  bool stage_left_open_ = false;            ///< One has not passed, for its hooks' sake.
  bool stop_told_ = false;                  ///< To the hooks.
  engine::SteadyTime trusted_until_;
  std::optional<Halt> store_failure_;  ///< Why the lease could not be renewed lately.
  engine::SteadyTime shown_at_ = engine::SteadyTime::min();
  bool has_news_ = true;
  bool line_moved_ = true;           ///< Somebody has left the line since look_ahead().
  std::set<std::size_t> announced_;  ///< By look_ahead().
};

}  // namespace drover::orchestrator::run

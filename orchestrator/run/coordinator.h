/// Runs one plan: carries out what a Schedule decides.
///
/// The schedule says what is to be done; the dispatcher does it; the journal is told. One thread,
/// the caller's, does all of that, and never blocks but to wait for something to happen. The lease
/// is renewed beside it; when it is not, nothing is started until it is (see lease_keeper.h).
///
/// Hooks of the run and of stages are called beside it as well: while one is under way that
/// something follows on, what the schedule wants is put off until its end.
///
/// In the journal a tenant is started once per process, with the number of processes that have
/// tried; attempts after the first are events. So what is left without an outcome after a crash
/// counts crashes, not retries.
///
/// Thread safety: run() once, on any thread; drain() and cancel() from any thread at any moment,
/// before run() too.
///
/// Errors: tenants that go wrong, a lost lease and a store that fails are in the RunResult. Throws
/// nothing of its own.

#pragma once

#include <memory>

#include "engine/clock.h"
#include "orchestrator/dispatcher.h"
#include "orchestrator/journal.h"
#include "orchestrator/run/run_plan.h"
#include "orchestrator/run_hooks.h"
#include "orchestrator/stage_check.h"

namespace drover::orchestrator::run {

class Inbox;

class Coordinator {
 public:
  /// The exit status of a run that a program, not a signal, has stopped.
  static constexpr int kStoppedByOperator = 4;

  /// All references must outlive the Coordinator. `checks` may be absent for a run whose gates ask
  /// nothing, `preparer` where nothing is done ahead, `hooks` for a run that has none. Those of
  /// single tenants are the worker's affair.
  Coordinator(engine::Clock& clock,
              Dispatcher& dispatcher,
              ServerProbe& probe,
              Journal& journal,
              RunObserver& observer,
              StageCheck* checks = nullptr,
              TenantPreparer* preparer = nullptr,
              RunHooks* hooks = nullptr);
  ~Coordinator();

  /// Blocks until every tenant of `plan` has an outcome and the run is ended in the journal. A stop
  /// or a deadline cancels the run.
  RunResult run(const RunPlan& plan, const engine::Patience& patience = {});

  /// Starts nothing more; what is under way comes to its end. `exit_status` is what the run then
  /// ends with.
  void drain(int exit_status = kStoppedByOperator);

  /// As drain(), and asks what is under way to stop; statements that would leave something
  /// half-made behind (CONCURRENTLY) come to their end unless `force` says so.
  void cancel(int exit_status = kStoppedByOperator, Force force = Force::no);

 private:
  engine::Clock& clock_;
  Dispatcher& dispatcher_;
  ServerProbe& probe_;
  Journal& journal_;
  RunObserver& observer_;
  StageCheck* checks_;
  TenantPreparer* preparer_;
  RunHooks* hooks_;

  /// Shared with whatever has yet to answer; the last of them ends it.
  std::shared_ptr<Inbox> inbox_;
};

}  // namespace drover::orchestrator::run

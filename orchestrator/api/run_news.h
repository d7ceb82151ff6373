/// Adds to what an observer of a run is told how the run's backups and batches go.
///
/// Thread safety: as RunObserver.

#pragma once

#include <string>

#include "orchestrator/api/run_backups.h"
#include "orchestrator/api/run_batches.h"
#include "orchestrator/run/run_plan.h"

namespace drover::orchestrator {

class RunNews final : public run::RunObserver {
 public:
  /// All must outlive the object; `backups` may be absent.
  RunNews(run::RunObserver& to, const RunBackups* backups, const RunBatches& batches)
      : to_(to), backups_(backups), batches_(batches) {}

  void on_progress(const ProgressSnapshot& snapshot) override;
  void on_tenant(const TenantOutcome& outcome) override { to_.on_tenant(outcome); }
  void on_stage(const std::string& name, StageMoved::To to) override { to_.on_stage(name, to); }
  void on_event(const std::string& text) override { to_.on_event(text); }

  /// What is to be said at the end: who was changed without a backup where a policy of best effort
  /// lets that happen, and what of the servers batches could not watch.
  void tell_rest();

 private:
  run::RunObserver& to_;
  const RunBackups* const backups_;
  const RunBatches& batches_;
};

}  // namespace drover::orchestrator

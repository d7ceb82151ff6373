/// Adds to what an observer of a run is told how the run's backups go.
///
/// Thread safety: as RunObserver.

#pragma once

#include <string>

#include "orchestrator/api/run_backups.h"
#include "orchestrator/run/run_plan.h"

namespace drover::orchestrator {

class BackupNews final : public run::RunObserver {
 public:
  /// Both must outlive the object; `backups` may be absent.
  BackupNews(run::RunObserver& to, const RunBackups* backups) : to_(to), backups_(backups) {}

  void on_progress(const ProgressSnapshot& snapshot) override;
  void on_tenant(const TenantOutcome& outcome) override { to_.on_tenant(outcome); }
  void on_stage(const std::string& name, StageMoved::To to) override { to_.on_stage(name, to); }
  void on_event(const std::string& text) override { to_.on_event(text); }

  /// Where a policy of best effort has let tenants be changed all the same.
  void tell_who_has_none();

 private:
  run::RunObserver& to_;
  const RunBackups* const backups_;
};

}  // namespace drover::orchestrator

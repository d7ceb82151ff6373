/// Asks what the gates of a run want to know: SQL of every tenant of a stage or of a control
/// database, a program, a web page.
///
/// What follows from the answers is gate_watch.h.
///
/// Thread safety: ask() from any thread.

#pragma once

#include <map>
#include <string>
#include <vector>

#include "orchestrator/api/workspace.h"
#include "orchestrator/journal.h"
#include "orchestrator/plan.h"
#include "orchestrator/stage_check.h"

namespace drover::orchestrator {

class FleetChecks final : public StageCheck {
 public:
  /// `workspace` and `journal` must outlive it; `plan` may be null for a run without stages.
  FleetChecks(Workspace& workspace, Journal& journal, RunId run, const Plan* plan);

  CheckResult ask(std::size_t stage, std::size_t check, const engine::Patience& patience) override;

 private:
  CheckResult ask_sql(const SqlProbe& probe, std::size_t stage, const engine::Patience& patience);
  CheckResult ask_tenant(const SqlProbe& probe,
                         const Tenant& tenant,
                         const engine::Patience& patience);
  engine::Patience no_longer_than(const engine::Patience& patience) const;
  CheckResult ask_control(const SqlProbe& probe, const engine::Patience& patience);

  std::vector<Tenant> healthy_members(std::size_t stage) const;

  Workspace& workspace_;
  Journal& journal_;
  const RunId run_;
  std::map<TenantId, std::size_t> wave_of_;
  std::size_t planned_waves_ = 0;
};

}  // namespace drover::orchestrator

/// Freezes what a run is to do into a Plan, and says how a Plan is carried out.
///
/// Reading where the tenants stand is fleet_status.h, who belongs to which wave waves.h, and the
/// file plan/plan_file.h. Nothing here changes a tenant.
///
/// Thread safety: free functions.

#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/tenant_plan.h"
#include "orchestrator/api/workspace.h"
#include "orchestrator/plan.h"
#include "orchestrator/rollout.h"
#include "orchestrator/standing.h"

namespace drover::orchestrator {

/// What a plan is made of.
struct FleetPlanRequest {
  const Environment& environment;
  const engine::MigrationSet& migrations;
  const engine::Goal& goal;
  const std::vector<Tenant>& fleet;    ///< All of it: a tenant's wave does not hang on a selection.
  const std::vector<Tenant>& tenants;  ///< Those to plan for.
  const std::vector<TenantStanding>& standings;  ///< One of each tenant, in their order.
  std::string author;
  WallTime now;
  bool whole_fleet;                                ///< `tenants` is no selection.
  const std::map<TenantId, std::string>& targets;  ///< Of those that do not go where `goal` says.
  std::vector<PlanFinding> findings = {};          ///< Of the preflight.
};

/// The rollout of `environment`; one stage of everybody where it has none.
RolloutOptions rollout_of(const Environment& environment);

/// Whether a stage of `rollout` chooses or orders tenants by how large they are.
bool asks_for_sizes(const RolloutOptions& rollout);

/// Throws Error usage: those of assign_waves(), GraphError.
Plan make_plan(const FleetPlanRequest& request);

/// Where `tenant` stood when it was planned, for Target::planned; nullopt when it was not readable.
std::optional<engine::PlannedStart> planned_start(const PlannedTenant& tenant);

/// What a plan is carried out with.
struct RolloutMeans {
  const Environment& environment;
  Limits limits;
  std::uint32_t seed = 0;
  bool reversed = false;  ///< The last stage first, without gates and windows: to undo a run.
};

/// The stages of `plan` for `tenants`, each in the wave that the plan gives it. Tenants that the
/// plan does not know are a last wave of their own, "late joiners".
RolloutRules rollout_rules(const Plan& plan,
                           const std::vector<Tenant>& tenants,
                           const RolloutMeans& means);

}  // namespace drover::orchestrator

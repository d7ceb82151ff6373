#include "orchestrator/plan.h"

namespace drover::orchestrator {

std::map<engine::RevisionId, std::size_t> tenants_by_revision(const Plan& plan) {
  std::map<engine::RevisionId, std::size_t> tenants;
  for (const PlannedTenant& tenant : plan.tenants) {
    if (tenant.unfit.empty()) {
      for (const engine::RevisionId& id : plan.step_lists.at(tenant.steps)) {
        ++tenants[id];
      }
    }
  }
  return tenants;
}

}  // namespace drover::orchestrator

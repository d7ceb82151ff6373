#include "orchestrator/rollout_resume.h"

#include <utility>

#include "orchestrator/turn.h"

namespace drover::orchestrator {
namespace {

void take_into_account(const TenantOutcome& outcome, RolloutStage& stage, RolloutRules& rules) {
  stage.before.went_well += went_well(outcome) ? 1U : 0U;
  stage.before.planned -= was_left_out(outcome) ? 1U : 0U;
  // A server that was away is nobody's failure, see Schedule.
  const bool by_server = outcome.fault && outcome.outcome == Outcome::unreachable &&
                         outcome.fault->fault_class == engine::FaultClass::server_down;
  if (counts_as_failure(outcome) && !by_server) {
    ++stage.rules.failed_before;
    rules.failed_before.push_back(outcome);
  }
}

}  // namespace

RolloutRules continued(RolloutRules rules, const RunSoFar& so_far) {
  for (RolloutStage& stage : rules.stages) {
    stage.before.planned = stage.tenants.size();
    stage.passed = so_far.passed.contains(stage.name);
    if (const auto found = so_far.approved_by.find(stage.name); found != so_far.approved_by.end()) {
      stage.before.approved_by = found->second;
    }
    std::vector<std::size_t> left;
    for (const std::size_t tenant : stage.tenants) {
      const std::optional<TenantOutcome>& known = so_far.settled.at(tenant);
      if (known) {
        take_into_account(*known, stage, rules);
      } else {
        left.push_back(tenant);
      }
    }
    stage.tenants = std::move(left);
  }
  return rules;
}

}  // namespace drover::orchestrator

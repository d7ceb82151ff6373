/// Where a rollout goes on that was cut short: by a crash, a halt, or a person.
///
/// Thread safety: pure functions.

#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "orchestrator/rollout.h"

namespace drover::orchestrator {

/// What earlier processes of a run have left behind.
struct RunSoFar {
  /// Of each tenant, an outcome that stays; nullopt: it is to be worked on (again).
  std::vector<std::optional<TenantOutcome>> settled;
  std::set<std::string> passed;                              ///< Stages whose gate has passed.
  std::map<std::string, std::set<std::string>> approved_by;  ///< People, by stage.
};

/// `rules` less what is settled: those tenants leave their stages, and what became of them counts
/// for gates and budgets. Stages of `rules` hold all of their tenants.
RolloutRules continued(RolloutRules rules, const RunSoFar& so_far);

}  // namespace drover::orchestrator

/// Does a plan agree with itself? Not whether it fits the fleet or the files: the run looks at
/// that.
///
/// Thread safety: pure functions.

#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "orchestrator/plan.h"

namespace drover::orchestrator::plan {

struct PlanDefect {
  std::string what;                   ///< A message.
  std::optional<std::size_t> tenant;  ///< The one that it is about, by its index.
};

/// The first of: a revision twice, a step that is no revision of the plan, a step list twice, a
/// tenant twice, a wave or step list that is not there, a wave that counts other tenants than name
/// it. An unfit tenant has no steps: where there are no step lists at all, its index is 0.
std::optional<PlanDefect> defect_of(const Plan& plan);

}  // namespace drover::orchestrator::plan

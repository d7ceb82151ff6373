/// Equal faults of many tenants, told once.
///
/// Thread safety: a pure function.

#pragma once

#include <string>
#include <vector>

#include "orchestrator/outcome.h"

namespace drover::orchestrator::report {

/// A paragraph for each of `groups`: how many tenants, the cause, the first of them by name, who is
/// in the way, the hint. At most kMostCauses of them, then how many more there are. Empty for none.
std::string causes_text(const std::vector<FaultGroup>& groups);

constexpr std::size_t kMostCauses = 10;

}  // namespace drover::orchestrator::report

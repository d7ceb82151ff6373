/// A plan as people read it: before they say yes to it, and when they look at the file.
///
/// Thread safety: pure functions.

#pragma once

#include <string>

#include "orchestrator/plan.h"

namespace drover::orchestrator::cli {

/// What it is, its digest, its waves, its revisions, and what the preflight saw.
std::string plan_text(const Plan& plan);

/// "0003, 0004"; "base" where nothing is applied.
std::string heads_text(const std::vector<engine::RevisionId>& heads);

/// A row for each tenant: its wave, where it stands, its steps, why it is in the wave.
std::string tenants_table(const Plan& plan);

}  // namespace drover::orchestrator::cli

/// Where a fleet stands: as a document, as a table, as an exit status.
///
/// Thread safety: pure functions.

#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/tenant_status.h"
#include "orchestrator/report/document.h"
#include "orchestrator/standing.h"

namespace drover::orchestrator::report {

std::map<engine::TenantState, std::size_t> state_counts(
    const std::vector<TenantStanding>& standings);

/// INTERFACE §3: summary with every state, and the tenants in the fleet's order.
Document status_document(const Occasion& occasion, const std::vector<TenantStanding>& standings);

/// "400 tenants: 3 behind, 397 current"
std::string status_counts_line(const std::vector<TenantStanding>& standings);

enum class Rows { needed, all };

/// For people: the tenants that need attention (a small fleet: all), the worst first, then equal
/// causes with their number, then the counts. `width` as in table.h.
std::string status_text(const std::vector<TenantStanding>& standings,
                        std::optional<std::size_t> width,
                        Rows rows = Rows::needed);

enum class PendingCounts { no, yes };  ///< --detailed-exitcode

/// INTERFACE §4: 7 for edited, unknown_revision and diverged tenants; 5 or 6 when that is the cause
/// of every tenant that is not held; 3 for what could not be read; then 10 for pending changes.
int status_exit(const std::vector<TenantStanding>& standings, PendingCounts pending);

}  // namespace drover::orchestrator::report

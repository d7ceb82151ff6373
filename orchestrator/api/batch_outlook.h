/// What the batches of a run would meet in its tenants, looked for before it: PostgreSQL tenants
/// with a batch to come are asked for its table, its key and the server's plan for its statement.
///
/// What would certainly fail becomes the fault of the tenant. What a revision before the batch may
/// still change, as it names the table, does not: of that a PlanFinding tells, of kind
/// batch_refused, unless it is only that a table or column is not there yet. A finding of kind
/// `batches` says how many rows each batch goes through.
///
/// SQLite files are not opened; what is wrong there the batch itself tells before its first row.
///
/// Thread safety: one call is one caller's; it uses threads of its own.

#pragma once

#include <vector>

#include "engine/migration_set.h"
#include "engine/tenant_session.h"
#include "orchestrator/options.h"
#include "orchestrator/plan.h"
#include "orchestrator/standing.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator {

struct BatchOutlookRequest {
  engine::SessionFactory& sessions;
  engine::Clock& clock;
  engine::ApproachOptions approach;
  Limits limits;
  const engine::MigrationSet& migrations;
};

/// Of the tenants whose standing has no fault, by what is pending there. `standings` are in the
/// order of `tenants`, and get the faults.
std::vector<PlanFinding> look_at_batches(const BatchOutlookRequest& request,
                                         const std::vector<Tenant>& tenants,
                                         std::vector<TenantStanding>& standings,
                                         const engine::Patience& patience);

}  // namespace drover::orchestrator

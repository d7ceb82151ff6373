/// What a run would meet that no history tells, looked for before it: rights, standbys, locks that
/// are held, room on the server, the size of tenants.
///
/// PostgreSQL tenants are asked at their direct address, those of one database in one message;
/// SQLite files are looked at and not opened. Nothing is changed and nothing is locked.
///
/// What would certainly fail becomes the fault of the tenant: standby, read_only,
/// permission_denied, unreachable. What may not is a PlanFinding:
///
///     lock_held        somebody changes the tenant, or a dead session still holds its lock
///     foreign_objects  tables there belong to a role that ours is not a member of
///     few_connections  the server has fewer left than the run may want
///     little_disk      less is free than the tenants hold that are changed there at once; known
///                      for SQLite, and for a server on this machine whose directory we may know
///     old_transactions transaction ids of the database are half used up (autovacuum is behind)
///
/// Thread safety: one call is one caller's; it uses threads of its own.

#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/tenant_session.h"
#include "orchestrator/options.h"
#include "orchestrator/plan.h"
#include "orchestrator/standing.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator {

struct PreflightRequest {
  engine::SessionFactory& sessions;
  engine::Clock& clock;
  engine::ApproachOptions approach;
  Limits limits;
  bool sizes = false;  ///< Of every tenant, not only of those that are to be changed.
};

struct PreflightResult {
  std::vector<PlanFinding> findings;
  std::map<std::string, int> server_versions;  ///< 150020, of the PostgreSQL servers that were met.
};

/// Looks at the tenants whose standing has no fault and which `is_to_change`, in the order of
/// `tenants`. Writes size and fault into their standings, which are in the same order.
PreflightResult preflight(const PreflightRequest& request,
                          const std::vector<Tenant>& tenants,
                          const std::vector<bool>& is_to_change,
                          std::vector<TenantStanding>& standings,
                          const engine::Patience& patience);

}  // namespace drover::orchestrator

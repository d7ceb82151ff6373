/// Where every tenant of a fleet stands, asked now.
///
/// Many at a time, with the fleet's limits; the schemas of one database in a few statements on one
/// session. The tenants' own histories answer; the journal is never asked. Memory holds what is
/// reported and no history.
///
/// Thread safety: one call is one caller's; it uses threads of its own.

#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/migration_set.h"
#include "engine/tenant_session.h"
#include "orchestrator/options.h"
#include "orchestrator/standing.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator {

struct FleetStatusRequest {
  engine::SessionFactory& sessions;
  engine::Clock& clock;
  const engine::MigrationSet& migrations;
  engine::ApproachOptions approach;
  Limits limits;
  std::string target = "heads";

  /// Called after each tenant, on any thread but one at a time, with how many are done.
  std::function<void(std::size_t done)> on_progress = {};

  std::string run = {};  ///< Whose revisions are to be told apart; empty: no run's.
};

/// One answer for each of `tenants`, in their order.
///
/// Throws GraphError when the target makes no sense.
std::vector<TenantStanding> read_fleet_status(const FleetStatusRequest& request,
                                              const std::vector<Tenant>& tenants,
                                              const engine::Patience& patience);

}  // namespace drover::orchestrator

// Tenants whose steps are tried and taken back.

#include "engine/postgres/pg_blocker_watch.h"
#include "orchestrator/api/errands.h"
#include "orchestrator/api/fleet_run.h"
#include "orchestrator/api/fleet_worker.h"

namespace drover::orchestrator {

std::vector<TenantRehearsal> FleetRun::rehearse(const engine::Patience& patience) {
  engine::Clock& clock = workspace_.clock();
  engine::postgres::PgBlockerWatch watch(workspace_.sessions());
  PerDatabaseGate gate(clock, limits().concurrent_ddl);
  const engine::Executor executor(
      workspace_.sessions(), clock, *migrations_, executor_options(), watch, gate);
  std::vector<TenantRehearsal> rehearsals(request_.tenants.size());
  const auto one_each = errands_by_database(request_.tenants, 1, [](std::size_t) { return true; });
  carry_out(one_each, limits(), [&](const Errand& errand) {
    const std::size_t index = errand.tenants.front();
    const Tenant& tenant = request_.tenants[index];
    rehearsals[index] = {
        tenant.id, executor.rehearse(tenant.target, facts_of(tenant), request_.goal, patience)};
  });
  return rehearsals;
}

}  // namespace drover::orchestrator

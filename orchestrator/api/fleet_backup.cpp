#include "orchestrator/api/fleet_backup.h"

#include <algorithm>
#include <mutex>

#include "orchestrator/api/errands.h"
#include "orchestrator/api/fleet_preflight.h"
#include "orchestrator/api/fleet_status.h"

namespace drover::orchestrator {
namespace {

/// What `standing` says of the tenant, for a backup of it.
BackupSubject subject_of(const Tenant& tenant,
                         Extent extent,
                         const TenantStanding& standing,
                         const std::string& environment) {
  BackupSubject subject{tenant,
                        extent,
                        standing.uid,
                        standing.current,
                        standing.epoch,
                        environment,
                        "",
                        standing.bytes.value_or(0)};
  std::sort(subject.heads.begin(), subject.heads.end());
  return subject;
}

}  // namespace

std::vector<TenantBackup> back_up(Workspace& workspace,
                                  BackupDesk& desk,
                                  const std::vector<Tenant>& tenants,
                                  const std::function<void(const TenantBackup&)>& told,
                                  const engine::Patience& patience) {
  const Environment& environment = workspace.environment();
  std::vector<TenantStanding> standings = read_fleet_status({workspace.sessions(),
                                                             workspace.clock(),
                                                             *workspace.migrations(),
                                                             workspace.approach(),
                                                             environment.limits,
                                                             "heads",
                                                             {},
                                                             {}},
                                                            tenants,
                                                            patience);
  // How large they are: large ones are dumped by several connections.
  const std::vector<bool> none_changes(tenants.size(), false);
  preflight(
      {workspace.sessions(), workspace.clock(), workspace.approach(), environment.limits, true},
      tenants,
      none_changes,
      standings,
      patience);
  const std::map<TenantId, Extent> extents = extents_of(workspace.fleet());
  Limits limits = environment.limits;
  limits.in_flight = desk.options().in_flight;
  limits.per_server = desk.options().per_server;
  std::vector<TenantBackup> results(tenants.size());
  std::mutex told_mutex;  // one call of `told` at a time
  const auto visit = [&](const Errand& errand) {
    const std::size_t i = errand.tenants.front();
    TenantBackup& result = results[i];
    result.id = tenants[i].id;
    // Only one that cannot be read has no backup; what it lacks else is why one may want it.
    if (standings[i].state == engine::TenantState::unreachable) {
      result.fault = standings[i].fault;
    } else {
      engine::Patience own = patience;
      own.deadline = std::min(own.deadline, workspace.clock().now() + desk.options().deadline);
      const auto extent = extents.find(tenants[i].id);
      auto made = desk.make(subject_of(tenants[i],
                                       extent == extents.end() ? Extent::whole : extent->second,
                                       standings[i],
                                       environment.name),
                            own);
      if (auto* const backup = std::get_if<Backup>(&made)) {
        result.made = std::move(*backup);
      } else {
        result.fault = std::get<engine::TenantFault>(std::move(made));
      }
    }
    const std::lock_guard lock(told_mutex);
    if (told) {
      told(result);
    }
  };
  carry_out(errands_by_database(tenants, 1, [](std::size_t) { return true; }), limits, visit);
  return results;
}

}  // namespace drover::orchestrator

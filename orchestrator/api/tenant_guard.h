/// What stands by a tenant while a run changes it: a backup before the first change, and what is to
/// become of it when a change that no transaction takes back stops half-way.
///
/// FleetWorker asks; run_backups.h answers.
///
/// Thread safety: any thread, one tenant each.

#pragma once

#include <optional>

#include "engine/clock.h"
#include "engine/fault.h"
#include "engine/history.h"
#include "orchestrator/rollout_options.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator {

class TenantGuard {
 public:
  TenantGuard() = default;
  TenantGuard(const TenantGuard&) = delete;
  TenantGuard& operator=(const TenantGuard&) = delete;
  virtual ~TenantGuard() = default;

  /// Called before the tenant is connected to, for what must not be done under its lock. Why it may
  /// not be changed, or nullopt.
  virtual std::optional<engine::TenantFault> before_turn(const Tenant& tenant,
                                                         const engine::Patience& patience) = 0;

  /// Called under the tenant's lock, with what its history says. Why it may not be changed, or
  /// nullopt. `tenant` outlives the run.
  virtual std::optional<engine::TenantFault> before_change(const Tenant& tenant,
                                                           const engine::History& history,
                                                           const engine::Patience& patience) = 0;

  virtual OnPartial on_partial(const Tenant& tenant) const = 0;

  /// Puts the tenant's backup of this run back. Why that was not possible, or nullopt.
  virtual std::optional<engine::TenantFault> put_back(const Tenant& tenant,
                                                      const engine::Patience& patience) = 0;
};

}  // namespace drover::orchestrator

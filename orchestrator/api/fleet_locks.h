/// Who holds the locks of a fleet's tenants, asked now, and how one holder is ended.
///
/// One session for all chosen tenants of a database, many databases at a time, with the fleet's
/// limits. SQLite tenants have no lock and are not asked. Whether a holder may be ended, because a
/// run of ours lives or a person was asked, is the caller's business.
///
/// Thread safety: one call is one caller's; reading uses threads of its own.

#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "engine/tenant_lock.h"
#include "engine/tenant_session.h"
#include "orchestrator/options.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator {

struct FleetLocksRequest {
  engine::SessionFactory& sessions;
  engine::Clock& clock;
  engine::ApproachOptions approach;
  Limits limits;
  std::chrono::milliseconds release_wait{5'000};  ///< For an ended holder to be gone.
};

struct HeldLock {
  TenantId tenant;
  std::string server;
  engine::LockHolder holder;
};

/// Tenants of one database that could not be asked.
struct UnreadLocks {
  std::vector<TenantId> tenants;
  std::string server;
  engine::TenantFault fault;
};

struct FleetLocks {
  std::vector<HeldLock> held;  ///< In the order of the tenants that were asked for.
  std::vector<UnreadLocks> unread;
  std::size_t asked = 0;  ///< Tenants that have a lock; the others are SQLite files.
};

FleetLocks read_fleet_locks(const FleetLocksRequest& request,
                            const std::vector<Tenant>& tenants,
                            const engine::Patience& patience);

/// Who holds the lock of `tenant` when it was to be `holder`. Nullopt: nobody.
///
/// Throws Error: busy lock_changed, when somebody else does; incomplete permission_denied, when the
/// server does not tell us who; what keeps us from asking.
std::optional<engine::LockHolder> check_lock_holder(const FleetLocksRequest& request,
                                                    const Tenant& tenant,
                                                    const engine::BackendId& holder,
                                                    const engine::Patience& patience);

enum class Release {
  freed,       ///< It was ended, and nobody holds the lock.
  taken,       ///< It was ended, and somebody else has the lock already.
  not_needed,  ///< Nobody held the lock any more; nothing was done.
};

/// Ends the backend `holder` if it still holds the lock of `tenant`, and waits until it is gone.
///
/// Throws Error: as above, and incomplete permission_denied without the right to end it; busy
/// lock_not_released, when it was told to end and is still there.
Release release_lock(const FleetLocksRequest& request,
                     const Tenant& tenant,
                     const engine::BackendId& holder,
                     const engine::Patience& patience);

}  // namespace drover::orchestrator

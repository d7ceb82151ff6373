/// Batches of many tenants: how they go, what people want of them, and those of the background.
///
/// Thread safety: one call is one caller's; it uses threads of its own.
/// Errors: what goes wrong with one tenant is in its result.

#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "engine/batch.h"
#include "engine/batch_worker.h"
#include "engine/fault.h"
#include "orchestrator/api/workspace.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator {

struct TenantBatches {
  TenantId id;
  std::vector<engine::BatchStatus> batches;  ///< The oldest first.
  std::optional<engine::TenantFault> fault;  ///< Why they could not be read, or changed.
};

/// The batches of each of `tenants`, in their order, as their own tables say.
std::vector<TenantBatches> read_batches(Workspace& workspace,
                                        const std::vector<Tenant>& tenants,
                                        const engine::Patience& patience);

/// Changes what people want of the batches of `tenants` that are not done; of `revision` only,
/// unless that is empty. `change` gets what is wanted now. The results hold what was changed.
std::vector<TenantBatches> steer_batches(
    Workspace& workspace,
    const std::vector<Tenant>& tenants,
    const std::string& revision,
    const std::function<engine::BatchControl(engine::BatchControl)>& change,
    const engine::Patience& patience);

/// The keys of one tenant's batch that were passed over.
std::vector<engine::ParkedKey> read_parked(Workspace& workspace,
                                           const Tenant& tenant,
                                           const engine::BatchId& id,
                                           const engine::Patience& patience);

/// Works off what waits in the background of `tenants`, under the limits of the environment.
/// `told` is called as tenants end, one at a time, and about once a second with the news of one.
struct BackgroundWork {
  std::function<void(const TenantId&, const std::optional<engine::TenantFault>&)> told;
  std::function<void(const std::map<TenantId, engine::BatchNews>&)> news;
};
std::vector<TenantBatches> work_background(Workspace& workspace,
                                           const std::vector<Tenant>& tenants,
                                           const BackgroundWork& work,
                                           const engine::Patience& patience);

}  // namespace drover::orchestrator

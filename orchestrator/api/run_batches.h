/// The batches of one run: who works them off, one governor for each server, and how they go.
///
/// Thread safety: any thread may call anything.

#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/batch/batch_runner.h"
#include "engine/batch/server_governor.h"
#include "orchestrator/options.h"
#include "orchestrator/progress.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator {

class RunBatches final : public engine::BatchWorker {
 public:
  /// The references outlive the object. Batches stop at their next transaction when `stopping` says
  /// so, and go on there another time.
  RunBatches(engine::SessionFactory& sessions,
             engine::Clock& clock,
             const BatchSettings& settings,
             std::stop_token stopping = {});

  std::optional<engine::TenantFault> work(const engine::BatchOrder& order,
                                          const engine::Patience& patience,
                                          const engine::BatchObserver& observer) override;

  /// Keeps the news of `tenant`, for progress().
  engine::BatchObserver observer_for(const TenantId& tenant);
  void tenant_done(const TenantId& tenant);

  /// Of the batches that are under way; nullopt: none is.
  std::optional<BatchProgress> progress() const;

  /// The newest news of each tenant.
  std::map<TenantId, engine::BatchNews> news() const;

  /// What of the servers is not watched, and why.
  std::vector<std::string> notes() const { return governor_.notes(); }

 private:
  engine::batch::ServerGovernor governor_;
  engine::batch::BatchRunner runner_;
  const std::stop_token stopping_;
  mutable std::mutex news_mutex_;  ///< Guards news_.
  std::map<TenantId, engine::BatchNews> news_;
};

/// The limits of `settings` as the governor takes them. The switches look at the calendar and at
/// the flag file whenever they are asked.
engine::BatchLimits limits_of(const BatchSettings& settings);

}  // namespace drover::orchestrator

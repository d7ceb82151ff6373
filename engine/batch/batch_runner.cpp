#include "engine/batch/batch_runner.h"

#include "engine/batch/batch_job.h"

namespace drover::engine::batch {

std::optional<TenantFault> BatchRunner::work(const BatchOrder& order,
                                             const Patience& patience,
                                             const BatchObserver& observer) {
  const SessionMeans sessions{factory_, clock_, order};
  return BatchJob(sessions, governor_, times_, patience, observer).run();
}

}  // namespace drover::engine::batch

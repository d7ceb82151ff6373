/// Works off one batch of one tenant, from where the tenant says it stands to the end.
///
/// The order of things (batches.md §6.3): the path is found and its plan looked at; the trigger is
/// made; only then the ends are fixed, so that no row is missed that others write meanwhile;
/// workers go through the ranges; a check reads all of it again; the trigger goes.
///
/// Who works on a batch says its row in the tenant, with a sign of life every few seconds. Another
/// process takes it over when that one said goodbye, is dead on this very machine, or was silent
/// for half a minute; whoever it was then fails at its next fence.
///
/// Thread safety: any thread. Errors: values.

#pragma once

#include <optional>
#include <string>

#include "engine/batch_governor.h"
#include "engine/batch_worker.h"
#include "engine/clock.h"
#include "engine/session.h"

namespace drover::engine::batch {

/// How often a process that works on a batch looks around, and how long it may be silent.
struct BatchTimes {
  Milliseconds look{1'000};          ///< For news,
  Milliseconds sign_of_life{2'000};  ///< for what people want, and to say that it lives.
  Milliseconds silence{30'000};      ///< After this long, it counts as gone.
};

class BatchRunner final : public BatchWorker {
 public:
  /// All references must outlive the object.
  BatchRunner(SessionFactory& factory, Clock& clock, BatchGovernor& governor, BatchTimes times = {})
      : factory_(factory), clock_(clock), governor_(governor), times_(times) {}

  std::optional<TenantFault> work(const BatchOrder& order,
                                  const Patience& patience,
                                  const BatchObserver& observer) override;

 private:
  SessionFactory& factory_;
  Clock& clock_;
  BatchGovernor& governor_;
  BatchTimes times_;
};

}  // namespace drover::engine::batch

/// Batches that no run waits for (mode=background): their revision is applied, and what depends on
/// it waits until somebody has worked them off.
///
/// Thread safety: free functions. Errors: values.

#pragma once

#include <optional>

#include "engine/executor.h"

namespace drover::engine {

/// Works off what waits in the background of `target`, one after another, and notes in its history
/// that nothing waits any more. `options.batches` must be there. Nullopt: nothing is left.
std::optional<TenantFault> work_background_batches(SessionFactory& factory,
                                                   Clock& clock,
                                                   const Target& target,
                                                   const TenantFacts& facts,
                                                   const MigrationSet& migrations,
                                                   const ExecutorOptions& options,
                                                   const Patience& patience,
                                                   const BatchObserver& observer);

}  // namespace drover::engine

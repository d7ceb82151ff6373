/// How far a run is, drawn: a block that a terminal rewrites, or a line for a log.
///
/// Thread safety: pure functions.

#pragma once

#include <cstddef>
#include <string>

#include "orchestrator/progress.h"

namespace drover::orchestrator::report {

/// Up to a dozen lines, each at most `width` cells, the last with its line break: a bar, counts,
/// rate and time to go, the slowest tenants, paused servers, what the end hangs on.
std::string progress_block(const ProgressSnapshot& snapshot, std::size_t width);

/// One line, without its line break.
std::string progress_line(const ProgressSnapshot& snapshot);

}  // namespace drover::orchestrator::report

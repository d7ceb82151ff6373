/// The process that runs, as the journal names it.
///
/// Thread safety: a free function without state.

#pragma once

#include "orchestrator/journal.h"

namespace drover::orchestrator {

Owner this_process();

}  // namespace drover::orchestrator

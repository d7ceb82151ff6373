/// A run with a person watching: signals, live progress, the final report, the exit status.
///
/// Thread safety: one at a time per process, since it takes the process's signals.

#pragma once

#include "orchestrator/api/fleet_run.h"
#include "orchestrator/cli/verb.h"

namespace drover::orchestrator::cli {

/// Runs `run` to its end and reports it. Returns the exit status.
int run_and_report(Workspace& workspace, FleetRun& run, Invocation& invocation);

}  // namespace drover::orchestrator::cli

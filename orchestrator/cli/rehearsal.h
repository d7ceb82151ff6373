/// --dry-run=rollback: what would happen, tried on chosen tenants and taken back.
///
/// Thread safety: one invocation, one thread.

#pragma once

#include "orchestrator/api/fleet_run.h"
#include "orchestrator/cli/verb.h"

namespace drover::orchestrator::cli {

/// Tries what `run` would do and reports it. Returns the exit status.
///
/// Throws Error usage: tenants_needed, where nobody chose any and the fleet has several. Asks where
/// `confirm_change` asks, since the locks are real.
int rehearse(Workspace& workspace, FleetRun& run, Invocation& invocation);

}  // namespace drover::orchestrator::cli

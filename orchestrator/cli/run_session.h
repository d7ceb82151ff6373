/// A run with a person watching: signals, live progress, the final report, the exit status.
///
/// Thread safety: one at a time per process, since it takes the process's signals.

#pragma once

#include <functional>
#include <string>
#include <vector>

#include "orchestrator/api/fleet_run.h"
#include "orchestrator/cli/verb.h"

namespace drover::orchestrator::cli {

/// Anything that runs like a run.
struct Runnable {
  std::function<run::RunResult(run::RunObserver&)> run;
  std::function<void(int)> drain;
  std::function<void(int)> cancel;
  std::function<std::string()> id;  ///< Asked when it has run, like what follows.
  std::function<std::string()> verb;
  std::function<std::string()> target;
  std::function<std::string()> digest;
};

/// Runs it to its end and reports it. Returns the exit status.
int run_and_report(Workspace& workspace, const Runnable& runnable, Invocation& invocation);

/// Runs `run` to its end and reports it. Returns the exit status.
int run_and_report(Workspace& workspace, FleetRun& run, Invocation& invocation);

}  // namespace drover::orchestrator::cli

/// Asks a program whether a stage went well.
///
/// Exit status 0 is a pass, 2 is inconclusive; every other status and a death by signal is a
/// failure. What could not be asked (not started, not ended in time, stopped) is inconclusive. The
/// text carries the first line that the program wrote, of its output or else of its errors.
///
/// Thread safety: any number of threads. Errors: none; what goes wrong is an answer.

#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "engine/clock.h"
#include "orchestrator/rollout_options.h"
#include "orchestrator/stage_check.h"

namespace drover::orchestrator::gates {

struct CommandFacts {
  std::filesystem::path directory;               ///< Where it runs; empty: where we do.
  std::map<std::string, std::string> variables;  ///< On top of the clean environment.
};

/// "command 'check.sh' exited with status 1: replication lag is 40 s". Blocks up to the probe's
/// deadline, and 2 s more for a program that SIGTERM does not end.
CheckResult ask_command(const CommandProbe& probe,
                        const CommandFacts& facts,
                        const engine::Patience& patience);

}  // namespace drover::orchestrator::gates

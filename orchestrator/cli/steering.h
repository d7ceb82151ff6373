/// Which run is meant, for the verbs that steer one.
///
/// Thread safety: one invocation, one thread.

#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "orchestrator/api/workspace.h"
#include "orchestrator/cli/globals.h"

namespace drover::orchestrator::cli {

/// The journal. Throws Error usage (no_journal) for a single target, which has none.
Journal& needed_journal(Workspace& workspace);

/// The run of `environment` that lives, if one does.
std::optional<RunRecord> run_under_way(Journal& journal, const std::string& environment);

/// The run that `id` (or its first characters) names, or the only one of the environment that
/// lives.
///
/// Throws Error usage: unknown_run, ambiguous_run, run_not_running.
RunRecord living_run(Workspace& workspace, const std::optional<std::string>& id);

/// `path` as seen from the working directory of the command line.
std::filesystem::path in_working_directory(const Globals& globals, const std::string& path);

}  // namespace drover::orchestrator::cli

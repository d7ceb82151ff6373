/// The workspace that the global options of a command line mean, and small questions about it.

#pragma once

#include <filesystem>
#include <string>

#include "orchestrator/api/workspace.h"
#include "orchestrator/cli/globals.h"

namespace drover::orchestrator::cli {

/// Says once on standard error (not with -q) that DATABASE_URL is ignored, where it is.
///
/// Throws as Workspace does.
Workspace workspace_of(const Globals& globals);

/// The name of the environment that is worked in; empty for a single target, and where there is no
/// configuration. Throws Error usage: unknown_environment, no_environment.
std::string environment_name(Workspace& workspace);

/// `path` as a person in the working directory would write it: relative where it is below it.
std::string shown_path(const Globals& globals, const std::filesystem::path& path);

}  // namespace drover::orchestrator::cli

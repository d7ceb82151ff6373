/// The program `drover`, but for main(): so that tests can run it in their own process.
///
/// Thread safety: once at a time per process (it takes signals while a run is going on).

#pragma once

#include <map>
#include <string>
#include <vector>

namespace drover::orchestrator::cli {

/// Runs one command line and returns the exit status. Nothing is thrown: an Error becomes its
/// status, anything else 70 with a block to paste into a bug report.
int run_program(const std::vector<std::string>& words,
                const std::map<std::string, std::string>& variables,
                const std::string& working_directory);

}  // namespace drover::orchestrator::cli

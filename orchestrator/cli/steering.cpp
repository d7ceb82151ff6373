#include "orchestrator/cli/steering.h"

#include <fmt/format.h>

namespace drover::orchestrator::cli {

Journal& needed_journal(Workspace& workspace) {
  Journal* journal = workspace.journal();
  if (journal == nullptr) {
    throw Error(ErrorCode::usage,
                "no_journal",
                "a single target keeps no journal",
                "Give --store, or a configuration.");
  }
  return *journal;
}

std::optional<RunRecord> run_under_way(Journal& journal, const std::string& environment) {
  constexpr std::size_t kNewest = 20;
  for (RunRecord& run : journal.runs(environment, kNewest)) {
    if (run.lease_alive) {
      return std::move(run);
    }
  }
  return std::nullopt;
}

RunRecord living_run(Workspace& workspace, const std::optional<std::string>& id) {
  Journal& journal = needed_journal(workspace);
  if (id) {
    RunRecord run = journal.run(*id);
    if (!run.lease_alive) {
      throw Error(ErrorCode::usage,
                  "run_not_running",
                  fmt::format("run {} is not under way", run.id.value),
                  "Nobody would hear it; see drover runs.");
    }
    return run;
  }
  const std::string& environment = workspace.environment().name;
  if (std::optional<RunRecord> run = run_under_way(journal, environment)) {
    return *std::move(run);
  }
  throw Error(ErrorCode::usage,
              "run_not_running",
              fmt::format("no run of environment '{}' is under way", environment),
              "See drover runs.");
}

std::filesystem::path in_working_directory(const Globals& globals, const std::string& path) {
  const std::filesystem::path given(path);
  return given.is_absolute() ? given : std::filesystem::path(globals.working_directory) / given;
}

}  // namespace drover::orchestrator::cli

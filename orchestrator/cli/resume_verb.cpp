// resume: go on with a run that was cut short. retry: once more for the tenants that failed.

#include <fmt/format.h>

#include "orchestrator/cli/console.h"
#include "orchestrator/cli/run_session.h"
#include "orchestrator/cli/steering.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/workspace_of.h"
#include "orchestrator/report/text.h"

namespace drover::orchestrator::cli {
namespace {

/// One that lives is asked to go on; only a dead one, or one that has ended, is taken over.
std::optional<RunRecord> living(Workspace& workspace, const std::optional<std::string>& id) {
  Journal* journal = workspace.journal();
  if (journal == nullptr || !id) {
    return std::nullopt;
  }
  RunRecord run = journal->run(*id);
  return run.lease_alive ? std::optional(std::move(run)) : std::nullopt;
}

int run_resume(Invocation& invocation) {
  Workspace workspace = workspace_of(invocation.globals);
  if (const auto run = living(workspace, invocation.arguments.optional("run"))) {
    workspace.journal()->send_control(run->id, {Control::What::go_on, engine::api::who_we_are()});
    invocation.console.say(fmt::format("run {} lives, and is asked to go on: process {} of {}@{}",
                                       run->id.value,
                                       run->owner.pid,
                                       printable(run->owner.user),
                                       printable(run->owner.host)));
    return 0;
  }
  FleetRun run(workspace, invocation.arguments.optional("run"));
  invocation.console.say(fmt::format("going on with run {}: {} left",
                                     run.id().value,
                                     report::count_of(run.request().tenants.size(), "tenant")));
  return run_and_report(workspace, run, invocation);
}

/// A living run is asked to; one that has ended is taken up again for it.
int run_retry(Invocation& invocation) {
  Workspace workspace = workspace_of(invocation.globals);
  const std::optional<std::string> id = invocation.arguments.optional("run");
  Journal& journal = needed_journal(workspace);
  const auto newest = journal.runs(workspace.environment().name, 1);
  const RunRecord* const living =
      !newest.empty() && newest.front().lease_alive ? &newest.front() : nullptr;
  if (living != nullptr && (!id || journal.run(*id).id == living->id)) {
    journal.send_control(living->id, {Control::What::retry, engine::api::who_we_are()});
    invocation.console.say(fmt::format(
        "run {} lives, and will try the failed tenants of the stage under way within a few seconds",
        living->id.value));
    return 0;
  }
  FleetRun run(workspace, id, RetryFailed::yes);
  invocation.console.say(fmt::format("going on with run {}: {} to be tried again",
                                     run.id().value,
                                     report::count_of(run.request().tenants.size(), "tenant")));
  return run_and_report(workspace, run, invocation);
}

}  // namespace

VerbSpec resume_verb() {
  using Takes = OptionSpec::Takes;
  return {
      "resume",
      "go on with a run that was interrupted or killed",
      "Runs the migrations that the run was begun with, whatever the directory holds now. A run\n"
      "that lives and is paused is asked to go on.\n",
      {{"run", Takes::word, "RUN", "its id or the first characters; default the newest"}},
      VerbSpec::Selectors::no,
      run_resume};
}

VerbSpec retry_verb() {
  using Takes = OptionSpec::Takes;
  return {"retry",
          "try the failed tenants of a run again",
          "A run that lives is asked to, for the stage under way. One that has ended is taken up\n"
          "again with the migrations that it had, unless another run came after it.\n\n"
          "  drover retry --failed\n",
          {{"run", Takes::word, "RUN", "its id or the first characters; default the newest"},
           {"--failed",
            Takes::nothing,
            "",
            "those that failed or could not be reached",
            OptionSpec::Need::required}},
          VerbSpec::Selectors::no,
          run_retry};
}

}  // namespace drover::orchestrator::cli

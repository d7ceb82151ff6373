// rollback: take the tenants that a run changed back to where they were.

#include "orchestrator/cli/console.h"
#include "orchestrator/cli/fleet_choice.h"
#include "orchestrator/cli/plan_text.h"
#include "orchestrator/cli/run_session.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/workspace_of.h"

namespace drover::orchestrator::cli {
namespace {

int run_rollback(Invocation& invocation) {
  Workspace workspace = workspace_of(invocation.globals);
  const std::string confirm = invocation.arguments.value("confirm");
  check_confirmation(workspace.environment().name, confirm);
  FleetRunRequest request;
  request.rollback_of = invocation.arguments.value("run");
  FleetRun run(workspace, std::move(request));
  run.check();
  invocation.console.say(describe_fleet(workspace, run.request().tenants));
  const bool shows_first =
      invocation.globals.dry_run || workspace.environment().production || !invocation.globals.yes;
  if (shows_first) {
    invocation.console.say(plan_text(*run.prepare()));
    if (invocation.globals.dry_run) {
      return 0;
    }
    confirm_change(workspace, invocation, "Take them back?", confirm);
  }
  return run_and_report(workspace, run, invocation);
}

}  // namespace

VerbSpec rollback_verb() {
  using Takes = OptionSpec::Takes;
  return {
      "rollback",
      "take the tenants that a run changed back to where they were",
      "Exactly those, the last wave first, with the migrations that the run had. A tenant that\n"
      "has been changed since is left alone and listed.\n\n"
      "  drover rollback 20261122T134501\n",
      {{"run", Takes::word, "RUN", "its id or the first characters", OptionSpec::Need::required},
       {"--confirm", Takes::value, "NAME", "the environment's name, where it is asked for"}},
      VerbSpec::Selectors::no,
      run_rollback};
}

}  // namespace drover::orchestrator::cli

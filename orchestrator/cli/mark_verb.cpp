// mark: say which environment a tenant belongs to, for a copy that was made on purpose.

#include "orchestrator/cli/history_changes.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/workspace_of.h"

namespace drover::orchestrator::cli {
namespace {

int run(Invocation& invocation) {
  Globals globals = invocation.globals;
  globals.environment = invocation.arguments.value("environment-name");
  Workspace workspace = workspace_of(globals);
  Invocation here{globals, invocation.arguments, invocation.console};
  const Environment& environment = workspace.environment();
  return change_histories(
      workspace,
      here,
      "mark",
      invocation.arguments.value("confirm"),
      [&](engine::TenantSession& tenant, const engine::Provenance& by, engine::Commit commit) {
        return engine::mark(tenant, environment.name, environment.production, by, commit, {});
      });
}

}  // namespace

VerbSpec mark_verb() {
  using Takes = OptionSpec::Takes;
  return {"mark",
          "say that tenants belong to an environment",
          "A copy of production that was restored into staging keeps its mark and is refused\n"
          "until somebody says that it is meant.\n\n"
          "  drover mark staging --tenant acme\n",
          {{"environment-name", Takes::word, "ENVIRONMENT", "", OptionSpec::Need::required},
           {"--confirm", Takes::value, "NAME", "the environment's name, where it is asked for"}},
          VerbSpec::Selectors::yes,
          run};
}

}  // namespace drover::orchestrator::cli

// ready: may an application start against this tenant? For init containers: reads, never writes.

#include <algorithm>

#include <fmt/format.h>

#include "engine/revision_ref.h"
#include "orchestrator/cli/console.h"
#include "orchestrator/cli/fleet_choice.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/workspace_of.h"
#include "orchestrator/report/document.h"

namespace drover::orchestrator::cli {
namespace {

int run_ready(Invocation& invocation) {
  Workspace workspace = workspace_of(invocation.globals);
  const Tenant tenant = only_tenant(workspace, invocation);
  const auto migrations = workspace.migrations();
  const std::string wanted = invocation.arguments.optional("min-revision").value_or("heads");
  const auto targets = engine::resolve_upgrade(migrations->graph(), wanted, {});
  const TenantStanding standing = standings_of(workspace, invocation, {tenant}, "heads").front();
  const engine::RevisionSet applied = migrations->graph().closure(
      standing.fault ? std::vector<engine::RevisionId>{} : standing.current);
  const bool sound = !standing.fault && standing.state != engine::TenantState::partial;
  const bool ready = sound && std::all_of(targets.begin(), targets.end(), [&](const auto& id) {
                       return applied.contains(id);
                     });
  if (ready) {
    invocation.console.say(fmt::format("{} is ready: {}", tenant.id.value, wanted));
    return 0;
  }
  if (standing.fault) {
    throw Error(standing.fault->code,
                standing.fault->kind,
                fmt::format("{} is not ready: {}", tenant.id.value, standing.fault->message),
                standing.fault->hint,
                standing.fault->place);
  }
  throw Error(ErrorCode::pending,
              "not_ready",
              fmt::format("{} is not ready: it stands at {}, and {} is needed",
                          tenant.id.value,
                          standing.current.empty() ? "base" : standing.current.front().value,
                          wanted),
              "Wait until the upgrade has reached it, then ask again.");
}

}  // namespace

VerbSpec ready_verb() {
  return {"ready",
          "may an application start against this tenant? reads only",
          "Exit status 0: yes. 10: not yet. Others: see drover help exit-codes.\n\n"
          "  drover ready --tenant acme --min-revision 0012\n",
          {{"--min-revision", OptionSpec::Takes::value, "REF", "default: the heads of the files"}},
          VerbSpec::Selectors::yes,
          run_ready};
}

}  // namespace drover::orchestrator::cli

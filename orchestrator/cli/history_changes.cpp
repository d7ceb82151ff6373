#include "orchestrator/cli/history_changes.h"

#include <vector>

#include <fmt/format.h>

#include "orchestrator/cli/console.h"
#include "orchestrator/cli/fleet_choice.h"
#include "orchestrator/outcome.h"

namespace drover::orchestrator::cli {
namespace {

struct Pass {
  std::size_t changes = 0;
  RunSummary summary;
};

/// Tells what is wrong with a tenant, once, where people look.
void tell_fault(Console& console, const Tenant& tenant, const engine::TenantFault& fault) {
  console.warn(fmt::format(
      "{} {}: {}", console.toned(Tone::bad, "error:"), tenant.id.value, printable(fault.message)));
  console.warn(fmt::format("hint:  {}", printable(fault.hint)));
}

Pass go_through(Workspace& workspace,
                Invocation& invocation,
                const std::vector<Tenant>& tenants,
                const engine::Provenance& by,
                engine::Commit commit,
                const HistoryAct& act) {
  Pass pass;
  const engine::ApproachOptions approach = workspace.approach();
  for (const Tenant& tenant : tenants) {
    const engine::TenantFacts facts = facts_of(tenant);
    engine::TenantSession session(
        workspace.sessions(), workspace.clock(), tenant.target, facts, approach);
    const engine::AdministrationResult result = act(tenant, session, by, commit);
    TenantOutcome outcome;
    outcome.id = tenant.id;
    outcome.outcome = result.fault ? Outcome::failed : Outcome::applied;
    outcome.fault = result.fault;
    pass.summary.add(outcome);
    if (result.fault) {
      tell_fault(invocation.console, tenant, *result.fault);
      continue;
    }
    pass.changes += result.changes.size();
    for (const engine::HistoryChange& change : result.changes) {
      const std::string line = fmt::format("{}: {}: {} -> {}",
                                           tenant.id.value,
                                           change.what,
                                           change.before.empty() ? "(none)" : change.before,
                                           change.after);
      if (commit == engine::Commit::no) {
        invocation.console.say(printable(line));
      } else {
        invocation.console.detail(printable(line));
      }
    }
  }
  return pass;
}

}  // namespace

int change_histories(Workspace& workspace,
                     Invocation& invocation,
                     const std::string& verb,
                     const std::string& confirm,
                     const HistoryAct& act) {
  const std::vector<Tenant> tenants = chosen_tenants(workspace, invocation);
  Console& console = invocation.console;
  console.say(describe_fleet(workspace, tenants));
  const engine::Provenance by{engine::api::who_we_are(), ""};
  const Pass before = go_through(workspace, invocation, tenants, by, engine::Commit::no, act);
  const int status = before.summary.exit_status();
  if (before.changes == 0) {
    if (status == 0) {
      console.say("there is nothing to change");
    }
    return status;
  }
  if (invocation.globals.dry_run) {
    return status;
  }
  confirm_change(
      workspace, invocation, fmt::format("{} these {} entries?", verb, before.changes), confirm);
  const Pass after = go_through(workspace, invocation, tenants, by, engine::Commit::yes, act);
  console.say(fmt::format("changed {} entries", after.changes));
  return after.summary.exit_status();
}

}  // namespace drover::orchestrator::cli

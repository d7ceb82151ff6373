// reset: back to nothing, in development only.

#include <fmt/format.h>

#include "engine/administration.h"
#include "orchestrator/cli/console.h"
#include "orchestrator/cli/fleet_choice.h"
#include "orchestrator/cli/run_session.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/workspace_of.h"

namespace drover::orchestrator::cli {
namespace {

Error refused(const std::string& message) {
  return {
      ErrorCode::usage,
      "reset_refused",
      message,
      "Use drover downgrade for revisions; nothing here deletes a production tenant's history."};
}

/// The environment says what it is, and so does every tenant: either may refuse.
void refuse_production(Workspace& workspace, const std::vector<Tenant>& tenants) {
  const Environment& environment = workspace.environment();
  if (environment.production) {
    throw refused(
        fmt::format("environment '{}' is production and is never reset", environment.name));
  }
  const engine::ApproachOptions approach = workspace.approach();
  for (const Tenant& tenant : tenants) {
    const engine::TenantFacts facts = facts_of(tenant);
    engine::TenantSession session(
        workspace.sessions(), workspace.clock(), tenant.target, facts, approach);
    if (const auto fault = session.look({})) {  // who cannot be asked may be production
      throw Error(fault->code,
                  fault->kind,
                  fmt::format("tenant {}: {}", tenant.id.value, fault->message),
                  fault->hint,
                  fault->place);
    }
    if (session.history().tenant.production) {
      throw refused(
          fmt::format("tenant {} is marked production and is never reset", tenant.id.value));
    }
  }
}

int drop_histories(Workspace& workspace,
                   Invocation& invocation,
                   const std::vector<Tenant>& tenants) {
  const engine::ApproachOptions approach = workspace.approach();
  RunSummary summary;
  for (const Tenant& tenant : tenants) {
    const engine::TenantFacts facts = facts_of(tenant);
    engine::TenantSession session(
        workspace.sessions(), workspace.clock(), tenant.target, facts, approach);
    TenantOutcome outcome;
    outcome.id = tenant.id;
    outcome.outcome = Outcome::applied;
    outcome.fault = engine::approach_for_change(session, engine::CheckEnvironment::yes, {});
    if (!outcome.fault) {
      outcome.fault = engine::drop_history(session, {});
    }
    if (outcome.fault) {
      outcome.outcome = Outcome::failed;
      invocation.console.warn(
          fmt::format("error: {}: {}", tenant.id.value, printable(outcome.fault->message)));
    }
    summary.add(outcome);
  }
  return summary.exit_status();
}

int run_reset(Invocation& invocation) {
  Workspace workspace = workspace_of(invocation.globals);
  const std::vector<Tenant> tenants = chosen_tenants(workspace, invocation);
  Console& console = invocation.console;
  console.say(describe_fleet(workspace, tenants));
  const std::string name =
      workspace.single_target() ? tenants.front().target.database : workspace.environment().name;
  check_confirmation(name, invocation.arguments.value("confirm"));
  refuse_production(workspace, tenants);
  if (invocation.globals.dry_run) {
    console.say(
        fmt::format("{} tenants would go down to base and lose their history", tenants.size()));
    return 0;
  }
  if (!console.confirm_name(
          fmt::format("Take {} tenants down to base and drop their history?", tenants.size()),
          name,
          invocation.arguments.value("confirm"),
          "--confirm=" + name)) {
    throw Error(ErrorCode::halted, "declined", "nothing was changed", "Run it again when sure.");
  }
  FleetRunRequest request;
  request.goal = {engine::Direction::down, "base", engine::FromPartial::yes};
  request.tenants = tenants;
  FleetRun downgrade(workspace, std::move(request));
  downgrade.check();
  const int status = run_and_report(workspace, downgrade, invocation);
  return status == 0 ? drop_histories(workspace, invocation, tenants) : status;
}

}  // namespace

VerbSpec reset_verb() {
  using Takes = OptionSpec::Takes;
  return {"reset",
          "development only: down to base, and Drover's tables away",
          "Refused where the environment or a tenant is marked production. Asks for the\n"
          "environment's name (of a single target, the database's).\n",
          {{"--confirm", Takes::value, "NAME", "the name, for scripts"}},
          VerbSpec::Selectors::yes,
          run_reset};
}

}  // namespace drover::orchestrator::cli

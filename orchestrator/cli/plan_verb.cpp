// plan: freeze what a run is to do. apply: do exactly that. plan show: what is in a plan file.

#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "engine/parse/lock_mode.h"
#include "orchestrator/cli/approvals.h"
#include "orchestrator/cli/console.h"
#include "orchestrator/cli/fleet_choice.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/plan_text.h"
#include "orchestrator/cli/rehearsal.h"
#include "orchestrator/cli/run_session.h"
#include "orchestrator/cli/steering.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/workspace_of.h"
#include "orchestrator/plan/plan_file.h"

namespace drover::orchestrator::cli {
namespace {

using Takes = OptionSpec::Takes;

/// The SQL of the planned revisions, as long as the directory still holds those files.
void show_sql(Invocation& invocation, const Plan& plan) {
  Workspace workspace = workspace_of(invocation.globals);
  const auto migrations = workspace.migrations();
  for (const PlannedRevision& revision : plan.revisions) {
    const engine::Migration* const migration = migrations->find(revision.id);
    invocation.console.data(fmt::format("\n-- {} --\n", revision.file));
    invocation.console.data(migration == nullptr ? "(the file is gone)\n" : *migration->text);
  }
}

int run_plan_show(Invocation& invocation) {
  const std::string file = invocation.arguments.value("file");
  const Plan plan = plan::read_file(in_working_directory(invocation.globals, file));
  if (!for_people(invocation)) {
    invocation.console.data(plan::to_text(plan));  // it is JSON
    return 0;
  }
  invocation.console.data(plan_text(plan));
  if (invocation.arguments.has("tenants")) {
    invocation.console.data("\n" + tenants_table(plan));
  }
  if (invocation.arguments.has("sql")) {
    show_sql(invocation, plan);
  }
  return 0;
}

FleetRunRequest request_of(Invocation& invocation, Workspace& workspace) {
  FleetRunRequest request;
  const bool down = invocation.arguments.has("down");
  request.goal.direction = down ? engine::Direction::down : engine::Direction::up;
  request.goal.target = invocation.arguments.optional("revision").value_or("heads");
  if (down && !invocation.arguments.has("revision")) {
    throw Error(ErrorCode::usage,
                "invalid_arguments",
                "a plan to go down needs to be told where to",
                "Say drover plan --down 0004, -1 or base.");
  }
  request.tenants = chosen_tenants(workspace, invocation);
  request.whole_fleet = request.tenants.size() == workspace.fleet().size();
  return request;
}

int run_plan(Invocation& invocation) {
  Workspace workspace = workspace_of(invocation.globals);
  FleetRunRequest request = request_of(invocation, workspace);
  invocation.console.say(describe_fleet(workspace, request.tenants));
  FleetRun run(workspace, std::move(request));
  run.check();
  if (invocation.globals.rehearse) {
    return rehearse(workspace, run, invocation);
  }
  const Plan plan = run.make_plan();
  std::size_t unfit = 0;
  for (const PlannedTenant& tenant : plan.tenants) {
    if (!tenant.unfit.empty() && ++unfit <= 20) {
      invocation.console.warn(fmt::format(
          "{} cannot be planned for: {}", printable(tenant.id.value), printable(tenant.unfit)));
    }
  }
  if (const auto out = invocation.arguments.optional("out")) {
    plan::write_file(plan, in_working_directory(invocation.globals, *out));
    invocation.console.say(fmt::format("the plan is in {}", *out));
  }
  if (for_people(invocation)) {
    invocation.console.data(plan_text(plan));
  } else {
    invocation.console.data(plan::to_text(plan));
  }
  return unfit == 0 ? 0 : static_cast<int>(ErrorCode::incomplete);
}

int run_apply(Invocation& invocation) {
  const std::filesystem::path file =
      in_working_directory(invocation.globals, invocation.arguments.value("file"));
  FleetRunRequest request;
  request.plan = plan::read_file(file);
  const Plan plan = *request.plan;
  Globals globals = invocation.globals;
  globals.environment = globals.environment.value_or(plan.environment);
  Workspace workspace = workspace_of(globals);
  const Environment& environment = workspace.environment();
  check_confirmation(environment.name, invocation.arguments.value("confirm"));
  if (environment.rollout && environment.rollout->approvals > 0) {
    request.approvals =
        check_approvals({"plan", plan.environment, plan::digest_of(plan), plan.author, file},
                        *environment.rollout,
                        invocation.console);
  }
  FleetRun run(workspace, std::move(request));
  run.check();
  invocation.console.say(describe_fleet(workspace, run.request().tenants));
  if (const auto& ignored = run.late_joiners_left_alone(); !ignored.empty()) {
    invocation.console.warn(
        fmt::format("{} tenants have joined the fleet since it was planned and are left alone, the "
                    "first is '{}'",
                    ignored.size(),
                    printable(ignored.front().value)));
  }
  Invocation here{globals, invocation.arguments, invocation.console};
  if (environment.production || !globals.yes) {
    invocation.console.say(plan_text(plan));
    confirm_change(workspace, here, "Apply it?", invocation.arguments.value("confirm"));
  }
  return run_and_report(workspace, run, here);
}

}  // namespace

VerbSpec plan_verb() {
  return {
      "plan",
      "freeze what a run is to do, into a file",
      "Reads every tenant's history and changes nothing. The file holds the revisions with\n"
      "their checksums, the strategy, and every tenant with its wave and its steps; its digest\n"
      "covers all of that. LOCKS is explained by drover plan show --help.\n\n"
      "  drover plan -e production --out plan.json\n"
      "  drover plan show plan.json --tenants --sql\n"
      "  drover apply plan.json\n",
      {{"revision", Takes::word, "REVISION", "where to; default heads"},
       {"--out", Takes::value, "FILE", "write it there"},
       {"--down", Takes::nothing, "", "plan a downgrade"},
       {"--confirm", Takes::value, "NAME", "the environment's name, for --dry-run=rollback"}},
      VerbSpec::Selectors::yes,
      run_plan,
      VerbSpec::Rehearses::yes};
}

VerbSpec plan_show_verb() {
  return {"plan show",
          "what is in a plan file",
          "LOCKS tells what each revision locks of tables that are there already and who has to\n"
          "wait for it: reads and writes (ACCESS EXCLUSIVE), or writes. \"rewrites it\" and\n"
          "\"scans it\" hold the lock the longer the larger the table is; \"may\" hangs on types,\n"
          "functions and constraints that only the server knows. It is read from the text of the\n"
          "migrations: what functions, CASCADE, partitions or dropped foreign keys lock beside\n"
          "that is not told. Weaker locks are in the file (-o json).\n\n"
          "  drover plan show plan.json --tenants --sql\n",
          {{"file", Takes::word, "FILE", "the plan", OptionSpec::Need::required},
           {"--tenants", Takes::nothing, "", "every tenant with its wave, and why"},
           {"--sql", Takes::nothing, "", "the migration files too"}},
          VerbSpec::Selectors::no,
          run_plan_show};
}

VerbSpec apply_verb() {
  return {"apply",
          "carry out a plan, exactly",
          "A plan whose migrations or strategy have changed is refused before anything is\n"
          "connected to; a tenant that has changed since is skipped.\n",
          {{"file", Takes::word, "FILE", "the plan", OptionSpec::Need::required},
           {"--confirm", Takes::value, "NAME", "the environment's name, where it is asked for"}},
          VerbSpec::Selectors::no,
          run_apply};
}

}  // namespace drover::orchestrator::cli

// pause, halt, throttle, skip: what people want of a run that another process carries out. approve:
// say yes to a plan, to an order to restore, or to the gate of a stage. It travels through the
// journal.

#include <algorithm>

#include <fmt/format.h>

#include "orchestrator/cli/approvals.h"
#include "orchestrator/cli/console.h"
#include "orchestrator/cli/steering.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/word_reader.h"
#include "orchestrator/cli/workspace_of.h"
#include "orchestrator/plan/plan_file.h"
#include "orchestrator/plan/restore_file.h"
#include "orchestrator/report/text.h"

namespace drover::orchestrator::cli {
namespace {

using Takes = OptionSpec::Takes;

/// Sends `control` to the living run that is meant, and says so.
int send(Invocation& invocation, Control control, const std::string& said) {
  Workspace workspace = workspace_of(invocation.globals);
  Journal& journal = needed_journal(workspace);
  const RunRecord run = living_run(workspace, invocation.arguments.optional("run"));
  control.who = engine::api::who_we_are();
  journal.send_control(run.id, control);
  invocation.console.say(fmt::format("{}: run {} of {}@{} will hear of it within a few seconds",
                                     said,
                                     run.id.value,
                                     printable(run.owner.user),
                                     printable(run.owner.host)));
  return 0;
}

int run_pause(Invocation& invocation) {
  return send(invocation, {Control::What::pause, {}}, "paused");
}

int run_halt(Invocation& invocation) {
  const bool cancel = invocation.arguments.has("cancel");
  const bool force = invocation.arguments.has("force");
  if (force && !cancel) {
    throw Error(ErrorCode::usage,
                "invalid_arguments",
                "--force says how to cancel, and nothing is to be cancelled",
                "Say drover halt --cancel --force.");
  }
  Control control{force    ? Control::What::force
                  : cancel ? Control::What::cancel
                           : Control::What::halt,
                  {}};
  control.reason = invocation.arguments.value("reason");
  return send(invocation, control, "halted");
}

int run_throttle(Invocation& invocation) {
  Control control{Control::What::throttle, {}};
  control.in_flight = number_given(invocation.arguments, "concurrency", kMostAtOnce).value_or(1);
  return send(invocation, control, fmt::format("throttled to {}", control.in_flight));
}

int run_skip(Invocation& invocation) {
  Control control{Control::What::skip, {}};
  control.tenant = invocation.arguments.value("tenant-id");
  control.reason = invocation.arguments.value("reason");
  Workspace workspace = workspace_of(invocation.globals);
  const RunRecord run = living_run(workspace, invocation.arguments.optional("run"));
  for (const JournalTenant& tenant : needed_journal(workspace).tenants_of(run.id)) {
    if (tenant.outcome.id.value == control.tenant) {
      return send(invocation, control, "skipped, if its turn has not come");
    }
  }
  throw Error(ErrorCode::usage,
              "unknown_tenant",
              fmt::format("run {} has no tenant '{}'", run.id.value, control.tenant),
              "See drover runs for its tenants.");
}

/// A stage of a run whose gate waits for people.
int approve_stage(Invocation& invocation, const std::string& wanted, const std::string& stage) {
  Workspace workspace = workspace_of(invocation.globals);
  Journal& journal = needed_journal(workspace);
  const RunRecord run = journal.run(wanted);
  const std::string text = journal.plan_of(run.id);
  const Plan plan = text.empty() ? Plan{} : plan::from_text(text, "the plan of the run");
  const auto known = std::find_if(
      plan.waves.begin(), plan.waves.end(), [&](const auto& wave) { return wave.name == stage; });
  if (known == plan.waves.end() && (plan.waves.empty() || stage != kLateJoinersStage)) {
    throw Error(ErrorCode::usage,
                "unknown_stage",
                fmt::format("run {} has no stage '{}'", run.id.value, stage),
                "See drover plan show, or the rollout of the configuration, for its stages.");
  }
  const std::string who = engine::api::who_we_are();
  journal.approve_stage(run.id, stage, who);
  invocation.console.say(fmt::format("{} approves stage '{}' of run {}", who, stage, run.id.value));
  return 0;
}

/// A plan file, before it is applied, or an order to restore.
int approve_file(Invocation& invocation, const std::filesystem::path& file) {
  if (plan::is_restore_file(file)) {
    const RestoreOrder order = plan::read_restore_file(file);
    give_approval({"order", order.environment, plan::digest_of(order), order.author, file},
                  fmt::format("restore {} of environment {} from backups",
                              report::count_of(order.restores.size(), "tenant"),
                              order.environment),
                  invocation);
    return 0;
  }
  const Plan plan = plan::read_file(file);
  give_approval(
      {"plan", plan.environment, plan::digest_of(plan), plan.author, file},
      fmt::format(
          "{} for environment {}, {} tenants", plan.target, plan.environment, plan.tenants.size()),
      invocation);
  return 0;
}

int run_approve(Invocation& invocation) {
  const std::string what = invocation.arguments.value("what");
  const std::optional<std::string> stage = invocation.arguments.optional("stage");
  if (stage) {
    return approve_stage(invocation, what, *stage);
  }
  return approve_file(invocation, in_working_directory(invocation.globals, what));
}

const OptionSpec kRun{
    "run", Takes::word, "RUN", "its id or the first characters; default the one that lives"};

}  // namespace

VerbSpec pause_verb() {
  return {"pause",
          "let a running run start nothing more",
          "What is under way comes to its end; time to pass stands still. drover resume lets it\n"
          "go on.\n",
          {kRun},
          VerbSpec::Selectors::no,
          run_pause};
}

VerbSpec halt_verb() {
  return {"halt",
          "end a running run; it can be resumed",
          "No new tenant starts; what is under way comes to its end, or is cancelled. Statements\n"
          "CONCURRENTLY, which leave an invalid index when they are cut short, are cancelled only\n"
          "with --force.\n",
          {kRun,
           {"--cancel", Takes::nothing, "", "cancel what is under way too"},
           {"--force", Takes::nothing, "", "... also statements CONCURRENTLY"},
           {"--reason", Takes::value, "TEXT", "kept in the journal"}},
          VerbSpec::Selectors::no,
          run_halt};
}

VerbSpec throttle_verb() {
  return {
      "throttle",
      "limit how many tenants a running run has under way",
      "",
      {kRun, {"--concurrency", Takes::value, "N", "at most so many", OptionSpec::Need::required}},
      VerbSpec::Selectors::no,
      run_throttle};
}

VerbSpec skip_verb() {
  return {"skip",
          "leave a tenant out of a running run",
          "  drover skip acme --reason \"they have a launch today\"\n",
          {{"tenant-id", Takes::word, "TENANT", "its id", OptionSpec::Need::required},
           {"--run", Takes::value, "RUN", "default the one that lives"},
           {"--reason", Takes::value, "TEXT", "kept in the journal", OptionSpec::Need::required}},
          VerbSpec::Selectors::no,
          run_skip};
}

VerbSpec approve_verb() {
  return {"approve",
          "say yes to a plan, an order to restore, or the gate of a stage",
          "An approval is for exactly one plan or order, by somebody else than its author.\n\n"
          "  drover approve plan.json --key ~/.drover/key.pem\n"
          "  drover approve order.json\n"
          "  drover approve 20261122 --stage canary\n",
          {{"what",
            Takes::word,
            "FILE|RUN",
            "the file of a plan or an order, or a run",
            OptionSpec::Need::required},
           {"--stage", Takes::value, "NAME", "of the run"},
           {"--key", Takes::value, "FILE", "sign with this Ed25519 key"}},
          VerbSpec::Selectors::no,
          run_approve};
}

}  // namespace drover::orchestrator::cli

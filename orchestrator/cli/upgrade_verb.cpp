// upgrade and downgrade: take tenants to a revision.

#include <algorithm>

#include <fmt/format.h>

#include "engine/offline_sql.h"
#include "engine/revision_ref.h"
#include "orchestrator/cli/approvals.h"
#include "orchestrator/cli/console.h"
#include "orchestrator/cli/fleet_choice.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/plan_text.h"
#include "orchestrator/cli/rehearsal.h"
#include "orchestrator/cli/run_session.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/word_reader.h"
#include "orchestrator/cli/workspace_of.h"

namespace drover::orchestrator::cli {
namespace {

using engine::Direction;

FleetRunRequest request_of(const Invocation& invocation, Direction direction) {
  const Arguments& arguments = invocation.arguments;
  FleetRunRequest request;
  request.goal.direction = direction;
  request.goal.target = arguments.optional("revision").value_or("heads");
  request.in_flight = number_given(arguments, "in-flight", kMostAtOnce);
  request.per_server = number_given(arguments, "per-server", kMostAtOnce);
  if (arguments.has("single-transaction")) {
    request.transaction = engine::TransactionMode::all;
  }
  if (arguments.has("no-chain")) {
    request.chaining = engine::Chaining::off;
  }
  if (direction == Direction::up) {
    request.create_files = arguments.has("create-files");
  } else if (arguments.has("from-partial")) {
    request.goal.from_partial = engine::FromPartial::yes;
  }
  return request;
}

/// The dialect of a script: what --dialect says, else what all chosen tenants speak.
engine::Dialect dialect_of(Workspace& workspace, Invocation& invocation) {
  const std::optional<std::string> wanted = invocation.arguments.optional("dialect");
  if (wanted) {
    if (*wanted == "postgres" || *wanted == "sqlite") {
      return *wanted == "postgres" ? engine::Dialect::postgres : engine::Dialect::sqlite;
    }
    throw Error(ErrorCode::usage,
                "invalid_arguments",
                fmt::format("'{}' is not a dialect", *wanted),
                "Say --dialect postgres or --dialect sqlite.");
  }
  const std::vector<Tenant> tenants = chosen_tenants(workspace, invocation);
  const engine::Dialect first = tenants.front().target.dialect;
  for (const Tenant& tenant : tenants) {
    if (tenant.target.dialect != first) {
      throw Error(ErrorCode::usage,
                  "invalid_arguments",
                  "the fleet speaks both dialects, and a script speaks one",
                  "Say --dialect postgres or --dialect sqlite.");
    }
  }
  return first;
}

/// Writes the script that a person could run. Connects to nothing.
int write_script(Invocation& invocation, Direction direction, const std::string& range) {
  Workspace workspace = workspace_of(invocation.globals);
  const auto migrations = workspace.migrations();
  const engine::RevisionGraph& graph = migrations->graph();
  const std::string whole = range.find(':') == std::string::npos
                                ? (direction == Direction::up ? "base:" + range : "heads:" + range)
                                : range;
  const engine::RevisionRange ends = engine::resolve_range(graph, whole, direction);
  const std::vector<engine::RevisionId> steps =
      direction == Direction::up ? engine::steps_up(graph, ends) : engine::steps_down(graph, ends);
  const engine::Dialect dialect = dialect_of(workspace, invocation);
  const std::string schema = invocation.arguments.optional("schema").value_or("public");
  invocation.console.data(engine::offline_script(
      *migrations, dialect, steps, direction, dialect == engine::Dialect::sqlite ? "" : schema));
  return 0;
}

void show_forecast(Console& console, const RunForecast& forecast, Direction direction) {
  const std::string_view verb = direction == Direction::up ? "go up" : "go down";
  console.say(fmt::format(
      "{} of {} tenants will {}{}",
      forecast.to_change,
      forecast.total,
      verb,
      forecast.unfit == 0 ? ""
                          : fmt::format("; {} cannot be taken there as they are", forecast.unfit)));
  for (const auto& [id, count] : forecast.revisions) {
    console.say(fmt::format("  {}  on {} tenants", id.value, count));
  }
}

/// The plan where there are stages, else numbers. False when nothing is to be done; what could not
/// be read may be by the time of the run.
bool show_what_will_be_done(Invocation& invocation, FleetRun& run) {
  if (const Plan* plan = run.prepare()) {
    invocation.console.say(plan_text(*plan));
    return std::any_of(plan->tenants.begin(), plan->tenants.end(), [&](const auto& tenant) {
      return !tenant.unfit.empty() || !plan->step_lists.at(tenant.steps).empty();
    });
  }
  const RunForecast forecast = run.forecast();
  show_forecast(invocation.console, forecast, run.request().goal.direction);
  return forecast.to_change + forecast.unfit > 0;
}

int run_fleet(Invocation& invocation, Direction direction) {
  Workspace workspace = workspace_of(invocation.globals);
  FleetRunRequest request = request_of(invocation, direction);
  request.tenants = chosen_tenants(workspace, invocation);
  request.whole_fleet = request.tenants.size() == workspace.fleet().size();
  refuse_unapproved(workspace.environment(),
                    "plans",
                    "Make a plan with drover plan --out, let it be approved, and apply it.");
  invocation.console.say(describe_fleet(workspace, request.tenants));
  FleetRun run(workspace, std::move(request));
  run.check();
  if (invocation.globals.rehearse) {
    return rehearse(workspace, run, invocation);
  }
  const bool production = workspace.environment().production;
  if (production) {
    check_confirmation(workspace.environment().name, invocation.arguments.value("confirm"));
  }
  const bool shows_first = invocation.globals.dry_run || production ||
                           (!invocation.globals.yes && !workspace.single_target());
  if (shows_first) {
    const bool anything = show_what_will_be_done(invocation, run);
    if (invocation.globals.dry_run) {
      return 0;
    }
    if (anything) {
      confirm_change(workspace,
                     invocation,
                     direction == Direction::up ? "Upgrade them?" : "Downgrade them?",
                     invocation.arguments.value("confirm"));
    }
  }
  return run_and_report(workspace, run, invocation);
}

int run_upgrade(Invocation& invocation) {
  const std::optional<std::string> script = invocation.arguments.optional("sql");
  return script ? write_script(invocation, Direction::up, *script)
                : run_fleet(invocation, Direction::up);
}

int run_downgrade(Invocation& invocation) {
  const std::optional<std::string> script = invocation.arguments.optional("sql");
  if (!script && !invocation.arguments.has("revision")) {
    throw Error(ErrorCode::usage,
                "invalid_arguments",
                "downgrade needs to be told where to",
                "Say drover downgrade -1, a revision, or base.");
  }
  return script ? write_script(invocation, Direction::down, *script)
                : run_fleet(invocation, Direction::down);
}

std::vector<OptionSpec> options_of(Direction direction) {
  using Takes = OptionSpec::Takes;
  const bool up = direction == Direction::up;
  std::vector<OptionSpec> options{
      {"revision",
       Takes::word,
       "REVISION",
       up ? "where to; default heads" : "where to: 0004, -1, base"},
      {"--sql", Takes::value, "A:B", "write the script for this range; connect to nothing"},
      {"--dialect", Takes::value, "DIALECT", "of the script: postgres or sqlite"},
      {"--schema", Takes::value, "NAME", "of the script: the tenant's schema; default public"},
      {"--single-transaction", Takes::nothing, "", "all revisions of a tenant in one transaction"},
      {"--no-chain", Takes::nothing, "", "one revision per message"},
      {"--in-flight", Takes::value, "N", "at most so many tenants at once"},
      {"--per-server", Takes::value, "N", "at most so many of one server"},
      {"--confirm", Takes::value, "NAME", "the environment's name, where it is asked for"}};
  if (up) {
    options.push_back({"--create-files", Takes::nothing, "", "make SQLite files that are missing"});
  } else {
    options.push_back({"--from-partial", Takes::nothing, "", "undo a revision that is half done"});
  }
  return options;
}

}  // namespace

VerbSpec upgrade_verb() {
  return {"upgrade",
          "take tenants up to a revision",
          "Shows what will happen, asks, does it, and reports every tenant. Run again after a\n"
          "failure or a crash: what is done is not done twice.\n\n"
          "  drover upgrade\n"
          "  drover upgrade +1 --tenant acme\n"
          "  drover upgrade --dry-run=rollback --limit 3\n"
          "  drover upgrade -e production --confirm=production\n"
          "  drover upgrade --sql 0003:head --dialect postgres >upgrade.sql\n",
          options_of(Direction::up),
          VerbSpec::Selectors::yes,
          run_upgrade,
          VerbSpec::Rehearses::yes};
}

VerbSpec downgrade_verb() {
  return {"downgrade",
          "take tenants down to an earlier revision",
          "With the same guarantees as upgrade. A revision that cannot be undone stops it before\n"
          "anything runs.\n\n"
          "  drover downgrade -1 --tenant acme\n"
          "  drover downgrade 0004\n"
          "  drover downgrade base\n",
          options_of(Direction::down),
          VerbSpec::Selectors::yes,
          run_downgrade,
          VerbSpec::Rehearses::yes};
}

}  // namespace drover::orchestrator::cli

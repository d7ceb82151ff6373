#include "orchestrator/cli/rehearsal.h"

#include <fmt/format.h>

#include "orchestrator/cli/console.h"
#include "orchestrator/cli/fleet_choice.h"
#include "orchestrator/cli/globals.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/report/error_report.h"
#include "orchestrator/report/table.h"
#include "orchestrator/report/text.h"

namespace drover::orchestrator::cli {
namespace {

std::string range_of(const std::vector<engine::RevisionId>& steps) {
  if (steps.empty()) {
    return "nothing";
  }
  return steps.size() == 1 ? steps.front().value
                           : fmt::format("{} .. {}", steps.front().value, steps.back().value);
}

/// "ok", or what stood in the way.
std::string result_of(const engine::RehearsalOutcome& outcome) {
  if (outcome.fault) {
    return outcome.fault->message;
  }
  if (!outcome.untried.empty()) {
    return fmt::format(
        "ok; not tried from {} on: {}", outcome.untried.front().value, outcome.why_untried);
  }
  return outcome.tried.empty() ? "nothing to do" : "ok";
}

void write_table(Console& console, const std::vector<TenantRehearsal>& rehearsals) {
  report::Table table({{"TENANT"}, {"TRIED"}, {"RESULT"}});
  for (const TenantRehearsal& rehearsal : rehearsals) {
    table.add(
        {rehearsal.id.value, range_of(rehearsal.outcome.tried), result_of(rehearsal.outcome)});
  }
  console.data(table.written(data_width()));
  for (const TenantRehearsal& rehearsal : rehearsals) {
    if (const auto& fault = rehearsal.outcome.fault) {
      console.say(fmt::format("{}: {}", printable(rehearsal.id.value), report::fault_line(*fault)));
      if (const std::string blocker = report::blocker_line(*fault); !blocker.empty()) {
        console.say("  " + blocker);
      }
    }
  }
}

void write_document(Invocation& invocation,
                    const report::Occasion& occasion,
                    const std::vector<TenantRehearsal>& rehearsals) {
  report::Value rows = report::Value::list();
  for (const auto& [id, outcome] : rehearsals) {
    report::Value row = report::Value::object();
    row.set("id", id.value)
        .set("tried", report::list_of(outcome.tried))
        .set("untried", report::list_of(outcome.untried))
        .set("why_untried", outcome.why_untried)
        .set("error", outcome.fault ? report::error_value(*outcome.fault) : report::Value());
    rows.add(std::move(row));
  }
  report::Document document{
      report::opening(occasion), "rehearsals", {"id", "tried", "untried", "why_untried", "error"}};
  document.value.set("rehearsals", std::move(rows));
  put_document(invocation, document);
}

}  // namespace

int rehearse(Workspace& workspace, FleetRun& run, Invocation& invocation) {
  const auto started = std::chrono::system_clock::now();
  const std::size_t count = run.request().tenants.size();
  if (count > 1 && !chose_tenants(invocation.globals)) {
    throw Error(
        ErrorCode::usage,
        "tenants_needed",
        fmt::format("--dry-run=rollback holds real locks while it tries, and all {} tenants "
                    "would feel them",
                    count),
        "Choose some: --tenant, --labels, --server or --limit 5.");
  }
  const std::string confirm = invocation.arguments.value("confirm");
  if (workspace.environment().production) {
    confirm_change(workspace, invocation, "Try it on them, and take it back?", confirm);
  }
  const std::vector<TenantRehearsal> rehearsals = run.rehearse();
  if (for_people(invocation)) {
    write_table(invocation.console, rehearsals);
  } else {
    write_document(invocation, occasion_since(started, workspace.environment().name), rehearsals);
  }
  for (const TenantRehearsal& rehearsal : rehearsals) {
    if (rehearsal.outcome.fault) {
      return static_cast<int>(ErrorCode::incomplete);
    }
  }
  return 0;
}

}  // namespace drover::orchestrator::cli

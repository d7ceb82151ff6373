// runs: what past runs did, from the journal.

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "orchestrator/cli/console.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/steering.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/workspace_of.h"
#include "orchestrator/report/error_report.h"
#include "orchestrator/report/table.h"

namespace drover::orchestrator::cli {
namespace {

constexpr std::size_t kShown = 20;

/// What to call the state of a run: one that says it is running may have died, and one that stopped
/// by itself because too many failed was not interrupted by anyone.
std::string state_of(const RunRecord& run) {
  if (run.state == RunState::running && !run.lease_alive) {
    return "died";
  }
  if (run.state != RunState::running && run.exit_status == static_cast<int>(ErrorCode::halted)) {
    return "halted";
  }
  if (run.state == RunState::interrupted &&
      run.exit_status == static_cast<int>(ErrorCode::waiting)) {
    return "paused";
  }
  return std::string(name_of(run.state));
}

std::string counts_text(const RunRecord& run) {
  std::string text;
  for (const auto& [outcome, count] : run.counts) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name_of(outcome));
  }
  return text.empty() ? "-" : text;
}

report::Value run_value(const RunRecord& run) {
  report::Value counts = report::Value::object();
  for (const auto& [outcome, count] : run.counts) {
    counts.set(name_of(outcome), count);
  }
  report::Value value = report::Value::object();
  value.set("run", run.id.value)
      .set("environment", run.request.environment)
      .set("verb", run.request.verb)
      .set("target", run.request.target)
      .set("digest", run.request.digest)
      .set("state", state_of(run))
      .set("exit_status", run.exit_status)
      .set("started", report::rfc3339(run.started))
      .set("finished",
           run.finished ? report::Value(report::rfc3339(*run.finished)) : report::Value())
      .set("user", run.owner.user)
      .set("host", run.owner.host)
      .set("pid", run.owner.pid)
      .set("total", run.total)
      .set("summary", std::move(counts));
  return value;
}

int list_runs(Invocation& invocation, Workspace& workspace, Journal& journal) {
  const auto started = std::chrono::system_clock::now();
  const std::string environment =
      invocation.arguments.has("all") ? std::string() : workspace.environment().name;
  const std::vector<RunRecord> runs = journal.runs(environment, kShown);
  if (!for_people(invocation)) {
    report::Document document{report::opening(occasion_since(started, environment)),
                              "runs",
                              {"run", "environment", "verb", "target", "state", "started"}};
    report::Value rows = report::Value::list();
    for (const RunRecord& run : runs) {
      rows.add(run_value(run));
    }
    document.value.set("runs", std::move(rows));
    put_document(invocation, document);
    return 0;
  }
  report::Table table({{"RUN"}, {"VERB"}, {"TARGET"}, {"STATE"}, {"BY"}, {"TENANTS"}});
  for (const RunRecord& run : runs) {
    table.add({run.id.value,
               run.request.verb,
               run.request.target,
               state_of(run),
               fmt::format("{}@{}", run.owner.user, run.owner.host),
               fmt::format("{}: {}", run.total, counts_text(run))});
  }
  invocation.console.data(table.empty() ? "no runs yet\n" : table.written(data_width()));
  return 0;
}

/// Of the words of a program the first line; all of them, each line set in, with -v.
void show_event(Invocation& invocation, const EventRecord& event) {
  std::string_view rest = event.text;
  const auto next_line = [&rest] {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    return printable(line);
  };
  invocation.console.data(fmt::format("{}  {}{}  {}\n",
                                      report::rfc3339(event.at),
                                      event.kind,
                                      event.tenant.empty() ? "" : " " + event.tenant,
                                      next_line()));
  while (invocation.globals.verbose && !rest.empty()) {
    invocation.console.data(fmt::format("    {}\n", next_line()));
  }
}

int show_run(Invocation& invocation, Journal& journal, const std::string& id) {
  const auto started = std::chrono::system_clock::now();
  const RunRecord run = journal.run(id);
  const std::vector<JournalTenant> tenants = journal.tenants_of(run.id);
  const std::vector<EventRecord> events = journal.events_of(run.id);
  if (!for_people(invocation)) {
    report::Document document{
        report::opening(occasion_since(started, run.request.environment)), "tenants", {}};
    document.value.set("run", run_value(run));
    report::Value rows = report::Value::list();
    for (const JournalTenant& tenant : tenants) {
      const TenantOutcome& outcome = tenant.outcome;
      report::Value row = report::Value::object();
      row.set("id", outcome.id.value)
          .set("outcome",
               tenant.finished ? report::Value(name_of(outcome.outcome)) : report::Value())
          .set("started", tenant.started)
          .set("from", report::list_of(outcome.from))
          .set("to", report::list_of(outcome.to))
          .set("attempts", outcome.attempts)
          .set("error", outcome.fault ? report::error_value(*outcome.fault) : report::Value());
      rows.add(std::move(row));
    }
    document.value.set("tenants", std::move(rows));
    put_document(invocation, document);
    return 0;
  }
  report::Table table(
      {{"TENANT"}, {"OUTCOME"}, {"ATTEMPTS", report::Column::Align::right}, {"ERROR"}});
  for (const JournalTenant& tenant : tenants) {
    const TenantOutcome& outcome = tenant.outcome;
    const std::string state = tenant.finished ? std::string(name_of(outcome.outcome))
                                              : (tenant.started ? "under way" : "waiting");
    table.add({outcome.id.value,
               state,
               std::to_string(outcome.attempts),
               outcome.fault ? report::fault_line(*outcome.fault) : ""});
  }
  invocation.console.data(fmt::format("run {}: {} {} {}\n{}, begun {} by {}@{} (pid {})\n\n{}",
                                      run.id.value,
                                      run.request.verb,
                                      run.request.verb == "restore" ? "from" : "to",
                                      run.request.target,
                                      state_of(run),
                                      report::rfc3339(run.started),
                                      run.owner.user,
                                      run.owner.host,
                                      run.owner.pid,
                                      table.written(data_width())));
  for (const EventRecord& event : events) {
    show_event(invocation, event);
  }
  return 0;
}

int run_runs(Invocation& invocation) {
  Workspace workspace = workspace_of(invocation.globals);
  Journal& journal = needed_journal(workspace);
  const std::optional<std::string> id = invocation.arguments.optional("run");
  return id ? show_run(invocation, journal, *id) : list_runs(invocation, workspace, journal);
}

}  // namespace

VerbSpec runs_verb() {
  using Takes = OptionSpec::Takes;
  return {"runs",
          "what past runs did",
          "  drover runs             the newest of the environment\n"
          "  drover runs 20261122    one of them, tenant by tenant\n"
          "  drover runs 20261122 -v with all that hooks wrote\n",
          {{"run", Takes::word, "RUN", "its id or the first characters"},
           {"--all", Takes::nothing, "", "of every environment"}},
          VerbSpec::Selectors::no,
          run_runs};
}

}  // namespace drover::orchestrator::cli

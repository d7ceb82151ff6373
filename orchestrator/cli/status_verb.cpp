// status, current and tenants: where the fleet stands, and who is in it. All of them only read.

#include <fmt/format.h>

#include "orchestrator/cli/console.h"
#include "orchestrator/cli/fleet_choice.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/workspace_of.h"
#include "orchestrator/report/error_report.h"
#include "orchestrator/report/status_report.h"
#include "orchestrator/report/table.h"

namespace drover::orchestrator::cli {
namespace {

int run_status(Invocation& invocation) {
  const auto started = std::chrono::system_clock::now();
  Workspace workspace = workspace_of(invocation.globals);
  const std::vector<Tenant> tenants = chosen_tenants(workspace, invocation);
  invocation.console.say(describe_fleet(workspace, tenants));
  const std::vector<TenantStanding> standings = standings_of(
      workspace, invocation, tenants, invocation.arguments.optional("target").value_or("heads"));
  if (for_people(invocation)) {
    const auto rows = invocation.arguments.has("all") ? report::Rows::all : report::Rows::needed;
    invocation.console.data(report::status_text(standings, data_width(), rows));
  } else {
    put_document(
        invocation,
        report::status_document(occasion_since(started, workspace.environment().name), standings));
  }
  return report::status_exit(standings,
                             invocation.arguments.has("detailed-exitcode")
                                 ? report::PendingCounts::yes
                                 : report::PendingCounts::no);
}

std::string joined(const std::vector<engine::RevisionId>& ids) {
  std::string text;
  for (const engine::RevisionId& id : ids) {
    text += text.empty() ? "" : ", ";
    text += id.value;
  }
  return text;
}

int run_current(Invocation& invocation) {
  const auto started = std::chrono::system_clock::now();
  Workspace workspace = workspace_of(invocation.globals);
  const std::vector<Tenant> tenants = chosen_tenants(workspace, invocation);
  const std::vector<TenantStanding> standings =
      standings_of(workspace, invocation, tenants, "heads");
  if (!for_people(invocation)) {
    put_document(
        invocation,
        report::status_document(occasion_since(started, workspace.environment().name), standings));
    return report::status_exit(standings, report::PendingCounts::no);
  }
  report::Table table({{"TENANT"}, {"CURRENT"}, {""}});
  for (const TenantStanding& standing : standings) {
    const bool at_head = standing.pending.empty() && !standing.fault;
    table.add({standing.id.value,
               standing.current.empty() ? "base" : joined(standing.current),
               standing.fault ? std::string(name_of(standing.state)) : (at_head ? "(head)" : "")});
  }
  invocation.console.data(table.written(data_width()));
  const bool check = invocation.arguments.has("check-heads");
  return report::status_exit(standings,
                             check ? report::PendingCounts::yes : report::PendingCounts::no);
}

std::string labels_text(const Labels& labels) {
  std::string text;
  for (const auto& [key, value] : labels) {
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", key, value);
  }
  return text;
}

report::Document tenants_document(const report::Occasion& occasion,
                                  const std::vector<Tenant>& tenants) {
  report::Document document{
      report::opening(occasion), "tenants", {"id", "server", "database", "schema", "labels"}};
  report::Value rows = report::Value::list();
  for (const Tenant& tenant : tenants) {
    report::Value labels = report::Value::object();
    for (const auto& [key, value] : tenant.labels) {
      labels.set(key, value);
    }
    report::Value row = report::Value::object();
    row.set("id", tenant.id.value)
        .set("kind", std::string(name_of(tenant.target.dialect)))
        .set("server", tenant.target.server)
        .set("database", tenant.target.database)
        .set("schema", tenant.target.schema)
        .set("labels", std::move(labels))
        .set("origin", tenant.origin);
    rows.add(std::move(row));
  }
  document.value.set("tenants", std::move(rows));
  return document;
}

int run_tenants(Invocation& invocation) {
  const auto started = std::chrono::system_clock::now();
  Workspace workspace = workspace_of(invocation.globals);
  const std::vector<Tenant> tenants = chosen_tenants(workspace, invocation);
  if (!for_people(invocation)) {
    put_document(invocation,
                 tenants_document(occasion_since(started, workspace.environment().name), tenants));
    return 0;
  }
  report::Table table({{"TENANT"}, {"SERVER"}, {"DATABASE"}, {"SCHEMA"}, {"LABELS"}});
  for (const Tenant& tenant : tenants) {
    table.add({tenant.id.value,
               tenant.target.server,
               tenant.target.database,
               tenant.target.schema,
               labels_text(tenant.labels)});
  }
  invocation.console.data(table.written(data_width()));
  invocation.console.say(describe_fleet(workspace, tenants));
  return 0;
}

}  // namespace

VerbSpec status_verb() {
  using Takes = OptionSpec::Takes;
  return {
      "status",
      "where every tenant stands",
      "Asks the tenants themselves, now. Exit status 7 for edited or diverged histories, 3 for\n"
      "tenants that could not be read.\n\n"
      "  drover status -e production\n"
      "  drover status --detailed-exitcode -o json    for a timer: 10 when changes are pending\n",
      {{"--target", Takes::value, "REF", "behind or ahead of what; default heads"},
       {"--all", Takes::nothing, "", "a line for every tenant, however many"},
       {"--detailed-exitcode", Takes::nothing, "", "10 when changes are pending"}},
      VerbSpec::Selectors::yes,
      run_status};
}

VerbSpec current_verb() {
  using Takes = OptionSpec::Takes;
  return {"current",
          "the heads that each tenant has applied",
          "",
          {{"--check-heads", Takes::nothing, "", "exit status 10 unless all are at the heads"}},
          VerbSpec::Selectors::yes,
          run_current};
}

VerbSpec tenants_verb() {
  return {"tenants",
          "who is in the fleet; connects to no tenant",
          "Asks the tenant sources of the environment.\n",
          {},
          VerbSpec::Selectors::yes,
          run_tenants};
}

}  // namespace drover::orchestrator::cli

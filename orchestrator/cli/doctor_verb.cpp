// doctor: what could go wrong before it does. Reads only.

#include <map>

#include <fmt/format.h>

#include "engine/api/engine_means.h"
#include "engine/postgres/conninfo.h"
#include "engine/readiness.h"
#include "orchestrator/api/fleet_worker.h"
#include "orchestrator/cli/console.h"
#include "orchestrator/cli/fleet_choice.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/workspace_of.h"
#include "orchestrator/report/table.h"

namespace drover::orchestrator::cli {
namespace {

enum class Finding { good, note, bad };

struct Check {
  std::string what;
  Finding finding;
  std::string text;
};

constexpr int kFirstWithConnectionCheck = 140000;

void check_postgres(Workspace& workspace, const Tenant& tenant, std::vector<Check>& checks) {
  const std::string& server = tenant.target.server;
  if (const auto weak = engine::postgres::weak_sslmode(tenant.target)) {
    checks.push_back({server,
                      Finding::bad,
                      fmt::format("sslmode={} over a network does not prove whom we talk to; use "
                                  "verify-full",
                                  *weak)});
  }
  engine::OpenOptions options;
  const engine::Patience patience{
      workspace.clock().now() + workspace.environment().timeouts.connect, {}};
  engine::OpenResult opened = workspace.sessions().open(tenant.target, options, patience);
  if (!opened.session) {
    checks.push_back({server, Finding::bad, "no connection: " + opened.error->message});
    return;
  }
  const int version = opened.session->info().server_version;
  checks.push_back(
      {server, Finding::good, fmt::format("PostgreSQL {}.{}", version / 10000, version % 10000)});
  if (version < kFirstWithConnectionCheck) {
    checks.push_back({server,
                      Finding::note,
                      "before version 14 a server does not notice a dead client; revisions go one "
                      "at a time"});
  }
  const auto [facts, error] = engine::read_server_facts(*opened.session, patience);
  if (error) {
    checks.push_back({server, Finding::bad, error->message});
    return;
  }
  checks.push_back(
      {server,
       facts.connections_free() > 0 ? Finding::good : Finding::bad,
       fmt::format(
           "{} of {} connections in use", facts.connections_used, facts.connections_allowed)});
  if (facts.standby) {
    checks.push_back({server, Finding::bad, "is a standby and takes no changes"});
  }
  if (!facts.sees_others) {
    checks.push_back({server,
                      Finding::note,
                      "the role lacks pg_read_all_stats, so blockers are shown without names"});
  }
}

void check_servers(Workspace& workspace, Invocation& invocation, std::vector<Check>& checks) {
  std::map<std::string, Tenant> one_of_each;
  for (const Tenant& tenant : chosen_tenants(workspace, invocation)) {
    one_of_each.emplace(tenant.target.server, tenant);
  }
  FleetProbe probe(workspace.sessions(), workspace.environment().timeouts.connect);
  for (const auto& [server, tenant] : one_of_each) {
    if (tenant.target.dialect == engine::Dialect::postgres) {
      check_postgres(workspace, tenant, checks);
      continue;
    }
    const auto error = probe.probe(tenant, {});
    checks.push_back({server,
                      error ? Finding::note : Finding::good,
                      error ? "a file there cannot be opened: " + error->message
                            : std::string("SQLite files can be read")});
  }
}

void check_files(Workspace& workspace, std::vector<Check>& checks) {
  const auto errors = engine::api::check_migrations(workspace.migrations_directory());
  for (const Error& error : errors) {
    checks.push_back({to_string(error.place()), Finding::bad, error.what()});
  }
  if (errors.empty()) {
    const auto migrations = workspace.migrations();
    const std::size_t heads = migrations->graph().heads().size();
    checks.push_back({"migrations",
                      heads > 1 ? Finding::note : Finding::good,
                      fmt::format("{} revisions, {} head{}",
                                  migrations->in_order().size(),
                                  heads,
                                  heads == 1 ? "" : "s: merge them when the branches are done")});
  }
}

void check_store(Workspace& workspace, std::vector<Check>& checks) {
  Journal* journal = workspace.journal();
  if (journal == nullptr) {
    return;
  }
  const auto resumable = journal->resumable(workspace.environment().name);
  checks.push_back({"run store",
                    resumable ? Finding::note : Finding::good,
                    resumable ? fmt::format("run {} was cut short; drover resume goes on with it",
                                            resumable->id.value)
                              : std::string("can be read; no run was cut short")});
}

/// One section of checks; what it throws is a finding like any other.
template <typename Section>
void try_section(const std::string& name, std::vector<Check>& checks, Section section) {
  try {
    section();
  } catch (const Error& error) {
    checks.push_back({name, Finding::bad, error.what()});
  }
}

std::string_view name_of(Finding finding) {
  return finding == Finding::good ? "ok" : (finding == Finding::note ? "note" : "bad");
}

int run_doctor(Invocation& invocation) {
  const auto started = std::chrono::system_clock::now();
  Workspace workspace = workspace_of(invocation.globals);
  std::vector<Check> checks;
  try_section("migrations", checks, [&] { check_files(workspace, checks); });
  try_section("run store", checks, [&] { check_store(workspace, checks); });
  try_section("tenants", checks, [&] { check_servers(workspace, invocation, checks); });
  report::Table table({{""}, {"WHAT"}, {"FINDING"}});
  report::Value rows = report::Value::list();
  bool bad = false;
  for (const Check& check : checks) {
    bad = bad || check.finding == Finding::bad;
    table.add({std::string(name_of(check.finding)), check.what, check.text});
    report::Value row = report::Value::object();
    row.set("finding", name_of(check.finding)).set("what", check.what).set("text", check.text);
    rows.add(std::move(row));
  }
  if (for_people(invocation)) {
    invocation.console.data(table.written(data_width()));
  } else {
    report::Document document{
        report::opening(occasion_since(started, workspace.environment().name)),
        "checks",
        {"finding", "what", "text"}};
    document.value.set("checks", std::move(rows));
    put_document(invocation, document);
  }
  return bad ? static_cast<int>(ErrorCode::incomplete) : 0;
}

}  // namespace

VerbSpec doctor_verb() {
  return {"doctor",
          "what could go wrong: files, store, servers, rights; reads only",
          "",
          {},
          VerbSpec::Selectors::yes,
          run_doctor};
}

}  // namespace drover::orchestrator::cli

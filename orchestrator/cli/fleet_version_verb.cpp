// fleet-version: what every tenant has, and what any has: may an application, or a contract step,
// count on a revision?

#include <set>

#include <fmt/format.h>

#include "orchestrator/cli/console.h"
#include "orchestrator/cli/fleet_choice.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/workspace_of.h"

namespace drover::orchestrator::cli {
namespace {

struct FleetVersion {
  engine::RevisionSet everywhere;  ///< Applied to every tenant that could be read and is not held.
  engine::RevisionSet anywhere;
  std::size_t unreadable = 0;
  std::size_t held = 0;
  std::size_t counted = 0;
};

FleetVersion version_of(const engine::RevisionGraph& graph,
                        const std::vector<TenantStanding>& standings,
                        const std::set<TenantId>& held) {
  FleetVersion version;
  for (const TenantStanding& tenant : standings) {
    if (held.contains(tenant.id)) {
      ++version.held;
      continue;
    }
    if (tenant.state == engine::TenantState::unreachable) {
      ++version.unreadable;
      continue;
    }
    const engine::RevisionSet applied = graph.closure(tenant.current);
    if (version.counted++ == 0) {
      version.everywhere = applied;
    } else {
      std::erase_if(version.everywhere,
                    [&](const engine::RevisionId& id) { return !applied.contains(id); });
    }
    version.anywhere.insert(applied.begin(), applied.end());
  }
  return version;
}

std::string names(const std::vector<engine::RevisionId>& ids) {
  std::string text;
  for (const engine::RevisionId& id : ids) {
    text += (text.empty() ? "" : ", ") + id.value;
  }
  return text.empty() ? "base" : text;
}

int run_fleet_version(Invocation& invocation) {
  const auto started = std::chrono::system_clock::now();
  Workspace workspace = workspace_of(invocation.globals);
  const std::vector<Tenant> tenants = chosen_tenants(workspace, invocation);
  const std::vector<TenantStanding> standings =
      standings_of(workspace, invocation, tenants, "heads");
  std::set<TenantId> held;
  if (Journal* journal = workspace.journal()) {
    for (const Hold& hold : journal->holds(workspace.environment().name)) {
      held.insert(hold.tenant);
    }
  }
  const auto migrations = workspace.migrations();
  const engine::RevisionGraph& graph = migrations->graph();
  const FleetVersion version = version_of(graph, standings, held);
  const auto lowest = graph.current_heads(version.everywhere);
  const auto highest = graph.current_heads(version.anywhere);
  if (for_people(invocation)) {
    invocation.console.data(
        fmt::format("every tenant has  {}\nsome have         {}\n", names(lowest), names(highest)));
    invocation.console.say(fmt::format("{} tenants asked; {} held and {} unreadable do not count",
                                       tenants.size(),
                                       version.held,
                                       version.unreadable));
  } else {
    report::Document document{
        report::opening(occasion_since(started, environment_name(workspace))), "", {}};
    document.value.set("lowest", report::list_of(lowest))
        .set("highest", report::list_of(highest))
        .set("tenants", tenants.size())
        .set("held", version.held)
        .set("unreadable", version.unreadable);
    put_document(invocation, document);
  }
  return version.unreadable == 0 ? 0 : static_cast<int>(ErrorCode::incomplete);
}

}  // namespace

VerbSpec fleet_version_verb() {
  return {"fleet-version",
          "which revision every tenant has, and which any",
          "Held tenants do not count. An application may rely on what every tenant has.\n",
          {},
          VerbSpec::Selectors::yes,
          run_fleet_version};
}

}  // namespace drover::orchestrator::cli

// history: the revisions in order, the newest first.

#include <algorithm>

#include <fmt/format.h>

#include "engine/revision_ref.h"
#include "orchestrator/cli/console.h"
#include "orchestrator/cli/fleet_choice.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/revision_text.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/workspace_of.h"

namespace drover::orchestrator::cli {
namespace {

using engine::RevisionId;

/// A tenant is asked only where the answer needs one.
bool needs_tenant(const Invocation& invocation, const std::string& range) {
  return invocation.arguments.has("indicate-current") || range.find("current") != std::string::npos;
}

std::vector<RevisionId> current_of_tenant(Workspace& workspace, Invocation& invocation) {
  const Tenant tenant = only_tenant(workspace, invocation);
  const TenantStanding standing = standings_of(workspace, invocation, {tenant}, "heads").front();
  if (standing.state == engine::TenantState::unreachable && standing.fault) {
    throw Error(standing.fault->code,
                standing.fault->kind,
                fmt::format("{}: {}", tenant.id.value, standing.fault->message),
                standing.fault->hint);
  }
  return standing.current;
}

/// What the tenant has applied of this history; an id that the files lack is left out.
engine::RevisionSet applied_of(const engine::RevisionGraph& graph,
                               std::vector<RevisionId> current) {
  std::erase_if(current, [&](const RevisionId& id) { return graph.find(id) == nullptr; });
  return graph.closure(current);
}

int run_history(Invocation& invocation) {
  const auto started = std::chrono::system_clock::now();
  Workspace workspace = workspace_of(invocation.globals);
  const auto migrations = workspace.migrations();
  const engine::RevisionGraph& graph = migrations->graph();
  const std::string range = invocation.arguments.optional("rev-range").value_or(":");
  RevisionView view{*migrations, invocation.globals};
  if (needs_tenant(invocation, range)) {
    view.current = current_of_tenant(workspace, invocation);
  }
  const engine::RevisionRange ends =
      engine::resolve_range(graph, range, engine::Direction::up, applied_of(graph, view.current));
  std::vector<RevisionId> ids = graph.between(ends.lower, ends.upper);
  std::reverse(ids.begin(), ids.end());
  if (!for_people(invocation)) {
    put_document(
        invocation,
        revisions_document(occasion_since(started, environment_name(workspace)), view, ids));
    return 0;
  }
  std::string text;
  for (const RevisionId& id : ids) {
    text += invocation.globals.verbose ? view.paragraph(id) + "\n" : view.step_line(id) + "\n";
  }
  invocation.console.data(text);
  return 0;
}

}  // namespace

VerbSpec history_verb() {
  using Takes = OptionSpec::Takes;
  return {"history",
          "the revisions in order, the newest first",
          "  drover history -r 0003:head\n"
          "  drover history -r current: -i --tenant acme    what acme has yet to run\n",
          {{"-r,--rev-range", Takes::value, "A:B", "only these; an end left out is base or heads"},
           {"-i,--indicate-current", Takes::nothing, "", "mark where the tenant stands"}},
          VerbSpec::Selectors::yes,
          run_history};
}

}  // namespace drover::orchestrator::cli

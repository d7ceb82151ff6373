// heads and branches: where the history ends, and where it parts.

#include <fmt/format.h>

#include "orchestrator/cli/console.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/revision_text.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/workspace_of.h"

namespace drover::orchestrator::cli {
namespace {

using engine::RevisionId;

void put_revisions(Invocation& invocation,
                   Workspace& workspace,
                   report::WallTime started,
                   const RevisionView& view,
                   const std::vector<RevisionId>& ids) {
  put_document(invocation,
               revisions_document(occasion_since(started, environment_name(workspace)), view, ids));
}

int run_heads(Invocation& invocation) {
  const auto started = std::chrono::system_clock::now();
  Workspace workspace = workspace_of(invocation.globals);
  const auto migrations = workspace.migrations();
  const RevisionView view{*migrations, invocation.globals};
  const bool resolves = invocation.arguments.has("resolve-dependencies");
  const std::vector<RevisionId> heads = migrations->graph().heads(
      resolves ? engine::Links::parents_and_depends : engine::Links::parents);
  if (!for_people(invocation)) {
    put_revisions(invocation, workspace, started, view, heads);
    return 0;
  }
  std::string text;
  for (const RevisionId& id : heads) {
    text += invocation.globals.verbose ? view.paragraph(id) + "\n" : view.line(id) + "\n";
  }
  invocation.console.data(text);
  if (heads.size() > 1) {
    invocation.console.say(
        fmt::format("{} heads: join them with drover merge, or name one as target", heads.size()));
  }
  return 0;
}

/// A branch point, and under it what follows.
std::string branch_text(const RevisionView& view, const RevisionId& id) {
  std::string text = view.line(id) + "\n";
  for (const RevisionId& child : view.migrations.graph().children_of(id)) {
    text += fmt::format("{:>{}} {}\n", "->", id.value.size() + 3, view.line(child));
  }
  return text;
}

int run_branches(Invocation& invocation) {
  const auto started = std::chrono::system_clock::now();
  Workspace workspace = workspace_of(invocation.globals);
  const auto migrations = workspace.migrations();
  const RevisionView view{*migrations, invocation.globals};
  const std::vector<RevisionId> points = migrations->graph().branch_points();
  if (!for_people(invocation)) {
    put_revisions(invocation, workspace, started, view, points);
    return 0;
  }
  std::string text;
  for (const RevisionId& id : points) {
    text += invocation.globals.verbose ? view.paragraph(id) : "";
    text += branch_text(view, id);
  }
  invocation.console.data(text);
  return 0;
}

}  // namespace

VerbSpec heads_verb() {
  using Takes = OptionSpec::Takes;
  return {"heads",
          "the revisions that nothing follows",
          "  drover heads -v\n",
          {{"--resolve-dependencies",
            Takes::nothing,
            "",
            "leave out those that another revision depends on"}},
          VerbSpec::Selectors::no,
          run_heads};
}

VerbSpec branches_verb() {
  return {"branches",
          "the revisions that several others follow",
          "  drover branches -v\n",
          {},
          VerbSpec::Selectors::no,
          run_branches};
}

}  // namespace drover::orchestrator::cli

// merge: a revision that joins several heads.

#include <fmt/format.h>

#include "engine/files/migration_writer.h"
#include "orchestrator/cli/new_revision.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/workspace_of.h"

namespace drover::orchestrator::cli {
namespace {

using engine::RevisionId;

/// Joining a revision with its own ancestor would join nothing.
void refuse_ancestors(const engine::RevisionGraph& graph, const std::vector<RevisionId>& ids) {
  for (const RevisionId& below : ids) {
    for (const RevisionId& above : ids) {
      if (graph.is_ancestor(below, above)) {
        throw Error(ErrorCode::usage,
                    "nothing_to_merge",
                    fmt::format("revision {} already follows {}",
                                engine::in_quotes(above),
                                engine::in_quotes(below)),
                    "Name revisions of different branches; see drover heads.");
      }
    }
  }
}

std::vector<RevisionId> merged_ids(const engine::RevisionGraph& graph, const Arguments& arguments) {
  const std::vector<std::string> refs = arguments.values("revisions");
  std::vector<RevisionId> ids = refs.empty() ? graph.heads() : revisions_named(graph, refs);
  if (ids.size() < 2) {
    throw Error(ErrorCode::usage,
                "nothing_to_merge",
                ids.empty() ? std::string("there is nothing to merge")
                            : fmt::format("there is nothing to merge {} with", in_quotes(ids[0])),
                "A merge joins two heads or more; see drover heads.");
  }
  refuse_ancestors(graph, ids);
  return ids;
}

int run_merge(Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  Workspace workspace = workspace_of(invocation.globals);
  const auto migrations = workspace.migrations();
  engine::files::NewMigration fresh;
  fresh.kind = engine::files::Template::merge;
  fresh.parents = merged_ids(migrations->graph(), arguments);
  fresh.labels = arguments.values("branch");
  fresh.message = arguments.optional("message").value_or(
      fmt::format("merge {}", engine::listed(fresh.parents, fresh.parents.size())));
  fresh.id = new_id(workspace, arguments.optional("rev-id"));
  write_revision(invocation, workspace, fresh);
  return 0;
}

}  // namespace

VerbSpec merge_verb() {
  using Takes = OptionSpec::Takes;
  return {"merge",
          "a revision that joins several heads",
          "Without references it joins all heads.\n\n"
          "  drover merge -m \"join billing and reports\" 0012 0014\n",
          {{"revisions", Takes::words, "REF", "what to join; default all heads"},
           {"-m,--message", Takes::value, "MESSAGE", "default names what it joins"},
           {"--branch", Takes::values, "LABEL", "names the branch that begins here"},
           {"--rev-id", Takes::value, "ID", "its id; default the next one"}},
          VerbSpec::Selectors::no,
          run_merge};
}

}  // namespace drover::orchestrator::cli

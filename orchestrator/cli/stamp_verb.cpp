// stamp: make the history say something without running anything.

#include "orchestrator/cli/history_changes.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/workspace_of.h"

namespace drover::orchestrator::cli {
namespace {

int run_stamp(Invocation& invocation) {
  Workspace workspace = workspace_of(invocation.globals);
  const auto migrations = workspace.migrations();
  const std::vector<std::string> refs = invocation.arguments.values("revision");
  const engine::Purge purge =
      invocation.arguments.has("purge") ? engine::Purge::yes : engine::Purge::no;
  return change_histories(workspace,
                          invocation,
                          "stamp",
                          invocation.arguments.value("confirm"),
                          [&](const Tenant& /*tenant*/,
                              engine::TenantSession& session,
                              const engine::Provenance& by,
                              engine::Commit commit) {
                            return engine::stamp(session, *migrations, refs, purge, by, commit, {});
                          });
}

}  // namespace

VerbSpec stamp_verb() {
  using Takes = OptionSpec::Takes;
  return {"stamp",
          "say that revisions are applied, without running them",
          "For a database that was made by other means.\n\n"
          "  drover stamp head --tenant acme\n"
          "  drover stamp base --purge --tenant acme    forget everything\n",
          {{"revision",
            Takes::words,
            "REVISION",
            "what is applied from now on",
            OptionSpec::Need::required},
           {"--purge", Takes::nothing, "", "forget the rows that are there first"},
           {"--confirm", Takes::value, "NAME", "the environment's name, where it is asked for"}},
          VerbSpec::Selectors::yes,
          run_stamp};
}

}  // namespace drover::orchestrator::cli

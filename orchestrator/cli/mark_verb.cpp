// mark: say which environment a tenant belongs to, for a copy that was made on purpose.

#include "orchestrator/cli/history_changes.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/workspace_of.h"

namespace drover::orchestrator::cli {
namespace {

int run_mark(Invocation& invocation) {
  Globals globals = invocation.globals;
  globals.environment = invocation.arguments.value("environment-name");
  Workspace workspace = workspace_of(globals);
  Invocation here{globals, invocation.arguments, invocation.console};
  const Environment& environment = workspace.environment();
  Journal* journal = workspace.journal();
  std::map<TenantId, std::string> uids;
  if (journal != nullptr) {
    uids = journal->uids(environment.name);
  }
  return change_histories(
      workspace,
      here,
      "mark",
      invocation.arguments.value("confirm"),
      [&](const Tenant& tenant,
          engine::TenantSession& session,
          const engine::Provenance& by,
          engine::Commit commit) {
        engine::AdministrationResult result =
            engine::mark(session, environment.name, environment.production, by, commit, {});
        const auto known = uids.find(tenant.id);
        const std::string& uid = session.history().tenant.uid;
        if (!result.fault && known != uids.end() && known->second != uid) {
          result.changes.push_back({"uid", known->second, uid});
          if (commit == engine::Commit::yes) {
            journal->forget_uid(environment.name, tenant.id);  // the next run binds the new one
          }
        }
        return result;
      });
}

}  // namespace

VerbSpec mark_verb() {
  using Takes = OptionSpec::Takes;
  return {"mark",
          "say that a database is this tenant, of this environment",
          "A copy of production that was restored into staging keeps its mark and is refused\n"
          "until somebody says that it is meant. The same holds for a tenant whose database\n"
          "was replaced by another one.\n\n"
          "  drover mark staging --tenant acme\n",
          {{"environment-name", Takes::word, "ENVIRONMENT", "", OptionSpec::Need::required},
           {"--confirm", Takes::value, "NAME", "the environment's name, where it is asked for"}},
          VerbSpec::Selectors::yes,
          run_mark};
}

}  // namespace drover::orchestrator::cli

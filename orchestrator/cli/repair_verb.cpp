// repair: accept what a person has looked at.

#include "engine/error.h"
#include "orchestrator/cli/history_changes.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/workspace_of.h"

namespace drover::orchestrator::cli {
namespace {

engine::RepairRequest request_of(const Arguments& arguments) {
  engine::RepairRequest request;
  request.accept_edits = arguments.has("accept-edits");
  request.accept_parents = arguments.has("accept-parents");
  request.forget_partial = arguments.has("forget-partial");
  if (arguments.has("done") && arguments.has("redo")) {
    throw Error(ErrorCode::usage,
                "invalid_arguments",
                "repair takes --done or --redo, not both",
                "Say --done when the statement took effect, --redo when it did not.");
  }
  if (arguments.has("done")) {
    request.statement = engine::RepairRequest::Statement::done;
  } else if (arguments.has("redo")) {
    request.statement = engine::RepairRequest::Statement::redo;
  }
  const bool nothing = !request.accept_edits && !request.accept_parents &&
                       !request.forget_partial &&
                       request.statement == engine::RepairRequest::Statement::leave;
  if (nothing) {
    throw Error(ErrorCode::usage,
                "invalid_arguments",
                "repair was not told what to accept",
                "Say one of --accept-edits, --accept-parents, --done, --redo, --forget-partial.");
  }
  return request;
}

int run_repair(Invocation& invocation) {
  const engine::RepairRequest request = request_of(invocation.arguments);
  Workspace workspace = workspace_of(invocation.globals);
  const auto migrations = workspace.migrations();
  return change_histories(workspace,
                          invocation,
                          "repair",
                          invocation.arguments.value("confirm"),
                          [&](const Tenant& /*tenant*/,
                              engine::TenantSession& session,
                              const engine::Provenance& by,
                              engine::Commit commit) {
                            return engine::repair(session, *migrations, request, by, commit, {});
                          });
}

}  // namespace

VerbSpec repair_verb() {
  using Takes = OptionSpec::Takes;
  return {"repair",
          "accept edited files, new parents, or what became of a statement",
          "Shows the rows before it changes them, asks, and leaves an event in the tenant.\n\n"
          "  drover repair --accept-edits --tenant acme\n"
          "  drover repair --done --tenant acme     the statement in doubt took effect\n",
          {{"--accept-edits", Takes::nothing, "", "take the files' checksums as they are now"},
           {"--accept-parents", Takes::nothing, "", "take the files' parents as they are now"},
           {"--done", Takes::nothing, "", "the statement in doubt took effect"},
           {"--redo", Takes::nothing, "", "it did not: run it again"},
           {"--forget-partial", Takes::nothing, "", "forget the progress of a half-done revision"},
           {"--confirm", Takes::value, "NAME", "the environment's name, where it is asked for"}},
          VerbSpec::Selectors::yes,
          run_repair};
}

}  // namespace drover::orchestrator::cli

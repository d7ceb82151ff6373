#include "orchestrator/cli/new_revision.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/revision_ref.h"
#include "orchestrator/cli/console.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/workspace_of.h"

namespace drover::orchestrator::cli {

using engine::RevisionId;

std::vector<RevisionId> revisions_named(const engine::RevisionGraph& graph,
                                        const std::vector<std::string>& refs) {
  std::vector<RevisionId> named;
  for (const std::string& ref : refs) {
    const std::vector<RevisionId> found = engine::resolve_upgrade(graph, ref, {});
    if (found.empty()) {
      throw Error(ErrorCode::usage,
                  "invalid_arguments",
                  fmt::format("{} names no revision", engine::in_quotes(ref)),
                  "Name an id, a label or a head; see drover help references.");
    }
    for (const RevisionId& id : found) {
      if (std::find(named.begin(), named.end(), id) == named.end()) {
        named.push_back(id);
      }
    }
  }
  return named;
}

RevisionId new_id(Workspace& workspace, const std::optional<std::string>& wanted) {
  std::vector<RevisionId> taken;
  for (const engine::Migration& migration : workspace.migrations()->in_order()) {
    taken.push_back(migration.id);
  }
  if (!wanted) {
    return engine::files::next_id(taken,
                                  workspace.options().ids == IdStyle::random
                                      ? engine::files::IdStyle::random
                                      : engine::files::IdStyle::number);
  }
  if (const engine::Migration* const other = workspace.migrations()->find({*wanted})) {
    throw Error(ErrorCode::usage,
                "id_taken",
                fmt::format("revision {} is there already", engine::in_quotes(*wanted)),
                "Choose another id, or leave --rev-id out for the next one.",
                {other->source.generic_string(), 0, 0});
  }
  return {*wanted};
}

void write_revision(Invocation& invocation,
                    Workspace& workspace,
                    const engine::files::NewMigration& fresh) {
  if (invocation.globals.dry_run) {
    invocation.console.say(
        fmt::format("would write {}", engine::files::file_name_of(fresh.id, fresh.message)));
    invocation.console.data(engine::files::text_of(fresh));
    return;
  }
  const std::filesystem::path file =
      engine::files::create_migration(workspace.migrations_directory(), fresh);
  put_new_revision(invocation, workspace, {fresh.id, file, fresh.parents});
}

void put_new_revision(Invocation& invocation, Workspace& workspace, const NewRevision& made) {
  const std::string file = shown_path(invocation.globals, made.file);
  if (for_people(invocation)) {
    invocation.console.data(file + "\n");
    return;
  }
  report::Value value = report::opening(
      occasion_since(std::chrono::system_clock::now(), environment_name(workspace)));
  value.set("revision", made.id.value)
      .set("parents", report::list_of(made.parents))
      .set("file", file);
  put_document(invocation, {std::move(value), "", {"revision", "parents", "file"}});
}

}  // namespace drover::orchestrator::cli

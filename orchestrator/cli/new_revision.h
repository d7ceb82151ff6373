/// What create and merge have in common: references, the next id, writing and printing a new file.
///
/// Thread safety: one invocation, one thread.

#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/files/migration_writer.h"
#include "orchestrator/api/workspace.h"
#include "orchestrator/cli/verb.h"

namespace drover::orchestrator::cli {

/// The revisions that `refs` name ("heads" names several), each once, in the order given.
///
/// Throws GraphError as resolve_upgrade() does; Error usage (invalid_arguments) for one that names
/// no revision, such as "base".
std::vector<engine::RevisionId> revisions_named(const engine::RevisionGraph& graph,
                                                const std::vector<std::string>& refs);

/// `wanted`, which must be free, else the next id in the style of the configuration.
///
/// Throws Error usage: id_taken.
engine::RevisionId new_id(Workspace& workspace, const std::optional<std::string>& wanted);

/// Writes `fresh` and prints its path; with --dry-run prints its text and writes nothing.
void write_revision(Invocation& invocation,
                    Workspace& workspace,
                    const engine::files::NewMigration& fresh);

struct NewRevision {
  engine::RevisionId id;
  std::filesystem::path file;
  std::vector<engine::RevisionId> parents;
};

/// The path, or with -o the document of a file that was made.
void put_new_revision(Invocation& invocation, Workspace& workspace, const NewRevision& made);

}  // namespace drover::orchestrator::cli

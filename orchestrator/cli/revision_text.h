/// Revisions as history, heads, branches and show print them.
///
/// Thread safety: pure functions.

#pragma once

#include <string>
#include <vector>

#include "engine/migration_set.h"
#include "orchestrator/cli/globals.h"
#include "orchestrator/report/document.h"

namespace drover::orchestrator::cli {

/// What revisions are shown with. The references must outlive it.
struct RevisionView {
  const engine::MigrationSet& migrations;
  const Globals& globals;
  std::vector<engine::RevisionId> current = {};  ///< Heads of the tenant that was asked about.

  /// "0004 (billing) (head), Store a SHA-256 of every file"
  std::string line(const engine::RevisionId& id) const;

  /// The line with its parents in front: "0003 -> 0004 (head), ..."; from base "base -> 0001, ...".
  std::string step_line(const engine::RevisionId& id) const;

  /// A paragraph: id, parents, what it depends on, labels, message, file.
  std::string paragraph(const engine::RevisionId& id) const;

  report::Value value(const engine::RevisionId& id) const;

 private:
  std::vector<std::string> marks_of(const engine::RevisionId& id) const;
};

/// A document whose rows are `ids`, under "revisions".
report::Document revisions_document(const report::Occasion& occasion,
                                    const RevisionView& view,
                                    const std::vector<engine::RevisionId>& ids);

/// "0002, 0003"; "none" when there are none.
std::string ids_text(const std::vector<engine::RevisionId>& ids);

}  // namespace drover::orchestrator::cli

/// All migrations of one directory: the graph, the files, and what seals them.
///
/// The seal of a revision is its `chain` checksum: SHA-256 over the hex of `up`, LF, and then the
/// chains of its parents and dependencies in hex, sorted, each with LF; for each dialect. It
/// changes when anything that the revision stands on changes. Once released the rule never changes.
///
/// Thread safety: immutable after build(); any number of workers share one by const reference.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/migration.h"
#include "engine/revision_graph.h"

namespace drover::engine {

class MigrationSet {
 public:
  /// Builds the graph and fills in the chain checksums. `migrations` come in any order, with `up`
  /// and `down` checksums for both dialects.
  ///
  /// Throws GraphError, as RevisionGraph::build() does; place() is the migration's file.
  static MigrationSet build(std::vector<Migration> migrations);

  const RevisionGraph& graph() const noexcept { return graph_; }

  /// The migration called `id`, or nullptr. Lives as long as this set.
  const Migration* find(const RevisionId& id) const noexcept;

  /// Every migration, each after its parents and dependencies.
  const std::vector<Migration>& in_order() const noexcept { return in_order_; }

  /// One SHA-256 in hex over everything that acts, up and down, both dialects; what a plan's digest
  /// and a run bind to. Messages and labels are not part of it.
  std::string digest() const;

 private:
  MigrationSet(std::vector<Migration> in_order, RevisionGraph graph);

  std::vector<std::string_view> needed_chains(const Migration& migration, Dialect dialect) const;

  std::vector<Migration> in_order_;  ///< In the order of graph_.
  RevisionGraph graph_;
};

}  // namespace drover::engine

/// All migrations of one directory: the graph, the files, and what seals them.
///
/// Immutable after build(); any number of workers share one by const reference.

#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/migration.h"
#include "engine/revision_graph.h"

namespace drover::engine {

class MigrationSet {
 public:
  /// Builds the graph and fills in the chain checksums.
  ///
  /// Throws GraphError.
  static MigrationSet build(std::vector<Migration> migrations);

  const RevisionGraph& graph() const noexcept { return graph_; }
  const Migration* find(const RevisionId& id) const noexcept;

  /// Every migration, each after its parents and dependencies.
  const std::vector<Migration>& in_order() const noexcept { return in_order_; }

  /// One SHA-256 over everything that acts, both dialects; what a plan's digest and a run bind to.
  std::string digest() const;

 private:
  MigrationSet(std::vector<Migration> in_order, RevisionGraph graph);

  std::vector<Migration> in_order_;
  RevisionGraph graph_;
  std::map<RevisionId, std::size_t> position_;
};

}  // namespace drover::engine

/// Checks that revisions make a sound history, and puts them in the order in which they run.
///
/// The first half of RevisionGraph::build(); nobody else needs it. revision_graph.h answers
/// questions about the result.
///
/// Thread safety: a free function without state.

#pragma once

#include <vector>

#include "engine/revision_graph.h"

namespace drover::engine {

/// `revisions`, each after its parents and dependencies, ties by id. The result, and the defect
/// reported when there are several, do not depend on the order given.
///
/// Throws GraphError: invalid_id, duplicate_id, invalid_label, duplicate_label, unknown_parent,
/// unknown_dependency, repeated_link, cycle.
std::vector<Revision> checked_and_ordered(std::vector<Revision> revisions);

}  // namespace drover::engine

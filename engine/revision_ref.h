/// What a reference to a history means: "head", "0007", "label@head", "+2", "0003-1", "base:head".
///
/// The language is Alembic's (D3 in DESIGN). A reference is an absolute part, or steps, or both:
///
///     [BRANCH@] head | heads | base | current | ID | LABEL | PREFIX    and then    [+N | -N]
///
/// PREFIX needs RevisionGraph::kMinPrefixLength characters and must fit one revision. BRANCH is an
/// id, a label or a prefix; it narrows everything else to the lineage of that revision. Steps
/// without an absolute part start at the tenant's current heads ("current"). Each step goes to the
/// one child or parent on the branch; the last step down may end on all parents of a merge. A step
/// that could go several ways, or past a head or the base, is an error.
///
/// Unlike Alembic, "-N" from several current heads is an error and not a warning, and
/// "BRANCH@base" leaves alone what the branch shares with others (RevisionGraph::branch).
///
/// This file only finds revisions. RevisionGraph::pending() and to_undo() turn them into steps.
///
/// Thread safety: free functions without state.
///
/// Errors: GraphError of the kinds invalid_ref, unknown_ref, ambiguous_ref, multiple_heads,
/// out_of_range; foreign_applied and applied_gap where a reference starts at the current heads of a
/// tenant whose record does not fit the history.

#pragma once

#include <string_view>
#include <vector>

#include "engine/revision_graph.h"

namespace drover::engine {

/// The one revision that `ref` names. References that start at the current heads take them from
/// `applied`.
RevisionId resolve_one(const RevisionGraph& graph,
                       std::string_view ref,
                       const RevisionSet& applied = {});

/// Where an upgrade to `ref` goes, for RevisionGraph::pending(). Empty for the base, where every
/// tenant has been already, and for "head" of an empty history. Refuses "-N", which leads down.
std::vector<RevisionId> resolve_upgrade(const RevisionGraph& graph,
                                        std::string_view ref,
                                        const RevisionSet& applied);

/// What a downgrade to `ref` takes away at first hand, for RevisionGraph::to_undo(): for a revision
/// all that follows it (on the branch, when one is given), for "base" everything, for "-N" the last
/// N revisions. Where `ref` is not applied, nothing of that is, and there is nothing to undo.
/// Refuses "+N", which leads up.
std::vector<RevisionId> resolve_downgrade(const RevisionGraph& graph,
                                          std::string_view ref,
                                          const RevisionSet& applied);

/// Two ends, `lower` needed by `upper`. An empty `lower` is the base.
struct RevisionRange {
  std::vector<RevisionId> lower;
  std::vector<RevisionId> upper;

  bool operator==(const RevisionRange&) const = default;
};

/// How a range is written: the end it starts at first.
enum class Direction { up, down };

/// The ends of `range`, which is FROM:TO; an end left out is "base" or "heads". Steps without an
/// absolute part start at the other end, or at the current heads of `applied` when both are such.
///
/// Throws GraphError: not_an_ancestor, and those at the top of this file.
RevisionRange resolve_range(const RevisionGraph& graph,
                            std::string_view range,
                            Direction direction,
                            const RevisionSet& applied = {});

/// What leads from one end of `range` to the other, without a tenant: for scripts.
std::vector<RevisionId> steps_up(const RevisionGraph& graph, const RevisionRange& range);
std::vector<RevisionId> steps_down(const RevisionGraph& graph, const RevisionRange& range);

}  // namespace drover::engine

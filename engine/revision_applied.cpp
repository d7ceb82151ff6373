// The part of RevisionGraph that knows what a tenant has applied.

#include <fmt/format.h>

#include <algorithm>

#include "engine/revision_graph.h"

namespace drover::engine {

using Kind = GraphError::Kind;

RevisionGraph::AppliedMarks RevisionGraph::marked(const RevisionSet& applied) const {
  AppliedMarks result{Marks(in_order_.size(), 0), {}, {}};
  result.known.reserve(applied.size());
  // Both are sorted, and most tenants have nearly everything: look at the next id before searching.
  auto next = by_id_.begin();
  for (const RevisionId& id : applied) {
    if (next != by_id_.end() && in_order_[*next].id < id) {
      next = std::lower_bound(next, by_id_.end(), id, [&](std::size_t i, const RevisionId& wanted) {
        return in_order_[i].id < wanted;
      });
    }
    if (next == by_id_.end() || in_order_[*next].id != id) {
      result.unknown.push_back(id);
      continue;
    }
    result.marks[*next] = 1;
    result.known.push_back(*next);
    ++next;
  }
  return result;
}

AppliedCheck RevisionGraph::check(const AppliedMarks& applied) const {
  AppliedCheck result{applied.unknown, {}};
  Positions with_gaps;
  for (const std::size_t i : applied.known) {
    const bool is_complete = std::all_of(
        needs_[i].begin(), needs_[i].end(), [&](std::size_t n) { return applied.marks[n] != 0; });
    if (!is_complete) {
      with_gaps.push_back(i);
    }
  }
  std::sort(with_gaps.begin(), with_gaps.end());
  for (const std::size_t i : with_gaps) {
    for (const std::size_t needed : needs_[i]) {
      if (applied.marks[needed] == 0) {
        result.gaps.push_back({in_order_[i].id, in_order_[needed].id});
      }
    }
  }
  return result;
}

AppliedCheck RevisionGraph::check(const RevisionSet& applied) const {
  return check(marked(applied));
}

RevisionGraph::AppliedMarks RevisionGraph::sound(const RevisionSet& applied) const {
  AppliedMarks marks = marked(applied);
  const AppliedCheck found = check(marks);
  if (!found.unknown.empty()) {
    throw GraphError(Kind::foreign_applied,
                     fmt::format("tenant has applied {}, which is not in this history",
                                 in_quotes(found.unknown.front())),
                     "Run a build that contains it, or repair the tenant's record.");
  }
  if (!found.gaps.empty()) {
    const auto& [has, lacks] = found.gaps.front();
    const std::size_t at = position_of(has);
    const std::vector<RevisionId>& parents = in_order_[at].parents;
    const bool is_parent = std::find(parents.begin(), parents.end(), lacks) != parents.end();
    throw GraphError(Kind::applied_gap,
                     fmt::format("tenant has applied {} but not its {} {}",
                                 in_quotes(has),
                                 is_parent ? "parent" : "dependency",
                                 in_quotes(lacks)),
                     "Compare the tenant's schema with the history, then repair its record.");
  }
  return marks;
}

void RevisionGraph::require_sound(const RevisionSet& applied) const {
  sound(applied);
}

std::vector<RevisionId> RevisionGraph::current_heads(const RevisionSet& applied) const {
  const AppliedMarks marks = marked(applied);
  std::vector<RevisionId> heads = marks.unknown;
  for (const std::size_t i : marks.known) {
    const bool is_needed = std::any_of(needed_by_[i].begin(),
                                       needed_by_[i].end(),
                                       [&](std::size_t by) { return marks.marks[by] != 0; });
    if (!is_needed) {
      heads.push_back(in_order_[i].id);
    }
  }
  std::sort(heads.begin(), heads.end());
  return heads;
}

std::vector<RevisionId> RevisionGraph::pending(const RevisionSet& applied,
                                               std::span<const RevisionId> targets) const {
  // What is applied needs nothing more, so the walk stops there and costs no more than its result.
  Marks done = sound(applied).marks;
  Positions steps;
  const auto add = [&](std::size_t i) {
    if (done[i] == 0) {
      done[i] = 1;
      steps.push_back(i);
    }
  };
  for (const std::size_t target : positions_of(targets)) {
    add(target);
  }
  for (std::size_t visited = 0; visited < steps.size(); ++visited) {
    for (const std::size_t needed : needs_[steps[visited]]) {
      add(needed);
    }
  }
  std::sort(steps.begin(), steps.end());

  std::vector<RevisionId> ids;
  ids.reserve(steps.size());
  for (const std::size_t i : steps) {
    ids.push_back(in_order_[i].id);
  }
  return ids;
}

std::vector<RevisionId> RevisionGraph::pending(const RevisionSet& applied,
                                               const RevisionId& target) const {
  return pending(applied, std::span(&target, 1));
}

std::vector<RevisionId> RevisionGraph::to_undo(const RevisionSet& applied,
                                               std::span<const RevisionId> unwanted) const {
  const Marks marks = sound(applied).marks;
  Marks going(in_order_.size(), 0);
  for (const std::size_t i : positions_of(unwanted)) {
    going[i] = marks[i];
  }
  // Children stand behind what they need, so going forwards everything is known when it is asked.
  std::vector<RevisionId> steps;
  for (std::size_t i = 0; i < in_order_.size(); ++i) {
    const bool loses_something = std::any_of(
        needs_[i].begin(), needs_[i].end(), [&](std::size_t needed) { return going[needed] != 0; });
    if (loses_something) {
      going[i] = marks[i];
    }
    if (going[i] != 0) {
      steps.push_back(in_order_[i].id);
    }
  }
  std::reverse(steps.begin(), steps.end());
  return steps;
}

}  // namespace drover::engine

#include "engine/revision_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "engine/revision_order.h"
#include "engine/revision_ref.h"

namespace drover::engine {

RevisionGraph RevisionGraph::build(std::vector<Revision> revisions) {
  return RevisionGraph(checked_and_ordered(std::move(revisions)));
}

RevisionGraph::RevisionGraph(std::vector<Revision> in_order)
    : in_order_(std::move(in_order)),
      by_id_(in_order_.size()),
      parents_(in_order_.size()),
      children_(in_order_.size()),
      needs_(in_order_.size()),
      needed_by_(in_order_.size()),
      labels_of_(in_order_.size()) {
  for (std::size_t i = 0; i < in_order_.size(); ++i) {
    by_id_[i] = i;
  }
  std::sort(by_id_.begin(), by_id_.end(), [&](std::size_t a, std::size_t b) {
    return in_order_[a].id < in_order_[b].id;
  });
  for (std::size_t i = 0; i < in_order_.size(); ++i) {
    parents_[i] = positions_of(in_order_[i].parents);
    needs_[i] = positions_of(in_order_[i].depends);
    needs_[i].insert(needs_[i].begin(), parents_[i].begin(), parents_[i].end());
    for (const std::size_t parent : parents_[i]) {
      children_[parent].push_back(i);
    }
    for (const std::size_t needed : needs_[i]) {
      needed_by_[needed].push_back(i);
    }
  }
  add_labels();
}

void RevisionGraph::add_labels() {
  for (std::size_t i = 0; i < in_order_.size(); ++i) {
    for (const std::string& label : in_order_[i].labels) {
      labels_.emplace(label, i);
    }
  }
  for (const auto& [label, declared_at] : labels_) {
    for (const std::size_t covered : branch_positions(declared_at)) {
      labels_of_[covered].push_back(label);
    }
  }
}

template <typename Wanted>
std::vector<RevisionId> RevisionGraph::ids_where(Wanted wanted) const {
  std::vector<RevisionId> ids;
  for (std::size_t i = 0; i < in_order_.size(); ++i) {
    if (wanted(i)) {
      ids.push_back(in_order_[i].id);
    }
  }
  return ids;
}

template <typename Wanted>
std::vector<RevisionId> RevisionGraph::sorted_ids_where(Wanted wanted) const {
  std::vector<RevisionId> ids = ids_where(wanted);
  std::sort(ids.begin(), ids.end());
  return ids;
}

const Revision* RevisionGraph::find(const RevisionId& id) const noexcept {
  const auto found = position(id);
  return found ? &in_order_[*found] : nullptr;
}

std::optional<std::size_t> RevisionGraph::position(const RevisionId& id) const noexcept {
  const auto found = std::lower_bound(
      by_id_.begin(), by_id_.end(), id, [&](std::size_t i, const RevisionId& wanted) {
        return in_order_[i].id < wanted;
      });
  if (found == by_id_.end() || in_order_[*found].id != id) {
    return std::nullopt;
  }
  return *found;
}

std::size_t RevisionGraph::position_of(const RevisionId& id) const {
  if (const auto found = position(id)) {
    return *found;
  }
  throw GraphError(GraphError::Kind::unknown_ref,
                   fmt::format("no revision matches {}", in_quotes(id)),
                   "Look at the history to see which revisions there are.");
}

RevisionGraph::Positions RevisionGraph::positions_of(std::span<const RevisionId> ids) const {
  Positions positions;
  positions.reserve(ids.size());
  for (const RevisionId& id : ids) {
    positions.push_back(position_of(id));
  }
  return positions;
}

/// Everything that can be reached from `open` along `links`, `open` included.
RevisionGraph::Marks RevisionGraph::reached(Positions open, const LinkLists& links) const {
  Marks marks(in_order_.size(), 0);
  for (const std::size_t start : open) {
    marks[start] = 1;
  }
  while (!open.empty()) {
    const std::size_t at = open.back();
    open.pop_back();
    for (const std::size_t next : links[at]) {
      if (marks[next] == 0) {
        marks[next] = 1;
        open.push_back(next);
      }
    }
  }
  return marks;
}

const RevisionId& RevisionGraph::resolve(std::string_view ref) const {
  return in_order_[position_of(resolve_one(*this, ref))].id;
}

std::vector<RevisionId> RevisionGraph::named(std::string_view name) const {
  RevisionId wanted{std::string(name)};
  if (find(wanted) != nullptr) {
    return {std::move(wanted)};
  }
  if (const auto label = labels_.find(name); label != labels_.end()) {
    return {in_order_[label->second].id};
  }
  if (name.size() < kMinPrefixLength) {
    return {};
  }
  RevisionSet matches;
  auto id = std::lower_bound(
      by_id_.begin(), by_id_.end(), wanted, [&](std::size_t i, const RevisionId& prefix) {
        return in_order_[i].id < prefix;
      });
  for (; id != by_id_.end() && in_order_[*id].id.value.starts_with(name); ++id) {
    matches.insert(in_order_[*id].id);
  }
  auto label = labels_.lower_bound(name);
  for (; label != labels_.end() && label->first.starts_with(name); ++label) {
    matches.insert(in_order_[label->second].id);
  }
  return {matches.begin(), matches.end()};
}

std::vector<RevisionId> RevisionGraph::heads(Links links) const {
  const LinkLists& followers = links == Links::parents ? children_ : needed_by_;
  return sorted_ids_where([&](std::size_t i) { return followers[i].empty(); });
}

std::vector<RevisionId> RevisionGraph::heads_of(const RevisionId& branch) const {
  const Marks lineage = lineage_marks(branch);
  return sorted_ids_where([&](std::size_t i) { return children_[i].empty() && lineage[i] != 0; });
}

std::vector<RevisionId> RevisionGraph::bases() const {
  return sorted_ids_where([&](std::size_t i) { return parents_[i].empty(); });
}

std::vector<RevisionId> RevisionGraph::branch_points() const {
  return ids_where([&](std::size_t i) { return children_[i].size() > 1; });
}

std::vector<RevisionId> RevisionGraph::merge_points() const {
  return ids_where([&](std::size_t i) { return parents_[i].size() > 1; });
}

std::vector<RevisionId> RevisionGraph::children_of(const RevisionId& id) const {
  std::vector<RevisionId> children;
  for (const std::size_t child : children_[position_of(id)]) {
    children.push_back(in_order_[child].id);
  }
  return children;
}

std::span<const std::string> RevisionGraph::labels_of(const RevisionId& id) const {
  return labels_of_[position_of(id)];
}

bool RevisionGraph::is_ancestor(const RevisionId& ancestor,
                                const RevisionId& of,
                                Links links) const {
  const std::size_t wanted = position_of(ancestor);
  const std::size_t start = position_of(of);
  const Marks marks = reached({start}, links == Links::parents ? parents_ : needs_);
  return wanted != start && marks[wanted] != 0;
}

RevisionGraph::Marks RevisionGraph::lineage_marks(const RevisionId& id) const {
  const std::size_t start = position_of(id);
  Marks marks = reached({start}, parents_);
  const Marks above = reached({start}, children_);
  for (std::size_t i = 0; i < marks.size(); ++i) {
    marks[i] = std::max(marks[i], above[i]);
  }
  return marks;
}

std::vector<RevisionId> RevisionGraph::lineage(const RevisionId& id) const {
  const Marks marks = lineage_marks(id);
  return ids_where([&](std::size_t i) { return marks[i] != 0; });
}

/// See branch(). In no order; visits only what it returns, since every label asks at build().
RevisionGraph::Positions RevisionGraph::branch_positions(std::size_t position) const {
  Positions branch;
  std::size_t below = position;
  while (parents_[below].size() == 1) {
    below = parents_[below].front();
    if (needed_by_[below].size() > 1 || parents_[below].size() > 1) {
      break;
    }
    branch.push_back(below);
  }
  std::set<std::size_t> above{position};
  Positions open{position};
  while (!open.empty()) {
    const std::size_t at = open.back();
    open.pop_back();
    branch.push_back(at);
    for (const std::size_t child : children_[at]) {
      if (above.insert(child).second) {
        open.push_back(child);
      }
    }
  }
  return branch;
}

std::vector<RevisionId> RevisionGraph::branch(const RevisionId& id) const {
  Positions positions = branch_positions(position_of(id));
  std::sort(positions.begin(), positions.end());
  std::vector<RevisionId> ids;
  for (const std::size_t i : positions) {
    ids.push_back(in_order_[i].id);
  }
  return ids;
}

RevisionSet RevisionGraph::closure(std::span<const RevisionId> ids) const {
  const Marks marks = reached(positions_of(ids), needs_);
  const std::vector<RevisionId> all = ids_where([&](std::size_t i) { return marks[i] != 0; });
  return {all.begin(), all.end()};
}

std::vector<RevisionId> RevisionGraph::between(std::span<const RevisionId> lower,
                                               std::span<const RevisionId> upper) const {
  const Marks below = reached(positions_of(upper), needs_);
  const Marks above =
      lower.empty() ? Marks(in_order_.size(), 1) : reached(positions_of(lower), needed_by_);
  return ids_where([&](std::size_t i) { return below[i] != 0 && above[i] != 0; });
}

}  // namespace drover::engine

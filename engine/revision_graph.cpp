#include "engine/revision_graph.h"

#include <algorithm>
#include <functional>
#include <ostream>
#include <queue>
#include <tuple>
#include <utility>

namespace drover::engine {
namespace {

using Kind = GraphError::Kind;
using RevisionsById = std::map<RevisionId, const Revision*>;

constexpr std::string_view kHeadWord = "head";

std::string quoted(const RevisionId& id) {
  return "'" + id.value + "'";
}

/// "'0007' (migrations/0007_add_index.sql)", or only the id when the source is not known.
std::string described(const Revision& revision) {
  if (revision.source.empty()) {
    return quoted(revision.id);
  }
  return quoted(revision.id) + " (" + revision.source.generic_string() + ")";
}

std::string joined(std::span<const RevisionId> ids, std::string_view separator) {
  std::string text;
  for (const RevisionId& id : ids) {
    if (!text.empty()) {
      text += separator;
    }
    text += id.value;
  }
  return text;
}

GraphError no_such_revision(const RevisionId& ref) {
  return {Kind::unknown_ref,
          "no revision matches " + quoted(ref),
          "Look at the history to see which revisions there are."};
}

/// What a tenant's record contradicts is a failed verification; everything else is wrong input.
ErrorCode code_of(GraphError::Kind kind) {
  const bool about_tenant = kind == Kind::foreign_applied || kind == Kind::applied_gap;
  return about_tenant ? ErrorCode::verification : ErrorCode::usage;
}

std::string_view name_of(GraphError::Kind kind) {
  switch (kind) {
    case Kind::invalid_id:
      return "invalid_id";
    case Kind::duplicate_id:
      return "duplicate_id";
    case Kind::unknown_parent:
      return "unknown_parent";
    case Kind::cycle:
      return "cycle";
    case Kind::unknown_ref:
      return "unknown_ref";
    case Kind::ambiguous_ref:
      return "ambiguous_ref";
    case Kind::foreign_applied:
      return "foreign_applied";
    case Kind::applied_gap:
      return "applied_gap";
  }
  return "graph";
}

void check_ids(std::span<const Revision> revisions) {
  for (const Revision& revision : revisions) {
    if (revision.id.value.empty()) {
      throw GraphError(Kind::invalid_id,
                       "revision " + described(revision) + " has an empty id",
                       "Give the revision an id.");
    }
    if (revision.id.value == kHeadWord) {
      throw GraphError(Kind::invalid_id,
                       "revision " + described(revision) + " uses a reserved word as its id",
                       "Rename it: 'head' stands for the latest revision.");
    }
  }
}

RevisionsById index_by_id(std::span<const Revision> revisions) {
  RevisionsById by_id;
  for (const Revision& revision : revisions) {
    const auto [first, inserted] = by_id.emplace(revision.id, &revision);
    if (!inserted) {
      throw GraphError(
          Kind::duplicate_id,
          "revision " + described(*first->second) + " is defined again by " + described(revision),
          "Give one of the two a new id, and make it follow the other.");
    }
  }
  return by_id;
}

void check_parents(const RevisionsById& by_id) {
  for (const auto& [id, revision] : by_id) {
    for (const RevisionId& parent : revision->parents) {
      if (!by_id.contains(parent)) {
        throw GraphError(Kind::unknown_parent,
                         "revision " + described(*revision) + " follows " + quoted(parent) +
                             ", which does not exist",
                         "Correct the parent, or add the missing migration file.");
      }
    }
  }
}

/// Reports one circle among `unplaced`, the revisions that are on a circle or follow one. Walks
/// from child to parent until a revision comes up twice, then drops the way in and starts the
/// circle at its smallest id, so that a defect always gives the same message.
[[noreturn]] void throw_cycle(const RevisionsById& by_id, const RevisionSet& unplaced) {
  std::vector<RevisionId> walk{*unplaced.begin()};
  for (RevisionSet seen; seen.insert(walk.back()).second;) {
    const std::vector<RevisionId>& parents = by_id.at(walk.back())->parents;
    // One of them is unplaced, or this revision would have been placed.
    walk.push_back(*std::find_if(parents.begin(), parents.end(), [&](const RevisionId& parent) {
      return unplaced.contains(parent);
    }));
  }
  walk.erase(walk.begin(), std::find(walk.begin(), walk.end(), walk.back()));
  walk.pop_back();
  std::rotate(walk.begin(), std::min_element(walk.begin(), walk.end()), walk.end());
  walk.push_back(walk.front());
  throw GraphError(Kind::cycle,
                   "revisions follow each other in a circle: " + joined(walk, " -> "),
                   "Remove one of these parent links.");
}

/// Kahn's algorithm with a min-heap, so that ties are broken by id.
std::vector<RevisionId> topological_order(const RevisionsById& by_id) {
  std::map<RevisionId, std::size_t> parents_left;
  std::map<RevisionId, std::vector<RevisionId>> children;
  std::priority_queue<RevisionId, std::vector<RevisionId>, std::greater<>> ready;
  RevisionSet unplaced;
  for (const auto& [id, revision] : by_id) {
    unplaced.insert(id);
    parents_left[id] = revision->parents.size();
    for (const RevisionId& parent : revision->parents) {
      children[parent].push_back(id);
    }
    if (revision->parents.empty()) {
      ready.push(id);
    }
  }

  std::vector<RevisionId> order;
  while (!ready.empty()) {
    const RevisionId id = ready.top();
    ready.pop();
    unplaced.erase(id);
    order.push_back(id);
    for (const RevisionId& child : children[id]) {
      if (--parents_left[child] == 0) {
        ready.push(child);
      }
    }
  }
  if (!unplaced.empty()) {
    throw_cycle(by_id, unplaced);
  }
  return order;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const RevisionId& id) {
  return out << id.value;
}

GraphError::GraphError(Kind kind, const std::string& message, std::string hint)
    : Error(code_of(kind), std::string(name_of(kind)), message, std::move(hint)), kind_(kind) {}

RevisionGraph::RevisionGraph(std::vector<Revision> in_order) : in_order_(std::move(in_order)) {
  for (std::size_t i = 0; i < in_order_.size(); ++i) {
    position_.emplace(in_order_[i].id, i);
  }
}

RevisionGraph RevisionGraph::build(std::vector<Revision> revisions) {
  std::sort(revisions.begin(), revisions.end(), [](const Revision& a, const Revision& b) {
    return std::tie(a.id, a.source) < std::tie(b.id, b.source);
  });
  check_ids(revisions);
  const RevisionsById by_id = index_by_id(revisions);
  check_parents(by_id);

  std::vector<Revision> in_order;
  in_order.reserve(revisions.size());
  for (const RevisionId& id : topological_order(by_id)) {
    in_order.push_back(*by_id.at(id));
  }
  return RevisionGraph(std::move(in_order));
}

const Revision* RevisionGraph::find(const RevisionId& id) const noexcept {
  const auto found = position_.find(id);
  return found == position_.end() ? nullptr : &in_order_[found->second];
}

std::vector<RevisionId> RevisionGraph::heads() const {
  RevisionSet followed;
  for (const Revision& revision : in_order_) {
    followed.insert(revision.parents.begin(), revision.parents.end());
  }
  std::vector<RevisionId> heads;
  for (const auto& [id, index] : position_) {
    if (!followed.contains(id)) {
      heads.push_back(id);
    }
  }
  return heads;
}

const RevisionId& RevisionGraph::resolve(std::string_view ref) const {
  const RevisionId wanted{std::string(ref)};
  if (const Revision* exact = find(wanted)) {
    return exact->id;
  }

  std::vector<RevisionId> matches;
  if (ref == kHeadWord) {
    matches = heads();
  } else if (ref.size() >= kMinPrefixLength) {
    auto next = position_.lower_bound(wanted);
    for (; next != position_.end() && next->first.value.starts_with(ref); ++next) {
      matches.push_back(next->first);
    }
  }

  if (matches.empty()) {
    throw no_such_revision(wanted);
  }
  if (matches.size() > 1) {
    throw GraphError(Kind::ambiguous_ref,
                     quoted(wanted) + " matches several revisions: " + joined(matches, ", "),
                     ref == kHeadWord ? "Name one of them, or merge the branches."
                                      : "Give more characters of the one you mean.");
  }
  return find(matches.front())->id;
}

void RevisionGraph::check_applied(const RevisionSet& applied) const {
  for (const RevisionId& id : applied) {
    if (find(id) == nullptr) {
      throw GraphError(Kind::foreign_applied,
                       "tenant has applied " + quoted(id) + ", which is not in this history",
                       "Run a build that contains it, or repair the tenant's record.");
    }
  }
  for (const RevisionId& id : applied) {
    for (const RevisionId& parent : find(id)->parents) {
      if (!applied.contains(parent)) {
        throw GraphError(
            Kind::applied_gap,
            "tenant has applied " + quoted(id) + " but not its parent " + quoted(parent),
            "Compare the tenant's schema with the history, then repair its record.");
      }
    }
  }
}

std::vector<RevisionId> RevisionGraph::pending(const RevisionSet& applied,
                                               const RevisionId& target) const {
  check_applied(applied);
  if (find(target) == nullptr) {
    throw no_such_revision(target);
  }

  // Children stand after their parents in in_order_. Going backwards, a revision is therefore
  // reached only after everything that could need it.
  RevisionSet needed{target};
  std::vector<RevisionId> pending;
  for (auto revision = in_order_.rbegin(); revision != in_order_.rend(); ++revision) {
    if (needed.contains(revision->id) && !applied.contains(revision->id)) {
      pending.push_back(revision->id);
      needed.insert(revision->parents.begin(), revision->parents.end());
    }
  }
  std::reverse(pending.begin(), pending.end());
  return pending;
}

}  // namespace drover::engine

#include "engine/revision_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <queue>
#include <set>
#include <tuple>
#include <utility>

namespace drover::engine {
namespace {

using Kind = GraphError::Kind;

/// The revisions sorted by id. A revision's index here is its rank, and ranks compare as ids do.
using Sorted = std::vector<Revision>;

/// For each rank, the ranks of the parents and then of the dependencies, as declared.
using Needs = std::vector<std::vector<std::size_t>>;

Place place_of(const Revision& revision) {
  return {revision.source.generic_string(), 0, 0};
}

/// The rank of `id`, or the number of revisions when there is none.
std::size_t rank_of(const Sorted& sorted, const RevisionId& id) {
  const auto found = std::lower_bound(
      sorted.begin(), sorted.end(), id, [](const Revision& revision, const RevisionId& wanted) {
        return revision.id < wanted;
      });
  const bool is_known = found != sorted.end() && found->id == id;
  return is_known ? static_cast<std::size_t>(found - sorted.begin()) : sorted.size();
}

void check_ids(const Sorted& sorted) {
  for (const Revision& revision : sorted) {
    if (const auto defect = name_defect(revision.id.value)) {
      throw GraphError(Kind::invalid_id,
                       fmt::format("the id {} {}", in_quotes(revision.id), defect->what),
                       defect->hint,
                       place_of(revision));
    }
  }
  const auto twice =
      std::adjacent_find(sorted.begin(), sorted.end(), [](const Revision& a, const Revision& b) {
        return a.id == b.id;
      });
  if (twice != sorted.end()) {
    const std::string first = twice->source.generic_string();
    throw GraphError(
        Kind::duplicate_id,
        fmt::format("revision {} is already defined{}",
                    in_quotes(twice->id),
                    first.empty() ? "" : " by " + first),
        "Give one of the two, one that no tenant has applied, a new id: create --renumber FILE.",
        place_of(*std::next(twice)));
  }
}

[[noreturn]] void throw_duplicate_label(const Revision& revision,
                                        const std::string& label,
                                        const std::string& used_as) {
  throw GraphError(Kind::duplicate_label,
                   fmt::format("the label {} is already {}", in_quotes(label), used_as),
                   "Choose another label.",
                   place_of(revision));
}

void check_labels(const Sorted& sorted) {
  std::map<std::string_view, const Revision*> owners;
  for (const Revision& revision : sorted) {
    for (const std::string& label : revision.labels) {
      if (const auto defect = name_defect(label)) {
        throw GraphError(Kind::invalid_label,
                         fmt::format("the label {} {}", in_quotes(label), defect->what),
                         defect->hint,
                         place_of(revision));
      }
      if (rank_of(sorted, RevisionId{label}) != sorted.size()) {
        throw_duplicate_label(revision, label, "the id of a revision");
      }
      const auto [owner, is_new] = owners.emplace(label, &revision);
      if (!is_new) {
        throw_duplicate_label(
            revision, label, "a label of revision " + in_quotes(owner->second->id));
      }
    }
  }
}

/// How messages speak of the two ways in which one revision needs another.
struct LinkWords {
  Kind unknown;
  std::string_view verb;
  std::string_view noun;
};
constexpr LinkWords kParent = {Kind::unknown_parent, "follows", "parent"};
constexpr LinkWords kDependency = {Kind::unknown_dependency, "depends on", "dependency"};

/// Adds the ranks of `named` to `needs`, what `revision` needs.
void link(const Sorted& sorted,
          const Revision& revision,
          const std::vector<RevisionId>& named,
          const LinkWords& words,
          std::vector<std::size_t>& needs) {
  for (const RevisionId& id : named) {
    const std::size_t rank = rank_of(sorted, id);
    if (rank == sorted.size()) {
      throw GraphError(
          words.unknown,
          fmt::format("revision {} {} {}, which does not exist",
                      in_quotes(revision.id),
                      words.verb,
                      in_quotes(id)),
          fmt::format("Correct the {}, or add the missing migration file.", words.noun),
          place_of(revision));
    }
    if (std::find(needs.begin(), needs.end(), rank) != needs.end()) {
      throw GraphError(Kind::repeated_link,
                       fmt::format("revision {} names {} twice among its parents and dependencies",
                                   in_quotes(revision.id),
                                   in_quotes(id)),
                       "Name it once; what is a parent need not be a dependency.",
                       place_of(revision));
    }
    needs.push_back(rank);
  }
}

Needs linked(const Sorted& sorted) {
  Needs needs(sorted.size());
  for (std::size_t rank = 0; rank < sorted.size(); ++rank) {
    link(sorted, sorted[rank], sorted[rank].parents, kParent, needs[rank]);
    link(sorted, sorted[rank], sorted[rank].depends, kDependency, needs[rank]);
  }
  return needs;
}

/// One circle, from its smallest rank back to it: walks from a revision to what it needs until one
/// comes up twice, then drops the way in, so that a defect always gives the same message.
/// `waiting` counts for each rank what it still waits for; not zero on a circle and behind one.
std::vector<std::size_t> circle_in(const Needs& needs, const std::vector<std::size_t>& waiting) {
  const auto is_waiting = [&](std::size_t rank) { return waiting[rank] != 0; };
  const auto first =
      std::find_if(waiting.begin(), waiting.end(), [](auto left) { return left != 0; });
  std::vector<std::size_t> walk{static_cast<std::size_t>(first - waiting.begin())};
  for (std::set<std::size_t> seen; seen.insert(walk.back()).second;) {
    const std::vector<std::size_t>& needed = needs[walk.back()];
    // One of them is waiting, or this revision would not be.
    walk.push_back(*std::find_if(needed.begin(), needed.end(), is_waiting));
  }
  walk.erase(walk.begin(), std::find(walk.begin(), walk.end(), walk.back()));
  walk.pop_back();
  std::rotate(walk.begin(), std::min_element(walk.begin(), walk.end()), walk.end());
  walk.push_back(walk.front());
  return walk;
}

[[noreturn]] void throw_cycle(const Sorted& sorted, const std::vector<std::size_t>& circle) {
  std::string path = sorted[circle.front()].id.value;
  std::set<std::string> files;
  bool by_parents_only = true;
  for (std::size_t i = 0; i + 1 < circle.size(); ++i) {
    const Revision& from = sorted[circle[i]];
    const Revision& to = sorted[circle[i + 1]];
    path += " -> " + to.id.value;
    files.insert(in_quotes(from.source.generic_string()));
    by_parents_only &=
        std::find(from.parents.begin(), from.parents.end(), to.id) != from.parents.end();
  }
  files.erase("''");
  throw GraphError(Kind::cycle,
                   fmt::format("revisions {} each other in a circle: {}",
                               by_parents_only ? "follow" : "follow or depend on",
                               path),
                   files.empty() ? "Remove one of these links."
                                 : fmt::format("Remove one of these links; they stand in {}.",
                                               fmt::join(files, ", ")),
                   place_of(sorted[circle.front()]));
}

/// Kahn's algorithm with a min-heap, so that ties are broken by id.
std::vector<std::size_t> topological_order(const Sorted& sorted, const Needs& needs) {
  std::vector<std::size_t> waiting(needs.size());
  std::vector<std::vector<std::size_t>> needed_by(needs.size());
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
  for (std::size_t rank = 0; rank < needs.size(); ++rank) {
    waiting[rank] = needs[rank].size();
    for (const std::size_t needed : needs[rank]) {
      needed_by[needed].push_back(rank);
    }
    if (needs[rank].empty()) {
      ready.push(rank);
    }
  }

  std::vector<std::size_t> order;
  order.reserve(needs.size());
  while (!ready.empty()) {
    const std::size_t rank = ready.top();
    ready.pop();
    order.push_back(rank);
    for (const std::size_t next : needed_by[rank]) {
      if (--waiting[next] == 0) {
        ready.push(next);
      }
    }
  }
  if (order.size() != needs.size()) {
    throw_cycle(sorted, circle_in(needs, waiting));
  }
  return order;
}

}  // namespace

std::vector<Revision> checked_and_ordered(std::vector<Revision> revisions) {
  std::sort(revisions.begin(), revisions.end(), [](const Revision& a, const Revision& b) {
    return std::tie(a.id, a.source) < std::tie(b.id, b.source);
  });
  check_ids(revisions);
  check_labels(revisions);
  const Needs needs = linked(revisions);

  std::vector<Revision> in_order;
  in_order.reserve(revisions.size());
  for (const std::size_t rank : topological_order(revisions, needs)) {
    in_order.push_back(std::move(revisions[rank]));
  }
  return in_order;
}

}  // namespace drover::engine

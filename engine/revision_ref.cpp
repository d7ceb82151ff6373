#include "engine/revision_ref.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace drover::engine {
namespace {

using Kind = GraphError::Kind;
using Ids = std::vector<RevisionId>;

/// As Alembic does, messages name up to three of several revisions.
constexpr std::size_t kMostNamed = 3;

/// The parts of a reference. Views into what was given.
struct Ref {
  std::string_view text;    ///< All of it, for messages.
  std::string_view branch;  ///< Before "@"; empty when there is none.
  std::string_view symbol;  ///< "current" when only steps were given.
  int steps = 0;            ///< Not 0 only where "+N" or "-N" was given.

  /// "+N" and "-N", which start where the context says.
  bool only_steps = false;

  bool starts_at_current() const noexcept { return symbol == "current"; }
};

GraphError invalid_ref(std::string_view text) {
  return {Kind::invalid_ref,
          fmt::format("{} is not a reference", in_quotes(text)),
          "Write an id, a label, head, heads, base or current, before it BRANCH@ and behind it +N "
          "or -N as needed."};
}

int parsed_steps(std::string_view signed_number, std::string_view text) {
  const std::string_view digits = signed_number.substr(1);
  int steps = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), steps);
  if (error != std::errc() || end != digits.data() + digits.size() || steps <= 0) {
    throw invalid_ref(text);
  }
  return signed_number.front() == '-' ? -steps : steps;
}

Ref parsed(std::string_view text) {
  Ref ref{text, {}, text, 0, false};
  if (const auto at = text.find('@'); at != std::string_view::npos) {
    ref.branch = text.substr(0, at);
    ref.symbol = text.substr(at + 1);
    if (ref.branch.empty()) {
      throw invalid_ref(text);
    }
  }
  if (const auto sign = ref.symbol.find_first_of("+-"); sign != std::string_view::npos) {
    ref.steps = parsed_steps(ref.symbol.substr(sign), text);
    ref.only_steps = sign == 0;
    ref.symbol = ref.only_steps ? "current" : ref.symbol.substr(0, sign);
  }
  if (ref.symbol.empty() || ref.symbol.find_first_of("@:,") != std::string_view::npos) {
    throw invalid_ref(text);
  }
  return ref;
}

GraphError unknown_ref(std::string_view name) {
  const bool is_short = name.size() < RevisionGraph::kMinPrefixLength;
  return {Kind::unknown_ref,
          fmt::format("no revision matches {}", in_quotes(name)),
          is_short ? "Give at least 3 characters of the id; the history shows which there are."
                   : "Look at the history to see which revisions there are."};
}

/// The one revision that `name` stands for among `matches`.
RevisionId one_of(const Ids& matches, std::string_view name) {
  if (matches.empty()) {
    throw unknown_ref(name);
  }
  if (matches.size() > 1) {
    throw GraphError(
        Kind::ambiguous_ref,
        fmt::format(
            "{} matches several revisions: {}", in_quotes(name), listed(matches, kMostNamed)),
        "Give more characters of the one you mean.");
  }
  return matches.front();
}

/// Finds what one reference means. Lives for one call of the functions below.
class Resolver {
 public:
  Resolver(const RevisionGraph& graph, std::string_view text, const RevisionSet& applied)
      : graph_(graph), applied_(applied), ref_(parsed(text)) {
    if (!ref_.branch.empty()) {
      branch_ = one_of(graph_.named(ref_.branch), ref_.branch);
      const Ids lineage = graph_.lineage(*branch_);
      lineage_ = {lineage.begin(), lineage.end()};
    }
  }

  const Ref& ref() const noexcept { return ref_; }
  const std::optional<RevisionId>& branch() const noexcept { return branch_; }

  /// What the absolute part names; empty for the base.
  Ids start() const;

  /// Where the steps lead that are counted from `from`; empty for the base.
  Ids walked(Ids from, int steps) const;

  /// Those of `ids` that are on the branch; all when none was given.
  Ids on_branch(Ids ids) const;

 private:
  Ids head() const;
  Ids current() const;
  Ids step_up(const Ids& from) const;
  Ids step_down(const Ids& from) const;
  const RevisionId& only(const Ids& from) const;

  const RevisionGraph& graph_;
  const RevisionSet& applied_;
  Ref ref_;
  std::optional<RevisionId> branch_;
  RevisionSet lineage_;  ///< Of the branch; empty without one.
};

Ids Resolver::on_branch(Ids ids) const {
  if (branch_) {
    std::erase_if(ids, [&](const RevisionId& id) { return !lineage_.contains(id); });
  }
  return ids;
}

Ids Resolver::start() const {
  if (ref_.symbol == "head") {
    return head();
  }
  if (ref_.symbol == "heads") {
    return on_branch(graph_.heads());
  }
  if (ref_.symbol == "base") {
    return {};
  }
  if (ref_.symbol == "current") {
    return current();
  }
  const Ids matches = graph_.named(ref_.symbol);
  Ids on_it = on_branch(matches);
  if (on_it.empty() && !matches.empty()) {
    throw GraphError(Kind::unknown_ref,
                     fmt::format("revision {} is not on branch {}",
                                 in_quotes(one_of(matches, ref_.symbol)),
                                 in_quotes(ref_.branch)),
                     "Leave the branch out, or name a revision that is on it.");
  }
  return {one_of(on_it, ref_.symbol)};
}

Ids Resolver::head() const {
  Ids heads = on_branch(graph_.heads());
  if (heads.size() > 1) {
    throw GraphError(
        Kind::multiple_heads,
        fmt::format("{} is several revisions: {}", in_quotes(ref_.text), listed(heads, kMostNamed)),
        "Name one of them, say heads to mean all, or merge the branches.");
  }
  return heads;
}

/// The tenant's current heads on the branch. Where the branch has none, because the tenant went on
/// elsewhere or a head that depends on it hides it: as far as the tenant came on its lineage.
Ids Resolver::current() const {
  graph_.require_sound(applied_);
  Ids heads = on_branch(graph_.current_heads(applied_));
  if (!heads.empty() || !branch_) {
    return heads;
  }
  for (const RevisionId& id : applied_) {
    const Ids children = on_branch(graph_.children_of(id));
    const bool goes_on = std::any_of(children.begin(), children.end(), [&](const auto& child) {
      return applied_.contains(child);
    });
    if (lineage_.contains(id) && !goes_on) {
      heads.push_back(id);
    }
  }
  return heads;
}

const RevisionId& Resolver::only(const Ids& from) const {
  if (from.size() > 1) {
    throw GraphError(Kind::ambiguous_ref,
                     fmt::format("{} could start at several revisions: {}",
                                 in_quotes(ref_.text),
                                 listed(from, kMostNamed)),
                     "Say which branch is meant, as in BRANCH@+1, or name a revision.");
  }
  return from.front();
}

Ids Resolver::step_up(const Ids& from) const {
  Ids next = on_branch(from.empty() ? graph_.bases() : graph_.children_of(only(from)));
  if (next.empty()) {
    throw GraphError(Kind::out_of_range,
                     fmt::format("{} goes past {}, which no revision follows",
                                 in_quotes(ref_.text),
                                 from.empty() ? "the base" : in_quotes(from.front())),
                     "Go fewer steps, or say head.");
  }
  return next;
}

Ids Resolver::step_down(const Ids& from) const {
  if (from.empty()) {
    throw GraphError(Kind::out_of_range,
                     fmt::format("{} goes past the base", in_quotes(ref_.text)),
                     "Go fewer steps, or say base.");
  }
  return on_branch(graph_.find(only(from))->parents);
}

Ids Resolver::walked(Ids from, int steps) const {
  for (int left = steps; left > 0; --left) {
    from = step_up(from);
    if (from.size() > 1) {
      throw GraphError(Kind::ambiguous_ref,
                       fmt::format("{} could go to several revisions: {}",
                                   in_quotes(ref_.text),
                                   listed(from, kMostNamed)),
                       "Say which branch is meant, as in BRANCH@+1, or name a revision.");
    }
  }
  for (int left = steps; left < 0; ++left) {
    from = step_down(from);
  }
  return from;
}

[[noreturn]] void refuse_steps(const Ref& ref, std::string_view verb, std::string_view way) {
  throw GraphError(Kind::invalid_ref,
                   fmt::format("{} does not lead {}", in_quotes(ref.text), way),
                   fmt::format("{} goes {}; name a revision, or turn the sign.", verb, way));
}

/// Everything that directly follows one of `ids`.
Ids children_of_all(const RevisionGraph& graph, const Ids& ids) {
  Ids children;
  for (const RevisionId& id : ids) {
    const Ids more = graph.children_of(id);
    children.insert(children.end(), more.begin(), more.end());
  }
  return children;
}

/// Refuses to count down from one of `start` that the tenant went on from, on another branch: who
/// says "users@-1" to a tenant that never began "users" does not mean what it shares with "files".
void refuse_followed(const RevisionGraph& graph,
                     const Ref& ref,
                     const Ids& start,
                     const RevisionSet& applied) {
  for (const RevisionId& id : start) {
    for (const RevisionId& child : graph.children_of(id)) {
      if (applied.contains(child)) {
        throw GraphError(Kind::out_of_range,
                         fmt::format("{} starts at {}, which applied {} of another branch follows",
                                     in_quotes(ref.text),
                                     in_quotes(id),
                                     in_quotes(child)),
                         "Name the revision to go back to.");
      }
    }
  }
}

}  // namespace

RevisionId resolve_one(const RevisionGraph& graph,
                       std::string_view ref,
                       const RevisionSet& applied) {
  const Resolver resolver(graph, ref, applied);
  const Ids found = resolver.walked(resolver.start(), resolver.ref().steps);
  if (found.empty()) {
    throw unknown_ref(ref);
  }
  if (found.size() > 1) {
    throw GraphError(
        Kind::ambiguous_ref,
        fmt::format("{} is several revisions: {}", in_quotes(ref), listed(found, kMostNamed)),
        "Name one of them.");
  }
  return found.front();
}

Ids resolve_upgrade(const RevisionGraph& graph, std::string_view ref, const RevisionSet& applied) {
  const Resolver resolver(graph, ref, applied);
  if (resolver.ref().starts_at_current() && resolver.ref().steps < 0) {
    refuse_steps(resolver.ref(), "An upgrade", "up");
  }
  return resolver.walked(resolver.start(), resolver.ref().steps);
}

Ids resolve_downgrade(const RevisionGraph& graph,
                      std::string_view ref,
                      const RevisionSet& applied) {
  const Resolver resolver(graph, ref, applied);
  const int steps = resolver.ref().steps;
  if (resolver.ref().starts_at_current() && steps > 0) {
    refuse_steps(resolver.ref(), "A downgrade", "down");
  }
  if (resolver.ref().starts_at_current() && steps < 0) {
    const Ids start = resolver.start();
    refuse_followed(graph, resolver.ref(), start, applied);
    // The Nth revision from the top is the last one to go. So a step past it is not taken, and
    // "-1" works on a merge.
    Ids last = resolver.walked(start, steps + 1);
    resolver.walked(last, -1);
    return last;
  }
  const Ids kept = resolver.walked(resolver.start(), steps);
  if (!kept.empty()) {
    return resolver.on_branch(children_of_all(graph, kept));
  }
  return resolver.branch() ? graph.branch(*resolver.branch()) : graph.bases();
}

namespace {

struct RangeEnds {
  std::string_view lower;
  std::string_view upper;
};

RangeEnds split(std::string_view range, Direction direction) {
  const auto colon = range.find(':');
  if (colon == std::string_view::npos || range.find(':', colon + 1) != std::string_view::npos) {
    throw GraphError(Kind::invalid_ref,
                     fmt::format("{} is not a range", in_quotes(range)),
                     "Write FROM:TO, for example base:head; either end may be left out.");
  }
  RangeEnds ends{range.substr(0, colon), range.substr(colon + 1)};
  if (direction == Direction::down) {
    std::swap(ends.lower, ends.upper);
  }
  return {ends.lower.empty() ? "base" : ends.lower, ends.upper.empty() ? "heads" : ends.upper};
}

void check_ancestry(const RevisionGraph& graph, const RevisionRange& range) {
  const RevisionSet needed = graph.closure(range.upper);
  for (const RevisionId& id : range.lower) {
    if (!needed.contains(id)) {
      const std::string upper =
          range.upper.empty() ? "the base" : "'" + listed(range.upper, kMostNamed) + "'";
      throw GraphError(Kind::not_an_ancestor,
                       fmt::format("{} is not an ancestor of {}", in_quotes(id), upper),
                       "Choose ends of which one leads to the other, in the order of the steps.");
    }
  }
}

}  // namespace

RevisionRange resolve_range(const RevisionGraph& graph,
                            std::string_view range,
                            Direction direction,
                            const RevisionSet& applied) {
  const RangeEnds ends = split(range, direction);
  const Resolver lower(graph, ends.lower, applied);
  const Resolver upper(graph, ends.upper, applied);
  const bool both_float = lower.ref().only_steps && upper.ref().only_steps;
  const auto fixed = [](const Resolver& end) { return end.walked(end.start(), end.ref().steps); };

  RevisionRange result;
  if (!lower.ref().only_steps || both_float) {
    result.lower = fixed(lower);
  }
  result.upper = upper.ref().only_steps && !both_float
                     ? upper.walked(result.lower, upper.ref().steps)
                     : fixed(upper);
  if (lower.ref().only_steps && !both_float) {
    result.lower = lower.walked(result.upper, lower.ref().steps);
  }
  check_ancestry(graph, result);
  return result;
}

Ids steps_up(const RevisionGraph& graph, const RevisionRange& range) {
  return graph.pending(graph.closure(range.lower), range.upper);
}

Ids steps_down(const RevisionGraph& graph, const RevisionRange& range) {
  const Ids unwanted = range.lower.empty() ? graph.bases() : children_of_all(graph, range.lower);
  return graph.to_undo(graph.closure(range.upper), unwanted);
}

}  // namespace drover::engine

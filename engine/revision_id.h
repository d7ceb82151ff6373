/// The names of revisions: what an id is, and which texts may not be one.
///
/// Ids and labels follow the same rules, because a reference (revision_ref.h) may hold either. This
/// file knows no history; revision_graph.h says which ids there are.
///
/// Thread safety: plain values and free functions without state.

#pragma once

#include <compare>
#include <cstddef>
#include <iosfwd>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

namespace drover::engine {

/// Names one revision, for example "0007". A type of its own, so that a tenant id or a file name
/// cannot be passed in its place. Ordered bytewise; that order breaks every tie between revisions.
struct RevisionId {
  std::string value;

  auto operator<=>(const RevisionId&) const = default;
};

std::ostream& operator<<(std::ostream& out, const RevisionId& id);

using RevisionSet = std::set<RevisionId>;

/// Why a text cannot be an id or a label.
struct NameDefect {
  std::string what;  ///< Goes on after the name, for example "holds '@'".
  std::string hint;  ///< A whole sentence.
};

/// What is wrong with `name` as an id or a label; nullopt when it may be one. It takes 1 to 128
/// bytes, is no reserved word (head, heads, base, current, none, in any case), and holds none of
/// @ - + : , / \, no blank and no control character.
std::optional<NameDefect> name_defect(std::string_view name);

/// `text` in single quotes, control characters written as \x01, for messages.
std::string in_quotes(std::string_view text);
std::string in_quotes(const RevisionId& id);

/// "0002, 0003 and 7 more": at most `most` of `ids` by name.
std::string listed(std::span<const RevisionId> ids, std::size_t most);

}  // namespace drover::engine

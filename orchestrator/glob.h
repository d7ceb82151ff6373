/// Does a name match a shell pattern?
///
/// `*` is any run of characters, `?` one character, `[a-z]` one of a set and `[!a-z]` one outside
/// it; everything else is itself, a dot and a slash too. A pattern always speaks of the whole name.
///
/// Thread safety: pure functions. Time is at most pattern times name, whatever the pattern.

#pragma once

#include <string_view>

namespace drover::orchestrator {

/// Throws Error usage: invalid_glob, when a `[` is never closed, a range runs backwards, or the
/// pattern is empty.
void check_glob(std::string_view pattern);

/// True when `name` matches. Both are UTF-8; in a pattern that check_glob refuses, a bad `[` is
/// itself.
bool glob_matches(std::string_view pattern, std::string_view name) noexcept;

/// True when `text` holds one of `*`, `?` and `[`.
bool has_glob(std::string_view text) noexcept;

}  // namespace drover::orchestrator

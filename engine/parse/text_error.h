/// How the parts of the reader of migration files refuse something.
///
/// Thread safety: free functions without state.

#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/migration.h"

namespace drover::engine::parse {

/// Throws MigrationTextError about what stands at `at`, which points into file.text.
[[noreturn]] void refuse(const Migration& file,
                         const char* at,
                         std::string kind_name,
                         const std::string& message,
                         std::string hint);

/// `text` in single quotes, fit for a message: control characters as '?', and cut when it is long.
std::string shown(std::string_view text);

/// The one of `known` that `word` is most likely meant to be: at most two letters wrong, missing,
/// too many or swapped, and not more than half of the word. Empty when there is none.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

/// How many letters of `a` must be changed, added, taken away or swapped with their neighbour to
/// make `b`.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// `words` as a person lists them: "up, down, batch or verify".
std::string listed(std::span<const std::string_view> words);

}  // namespace drover::engine::parse

/// The forms that values in directives take: names, durations, sizes, numbers.
///
/// Strict on purpose: a unit is never guessed, and what passes for a name may be put into SQL as it
/// stands.
///
/// Thread safety: free functions without state.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace drover::engine::parse {

/// 12 and 0012, nothing else. nullopt for other text and above 18 digits.
std::optional<std::uint64_t> number_in(std::string_view text) noexcept;

/// 500ms, 5s, 2min, 1h: a whole number and a unit that PostgreSQL knows too. nullopt for other text
/// and for more than PostgreSQL takes (about 24 days).
std::optional<std::chrono::milliseconds> duration_in(std::string_view text) noexcept;

/// 64kB, 16MB, 1GB in bytes, units as PostgreSQL writes them.
std::optional<std::uint64_t> bytes_in(std::string_view text) noexcept;

/// 20% as 20, at most 100.
std::optional<std::uint64_t> percent_in(std::string_view text) noexcept;

/// 50..50000
struct NumberRange {
  std::uint64_t least;
  std::uint64_t most;
};
std::optional<NumberRange> range_in(std::string_view text) noexcept;

/// One SQL identifier: files, Größe, "my files" with its quotes. At most 63 bytes, as PostgreSQL
/// cuts longer ones.
bool is_name(std::string_view text) noexcept;

/// An identifier, or two with a dot between: app.files
bool is_qualified_name(std::string_view text) noexcept;

/// Identifiers with commas, and blanks if any, between them.
bool is_list_of_names(std::string_view text) noexcept;

}  // namespace drover::engine::parse

/// Text as a person may safely read it in a terminal, and how wide it is there.
///
/// Names and messages come from databases and files; a terminal would obey what is hidden in them.
/// For machines nothing is taken out: document.h escapes it.
///
/// Thread safety: pure functions.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace drover::orchestrator::report {

enum class LineBreaks { keep, fold };

/// `text` without what a terminal would obey: control characters (C0, DEL, C1) and marks that turn
/// the direction of writing become blanks, bytes that are not UTF-8 become U+FFFD. Folded line
/// breaks are blanks too.
std::string printable(std::string_view text, LineBreaks breaks = LineBreaks::fold);

/// `text` with U+FFFD for every byte that is not part of valid UTF-8; nothing else changes.
std::string valid_utf8(std::string_view text);

/// How many cells of a terminal printable text takes: two for East Asian wide characters and
/// emoji, none for combining marks.
std::size_t cells_of(std::string_view text);

/// `text` cut to `cells`, the last of them an ellipsis where something was cut off.
std::string cut_to(std::string_view text, std::size_t cells);

/// The code point of the character that well-formed `text` starts with.
char32_t first_character(std::string_view text) noexcept;

/// True for what printable() takes out.
bool is_obeyed_by_terminals(char32_t character) noexcept;

/// "812 B", "3.4 MiB": three digits at most, and the largest unit that leaves one before the point.
std::string bytes_text(std::uint64_t bytes);

/// "1 tenant", "37 tenants".
std::string count_of(std::size_t count, std::string_view thing);

}  // namespace drover::orchestrator::report

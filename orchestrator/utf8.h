/// Is a text UTF-8, and how many characters does it have?
///
/// Thread safety: pure functions.

#pragma once

#include <cstddef>
#include <string_view>

namespace drover::orchestrator {

/// How many bytes at the start of `text` are well-formed UTF-8 (no overlong forms, no surrogates,
/// nothing above U+10FFFF). text.size() when all of it is.
std::size_t valid_utf8_prefix(std::string_view text) noexcept;

bool is_utf8(std::string_view text) noexcept;

/// The number of characters (code points) in well-formed `text`.
std::size_t characters_in(std::string_view text) noexcept;

/// How many bytes the character takes that starts with `first`, in well-formed text.
std::size_t character_length(char first) noexcept;

}  // namespace drover::orchestrator

/// Questions about text that may or may not be UTF-8: names of files, messages from a command line.
///
/// Thread safety: free functions without state.

#pragma once

#include <cstddef>
#include <string_view>

namespace drover::engine::files {

/// True when `text` is UTF-8: no overlong form, no surrogate, nothing above U+10FFFF.
bool is_utf8(std::string_view text) noexcept;

/// How many bytes the first `characters` characters of `text` take; all of it when it has fewer.
/// `text` is UTF-8.
std::size_t bytes_of_first(std::string_view text, std::size_t characters) noexcept;

}  // namespace drover::engine::files

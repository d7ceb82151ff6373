/// Makes any bytes into text that every store can keep: valid UTF-8 without NUL.
///
/// Messages come from tenants' servers, and those may be in any encoding. Thread safety: a pure
/// function.

#pragma once

#include <string>
#include <string_view>

namespace drover::orchestrator::store {

/// `text` with U+FFFD for every byte that is NUL or not part of valid UTF-8.
std::string clean_text(std::string_view text);

}  // namespace drover::orchestrator::store

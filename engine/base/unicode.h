/// Letters that people take for the same, by utf8proc (Unicode 14).

#pragma once

#include <string>
#include <string_view>

namespace drover::engine::base {

/// `text`, well-formed UTF-8, as it compares when neither case nor the way letters are put together
/// counts: full case folding, then normal form C (UAX #15). Text that is not UTF-8 stays as it is.
std::string folded(std::string_view text);

}  // namespace drover::engine::base

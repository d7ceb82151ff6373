/// What of a program's or a server's words fits into one message.
///
/// Thread safety: a pure function.

#pragma once

#include <string>
#include <string_view>

namespace drover::orchestrator {

/// The first line of `text` that is not blank, without blanks around it and without full stops at
/// its end. What a terminal would obey (control characters, marks that turn the direction of
/// writing) becomes a blank, a byte that is not UTF-8 becomes U+FFFD, and what is longer than 200
/// characters ends with an ellipsis as the 200th.
std::string first_line(std::string_view text);

}  // namespace drover::orchestrator

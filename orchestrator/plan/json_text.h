/// Writes texts as JSON does.
///
/// Thread safety: pure functions.

#pragma once

#include <string>
#include <string_view>

namespace drover::orchestrator::plan {

/// Appends `value`, well-formed UTF-8, in double quotes. Only what JSON demands is escaped, so a
/// value has one spelling.
void append_quoted(std::string& text, std::string_view value);

}  // namespace drover::orchestrator::plan

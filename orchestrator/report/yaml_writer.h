/// Writes a Value as YAML, and the scalars that YAML and JSON have in common.
///
/// Thread safety: pure functions.

#pragma once

#include <string>
#include <string_view>

#include "orchestrator/report/value.h"

namespace drover::orchestrator::report {

/// `value` as one YAML document in block style, with a line break at its end. Text that could be
/// read as anything but text (0004, yes, ~, 1e3) is quoted.
std::string yaml_text(const Value& value);

/// `text` in double quotes, escaped as in JSON: control characters, and what a terminal would obey.
std::string quoted_text(std::string_view text);

/// null, a truth or a number; what JSON has no number for (infinity) is null.
std::string bare_scalar(const Value& value);

}  // namespace drover::orchestrator::report

/// Rows in JSON: a list of flat objects in a file, or one object per line from a command (NDJSON).
///
/// Texts, whole numbers, true and false become text; null is no value. Lists and objects inside a
/// row, fractions, duplicate keys and anything that is not JSON (an error page in HTML, say) are
/// refused.
///
/// Thread safety: pure functions. Errors: Error usage, source_malformed.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "orchestrator/inventory/source_row.h"

namespace drover::orchestrator::inventory {

/// `text` is a list of objects; `file` is for places. Rows count from 1.
std::vector<SourceRow> parse_json_list(std::string_view text, const std::string& file);

/// `text` has an object in every line that is not blank; `source` is the place of the command.
std::vector<SourceRow> parse_json_lines(std::string_view text, const Place& source);

}  // namespace drover::orchestrator::inventory

/// Rows of a CSV file (RFC 4180): a header line with the columns' names, then one tenant per line.
///
/// LF and CRLF, quotes, quoted line breaks and a BOM are fine. An empty field is no value. A line
/// with more or fewer fields than the header is refused, and so is a quote that never closes.
///
/// Thread safety: a pure function. Errors: Error usage, source_malformed, at the line.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "orchestrator/inventory/source_row.h"

namespace drover::orchestrator::inventory {

/// `text` is UTF-8; `file` is for places.
std::vector<SourceRow> parse_csv(std::string_view text, const std::string& file);

}  // namespace drover::orchestrator::inventory

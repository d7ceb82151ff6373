/// The output of a command for machines, and its writers: JSON, YAML, NDJSON, CSV.
///
/// All formats are made of one Value, so they cannot differ in what they say. Text is escaped, not
/// changed, but bytes that are not UTF-8 become U+FFFD, and CSV, which has no escapes, shows
/// control characters as blanks. Tables for people are table.h.
///
/// Thread safety: values and pure functions.

#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "orchestrator/report/value.h"

namespace drover::orchestrator::report {

using WallTime = std::chrono::system_clock::time_point;

/// "2026-11-22T13:35:12.250Z"
std::string rfc3339(WallTime time);

/// What every document begins with.
struct Occasion {
  std::string environment;  ///< Empty (a single target): null.
  WallTime started;
  WallTime finished;
};

struct Document {
  Value value;                            ///< An object.
  std::string rows = {};                  ///< The key of the list that it is about; may be empty.
  std::vector<std::string> columns = {};  ///< What CSV shows of a row: "id", "error.kind" ...
};

/// {"format": 1, "environment", "started", "finished"}, to be continued.
Value opening(const Occasion& occasion);

enum class DataFormat {
  json,  ///< Indented by two blanks.
  yaml,
  ndjson,  ///< The document without its rows on the first line, then one row a line.
  csv,     ///< The rows (RFC 4180, with a header); without rows, the document as one.
};

/// `document` in `format`, with a line break at its end.
std::string written(const Document& document, DataFormat format);

/// One line of JSON, without a line break.
std::string json_line(const Value& value);

/// A value as one cell: text as it is, lists and objects joined ("a,b", "k=v,k2=v2"), null empty.
std::string cell_text(const Value& value);

}  // namespace drover::orchestrator::report

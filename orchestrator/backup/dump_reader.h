/// What a dump holds, read from the SQL that pg_restore or pg_dump prints of its data: every
/// table's rows, and which tenant it is of.
///
/// The rows of a table are its lines in COPY's text format (rows_as "copy"). Calls of setval()
/// count as rows of "(sequences)", large objects by their number as rows of "(large objects)";
/// their content is not summed up.
///
/// Fed with the data section only (--section=data): definitions may hold text, in a function, that
/// looks like anything.
///
/// Thread safety: one thread at a time. Errors: text that is no such output is a defect().

#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/content_digest.h"

namespace drover::orchestrator::backup {

struct DumpContent {
  std::vector<engine::TableDigest> tables;  ///< By name: "public.files".
  std::string uid;                          ///< Of drover_tenant; empty: there is none.
  std::vector<std::string> revisions;       ///< Of drover_revisions, sorted.
  std::string server_version;               ///< "15.20 (Debian 15.20-0+deb12u1)"
  std::string tool_version;                 ///< Of pg_dump.
};

class DumpReader {
 public:
  /// `history_schema` holds the drover_ tables.
  explicit DumpReader(std::string history_schema) : history_schema_(std::move(history_schema)) {}

  /// The next piece of the output, cut anywhere.
  void take(std::string_view piece);

  /// Call it once, after the last piece.
  DumpContent finish();

  /// What makes no sense in the text; empty: nothing. Known after finish().
  const std::string& defect() const noexcept { return defect_; }

 private:
  void take_line(std::string_view line);
  void begin_table(std::string_view copy);
  void take_row(std::string_view row);
  void end_table();

  std::string history_schema_;
  std::string rest_;  ///< Of a line that is not whole yet.
  std::string copy_;  ///< A COPY statement that goes over several lines; empty: none.
  std::map<std::string, engine::RowSum> tables_;
  engine::RowSum* rows_ = nullptr;  ///< Of the table that is under way.
  std::string* one_value_ = nullptr;
  std::vector<std::string>* values_ = nullptr;  ///< Where a column of the rows is kept,
  std::size_t column_ = 0;                      ///< ... and which it is.
  DumpContent content_;
  std::string defect_;
};

}  // namespace drover::orchestrator::backup

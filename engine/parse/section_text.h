/// The text between two directives, as the two dialects read it.
///
/// Finds where the next directive stands, splits what comes before it into statements, and refuses
/// comments that only look like a directive. What the statements may be says statement_checks.h.
///
/// Thread safety: a free function without state.

#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/dialect.h"
#include "engine/migration.h"
#include "engine/parse/sql_scanner.h"

namespace drover::engine::parse {

/// One stretch of text. Pointers and views point into the file's text.
struct SectionText {
  Scan scan;
  const char* end = nullptr;        ///< Where the next directive starts, or the file ends.
  std::string_view next_directive;  ///< Its comment; empty at the end of the file.

  // Tokens, outside of quotes and comments, that no statement may hold, or not everywhere:
  std::vector<const char*> ranges;       ///< Of each "{range}"; at most two are kept.
  const char* backslash = nullptr;       ///< The first one, as psql commands begin with.
  const char* load_extension = nullptr;  ///< The first call of SQLite's function; SQLite only.
};

/// The dialects that a section for `dialect` is for: that one, or both.
std::span<const Dialect> dialects_of(const std::optional<Dialect>& dialect) noexcept;

/// Reads on from `from`. Without a dialect, both must read the text alike.
///
/// Throws MigrationTextError: mistyped_directive, foreign_directive, dialects_differ. What is still
/// open is left in `scan.open`, for the caller to report after what stands before it.
SectionText read_section_text(const Migration& file,
                              const char* from,
                              std::optional<Dialect> dialect);

}  // namespace drover::engine::parse

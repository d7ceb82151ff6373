/// One row of what a tenant source delivered, before it is a tenant.
///
/// Thread safety: values.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/error.h"

namespace drover::orchestrator::inventory {

/// Where a row stands, for messages.
struct RowPlace {
  Place place;      ///< Of the line in a file, else of the source in the configuration.
  std::string row;  ///< "row 17"; empty when `place` says it all.

  /// "drover.yaml:12, row 17"
  std::string to_string() const;
};

struct SourceRow {
  using Value = std::optional<std::string>;  ///< nullopt: NULL.

  RowPlace at;
  std::vector<std::pair<std::string, Value>> values;  ///< By column, in the source's order.

  const Value* find(std::string_view column) const noexcept;
};

/// Throws Error usage about the row: its message is put behind "row 17: ".
[[noreturn]] void refuse_row(const RowPlace& at,
                             std::string kind_name,
                             const std::string& message,
                             std::string hint);

/// The first line of what another program said, at most 300 bytes, without control characters.
std::string first_line(std::string_view text);

}  // namespace drover::orchestrator::inventory

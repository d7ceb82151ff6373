/// SQLite's PRAGMA statements that a migration may not hold, or not inside a transaction.
///
/// The list of those that a transaction ignores or refuses was tried on SQLite 3.40.1.
///
/// Thread safety: a free function without state.

#pragma once

#include <string>
#include <string_view>

namespace drover::engine::parse {

enum class PragmaVerdict {
  fine,
  useless_in_transaction,  ///< SQLite ignores or refuses it there.
  forbidden,               ///< It lets SQL write to the schema table.
};

struct PragmaFinding {
  PragmaVerdict verdict = PragmaVerdict::fine;
  std::string name;  ///< In lower case, without its schema.
};

/// Looks at `statement`, whose kind is `pragma`. Asking for a value is always fine.
PragmaFinding look_at_pragma(std::string_view statement);

}  // namespace drover::engine::parse

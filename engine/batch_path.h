/// Finds out how a table can be gone through: which columns are its key, of which types, which
/// leaves it has, how large it is.
///
/// A key orders rows only if it is unique and never NULL: a range of a key that is not would hold
/// any number of rows, and rows without a key would never be met (batches.md §2.2).
///
/// Thread safety: pure functions.

#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "engine/batch.h"
#include "engine/fault.h"
#include "engine/history.h"
#include "engine/migration.h"
#include "engine/session.h"

namespace drover::engine {

struct FoundPath {
  BatchPath path;
  std::vector<std::string> parts;  ///< Leaves of a partitioned table; else one that is empty.
  std::uint64_t estimated_rows = 0;
  std::string look_for_null;  ///< SQLite: a query that may answer no row; empty: none is needed.
  bool analysed = true;       ///< False: the server knows nothing of the table's content.
};

/// What to ask, in one message; three statements.
std::vector<OwnedStatement> path_questions(Dialect dialect, const BatchOptions& options);

/// PostgreSQL: asks for the types of the columns that the batch assigns to; a row each, "text" for
/// one that is not there.
OwnedStatement value_types_question(const BatchOptions& options);

/// What the answers mean. Kinds of faults: batch_table_missing, batch_key_missing,
/// batch_key_not_unique, batch_key_nullable, batch_key_changes, batch_needs_newer_server.
std::variant<FoundPath, TenantFault> found_path(Dialect dialect,
                                                const BatchOptions& options,
                                                const std::vector<ResultSet>& answers,
                                                int server_version);

}  // namespace drover::engine

/// Reads from the statement of a batch what the batch engine must know before a server sees it: by
/// which name it calls the table, which columns it writes, and where {range} stands.
///
/// A scan of tokens, no grammar: what it does not find, the server decides.
///
/// Thread safety: a free function without state.

#pragma once

#include <string_view>

#include "engine/dialect.h"
#include "engine/migration.h"

namespace drover::engine::parse {

/// Fills in `batch`'s `called`, `writes` and `range_at` from `statement`, in which `range` points
/// to
/// "{range}".
void read_batch_statement(std::string_view statement,
                          const char* range,
                          Dialect dialect,
                          BatchOptions& batch);

}  // namespace drover::engine::parse

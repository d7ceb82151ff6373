/// What each form of ALTER TABLE locks and does, after the page ALTER TABLE of the documentation of
/// PostgreSQL 15. For statement_locks.cpp, which see for what is left out.
///
/// Thread safety: free functions without state.

#pragma once

#include <string_view>
#include <vector>

#include "engine/parse/lock_mode.h"

namespace drover::engine::parse {

/// The locks of an ALTER TABLE (also FOREIGN TABLE, MATERIALIZED VIEW) of `table` whose `actions`
/// stand behind that name. Of several actions the strongest lock and the most work count. Empty:
/// none of them is known.
std::vector<TableLock> alter_table_locks(std::string_view table, std::string_view actions);

/// The tables behind each REFERENCES in `text`, as written.
std::vector<std::string_view> referenced_tables(std::string_view text);

/// Adds `lock` to `locks`; the same table there already has the stronger mode and the more work.
void add_lock(std::vector<TableLock>& locks, TableLock lock);

}  // namespace drover::engine::parse

/// Tells which tables a statement of PostgreSQL locks, how, and what it does to them meanwhile.
///
/// Source: the documentation of PostgreSQL 15, 13.3.1 "Table-Level Locks" and the page of each
/// statement, above all ALTER TABLE (alter_table_locks.h). tests/engine/postgres compares every
/// form with what pg_locks of a real server says. Later releases lock the same or less.
///
/// Silence, never a guess: what is not known here gives nothing. Nor does what the text does not
/// say: indexes but for those of DROP INDEX, ALTER INDEX and REINDEX, sequences and other objects;
/// partitions and children of a named table; the other side of a foreign key that is dropped with
/// its table, column or constraint; what CASCADE, functions, DO blocks and triggers bring along;
/// tables that are only read (ACCESS SHARE, ROW SHARE), but for LOCK TABLE.
///
/// Works on tokens, like statement_kind.h. Thread safety: free functions without state.

#pragma once

#include <string_view>
#include <vector>

#include "engine/migration.h"
#include "engine/parse/lock_mode.h"

namespace drover::engine::parse {

/// The locks of `statement`, one statement as split_statements() gives it, on tables that were
/// there before it: what it makes itself is nobody else's yet. A table once for each name.
std::vector<TableLock> locks_of(std::string_view statement);

/// The locks of a revision that runs as `units` (up_units(), down_units()) on PostgreSQL: for each
/// table the strongest, the strongest ones first, without tables that the revision makes itself.
/// Within one transaction the most work of a table counts, as its locks are held to the end.
std::vector<TableLock> locks_of(const std::vector<Unit>& units);

}  // namespace drover::engine::parse

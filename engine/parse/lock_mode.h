/// PostgreSQL's lock modes of tables, and what a statement locks.
///
/// The modes are those of the documentation of PostgreSQL 15, 13.3.1 "Table-Level Locks". Who
/// finds out which statement takes which: statement_locks.h.
///
/// Thread safety: plain values and free functions without state.

#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace drover::engine::parse {

/// In the order of the documentation: a later one conflicts with everything that an earlier one
/// conflicts with, but for `share`, which two sessions may hold together.
enum class LockMode {
  access_share,
  row_share,
  row_exclusive,
  share_update_exclusive,
  share,
  share_row_exclusive,
  exclusive,
  access_exclusive,
};

/// "ACCESS EXCLUSIVE"
std::string_view name_of(LockMode mode) noexcept;

/// The mode that `name` is the name of, in capitals or not, with one blank between its words.
std::optional<LockMode> lock_mode_named(std::string_view name);

enum class Blocks { nothing, writes, reads_and_writes };

/// Whom of those that work with a table such a lock keeps waiting.
Blocks blocked_by(LockMode mode) noexcept;

/// How long a lock is held hangs on what is done under it. In the order of what it takes.
enum class TableWork {
  none,              ///< Nothing that grows with the table, as far as is known.
  possible_scan,     ///< Reads all rows, unless the server can prove that it need not.
  scan,              ///< Reads all rows, to check them or to build an index.
  possible_rewrite,  ///< Writes the table anew, or not; that hangs on types or functions.
  rewrite,           ///< Writes the table anew.
};

struct TableLock {
  enum class Of {
    table,            ///< Or a view, a materialized view.
    table_of_index,   ///< `name` is the index; which table it is on, the statement does not say.
    index,            ///< Whoever plans a query on its table needs it as well.
    indexes_of_table  ///< Likewise.
  };

  LockMode mode = LockMode::access_share;
  std::string name;  ///< As plain_name() of name_pattern.h.
  TableWork work = TableWork::none;
  Of of = Of::table;

  bool operator==(const TableLock&) const = default;
};

/// "ACCESS EXCLUSIVE on files, rewrites it"
std::string to_string(const TableLock& lock);

}  // namespace drover::engine::parse

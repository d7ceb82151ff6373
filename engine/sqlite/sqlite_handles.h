/// Owners of what SQLite allocates, and its errors as ours. For this room only.

#pragma once

#include <sqlite3.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "engine/session.h"

namespace drover::engine::sqlite {

struct SqliteDeleter {
  void operator()(sqlite3* database) const noexcept { sqlite3_close_v2(database); }
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};

using Database = std::unique_ptr<sqlite3, SqliteDeleter>;
using PreparedStatement = std::unique_ptr<sqlite3_stmt, SqliteDeleter>;

/// What `database` says of its last call, which failed while `sql` was prepared or run.
SqlError error_of(sqlite3* database, std::string_view sql);

/// An error of ours: `code` is an extended result code.
SqlError error_with(SqlError::Origin origin, int code, std::string message, std::string hint);

/// We refused a statement.
SqlError refusal(std::string message, std::string hint);

}  // namespace drover::engine::sqlite

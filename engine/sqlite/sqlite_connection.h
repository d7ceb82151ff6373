/// One open file: runs statements, one by one, under guard and watch.
///
/// Thread safety: one thread at a time, but for interrupt().
/// Errors: as values, like Session.

#pragma once

#include <string_view>

#include "engine/session.h"
#include "engine/sqlite/sqlite_guard.h"
#include "engine/sqlite/sqlite_handles.h"
#include "engine/sqlite/sqlite_watch.h"

namespace drover::engine::sqlite {

class Connection {
 public:
  /// Takes over an open database.
  Connection(Database database, Milliseconds lock_timeout, TenantFacts facts);

  /// Runs all, up to the first error. `impatient` in the answer's origin means: close it.
  Exchange run(std::span<const Statement> statements, const Patience& patience);

  bool in_transaction() const noexcept { return sqlite3_get_autocommit(database_.get()) == 0; }

  /// Ends what runs now with SQLITE_INTERRUPT. Any thread.
  void interrupt() noexcept { sqlite3_interrupt(database_.get()); }

 private:
  std::optional<SqlError> run_one(const Statement& statement, ResultSet& result);
  std::optional<SqlError> prepare(const Statement& statement, PreparedStatement& prepared);
  static int place_of_parameter(sqlite3_stmt* prepared, int number);
  std::optional<SqlError> bind(const Statement& statement, sqlite3_stmt* prepared);
  std::optional<SqlError> step(const Statement& statement,
                               sqlite3_stmt* prepared,
                               ResultSet& result);
  SqlError why(std::string_view sql) const;

  const TenantFacts facts_;  // drover_setting() reads them
  Database database_;
  Guard guard_;
  Watch watch_;
};

}  // namespace drover::engine::sqlite

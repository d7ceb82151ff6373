/// A tenant that runs revisions the plainest way there is: statement by statement, each unit in a
/// transaction, a batch as one statement over the whole table, on bare libpq or SQLite.
///
/// No history, fence, lock, timeout or retry: these are the engine's, and this is what the engine
/// is compared with. What the files promise has to hold without it.
///
/// Thread safety: one thread. Errors: std::runtime_error with the server's message and the
/// statement; a failing unit has been rolled back.

#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/dialect.h"
#include "engine/migration.h"

namespace drover::test {

class PlainTenant {
 public:
  virtual ~PlainTenant() = default;

  virtual engine::Dialect dialect() const noexcept = 0;

  /// Runs one statement outside any unit, as an application would.
  virtual void execute(const std::string& sql) = 0;

  /// First column of every row of `sql`; "NULL" for NULL.
  virtual std::vector<std::string> query(const std::string& sql) = 0;

  /// As tests/support/schema_snapshot.h gives them.
  virtual std::vector<std::string> schema() const = 0;
  virtual std::vector<std::string> rows() const = 0;

  /// Runs all units of `migration`, up or down; a verify that is not true throws.
  void up(const engine::Migration& migration);
  void down(const engine::Migration& migration);

 private:
  virtual void begin() = 0;
  virtual void commit() = 0;
  virtual void rollback() noexcept = 0;

  void run(const engine::Unit& unit);
  void run(const engine::Section& section);
};

/// A tenant in the schema `schema` (unquoted), which is made where it is missing.
std::unique_ptr<PlainTenant> plain_postgres_tenant(const std::string& conninfo,
                                                   const std::string& schema);

/// A tenant in an SQLite file, made where it is missing.
std::unique_ptr<PlainTenant> plain_sqlite_tenant(const std::filesystem::path& file);

}  // namespace drover::test

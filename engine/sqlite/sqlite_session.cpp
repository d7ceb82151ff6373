#include "engine/sqlite/sqlite_session.h"

#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "engine/sqlite/sqlite_connection.h"
#include "engine/sqlite/sqlite_open.h"

namespace drover::engine::sqlite {

namespace {

bool is_end(const SqlError& error) noexcept {
  return error.origin == SqlError::Origin::deadline || error.origin == SqlError::Origin::stopped;
}

class SqliteSession final : public Session {
 public:
  explicit SqliteSession(std::unique_ptr<Connection> connection)
      : connection_(std::move(connection)) {}

  Dialect dialect() const noexcept override { return Dialect::sqlite; }
  const SessionInfo& info() const noexcept override { return info_; }
  bool alive() const noexcept override { return connection_ != nullptr; }
  bool in_transaction() const noexcept override { return alive() && connection_->in_transaction(); }

  Exchange exchange(std::span<const Statement> statements, const Patience& patience) override {
    if (!alive()) {
      return {{},
              error_with(SqlError::Origin::connection, SQLITE_MISUSE, "the session is closed", ""),
              {}};
    }
    Exchange exchange = connection_->run(statements, patience);
    if (exchange.error && is_end(*exchange.error)) {
      const std::lock_guard lock(connection_mutex_);
      connection_.reset();
    }
    return exchange;
  }

  void cancel() noexcept override {
    const std::lock_guard lock(connection_mutex_);
    if (connection_ != nullptr) {
      connection_->interrupt();
    }
  }

 private:
  std::mutex connection_mutex_;             // keeps connection_ from being closed under cancel()
  std::unique_ptr<Connection> connection_;  // null once the session is dead
  const SessionInfo info_{sqlite3_libversion_number(), 0};
};

std::optional<SqlError> run(Connection& connection,
                            std::string_view sql,
                            const Patience& patience,
                            ResultSet* result = nullptr) {
  const Statement statement{sql};
  Exchange exchange = connection.run({&statement, 1}, patience);
  if (exchange.ok() && result != nullptr) {
    *result = std::move(exchange.results.front());
  }
  return std::move(exchange.error);
}

/// A new file says whose it is, unless an application was quicker.
std::optional<SqlError> sign(Connection& connection, const Patience& patience) {
  ResultSet found;
  std::optional<SqlError> error = run(connection, "PRAGMA application_id", patience, &found);
  if (!error && found.rows.front().front() == "0") {
    error = run(connection, fmt::format("PRAGMA application_id = {}", kApplicationId), patience);
  }
  return error;
}

/// An error of a statement as one of opening the file, which is what the caller asked for.
SqlError opening_error(const std::string& path, SqlError error) {
  if (is_end(error)) {
    return error;
  }
  error.origin = SqlError::Origin::connection;
  error.message = error.sqlstate == "SQLITE_NOTADB"
                      ? fmt::format("'{}' is not an SQLite database", path)
                      : fmt::format("cannot open '{}': {}", path, error.message);
  return error;
}

/// Makes SQLite look into the file, which finds hot journals and damage, and sets what the session
/// keeps to.
std::optional<SqlError> first_look(Connection& connection,
                                   FileState state,
                                   const OpenOptions& options,
                                   const Patience& patience) {
  std::optional<SqlError> error = run(connection, "PRAGMA schema_version", patience);
  if (!error && options.purpose == OpenOptions::Purpose::read) {
    error = run(connection, "PRAGMA query_only = ON", patience);
  }
  if (!error && state == FileState::to_be_made) {
    error = sign(connection, patience);
  }
  return error;
}

}  // namespace

OpenResult SqliteSessionFactory::open(const Target& target,
                                      const OpenOptions& options,
                                      const Patience& patience) {
  FileCheck check = check_file(target.connection, options);
  if (check.error) {
    return {nullptr, std::move(check.error)};
  }
  Opened opened = open_file(target.connection, check.state);
  if (opened.error) {
    return {nullptr, std::move(opened.error)};
  }
  auto connection =
      std::make_unique<Connection>(std::move(opened.database), options.lock_timeout, options.facts);
  std::optional<SqlError> error = first_look(*connection, check.state, options, patience);
  if (error) {
    return {nullptr, opening_error(target.connection, std::move(*error))};
  }
  return {std::make_unique<SqliteSession>(std::move(connection)), std::nullopt};
}

}  // namespace drover::engine::sqlite

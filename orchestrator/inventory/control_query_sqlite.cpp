#include <memory>

#include <fmt/format.h>
#include <sqlite3.h>

#include "engine/error.h"
#include "orchestrator/inventory/control_query.h"

namespace drover::orchestrator::inventory {
namespace {

constexpr int kBusyMilliseconds = 5'000;

struct Close {
  void operator()(sqlite3* database) const noexcept { sqlite3_close_v2(database); }
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using Database = std::unique_ptr<sqlite3, Close>;
using Prepared = std::unique_ptr<sqlite3_stmt, Close>;

[[noreturn]] void refuse(const engine::Target& target, const std::string& why, std::string hint) {
  throw Error(ErrorCode::usage,
              "source_failed",
              fmt::format("the file {} {}", target.connection, why),
              std::move(hint));
}

Database open(const engine::Target& target) {
  sqlite3* opened = nullptr;
  const int result =
      sqlite3_open_v2(target.connection.c_str(), &opened, SQLITE_OPEN_READONLY, nullptr);
  Database database(opened);
  if (result != SQLITE_OK) {
    throw Error(
        ErrorCode::unreachable,
        "source_unreachable",
        fmt::format("the file {} cannot be opened: {}", target.connection, sqlite3_errstr(result)),
        "Check the path and the file's permissions.");
  }
  sqlite3_busy_timeout(opened, kBusyMilliseconds);
  return database;
}

Prepared prepare(sqlite3* database, const engine::Target& target, const std::string& sql) {
  sqlite3_stmt* prepared = nullptr;
  const char* rest = nullptr;
  const int result =
      sqlite3_prepare_v2(database, sql.c_str(), static_cast<int>(sql.size()) + 1, &prepared, &rest);
  Prepared statement(prepared);
  if (result != SQLITE_OK) {
    refuse(target,
           fmt::format("refuses the query: {}", sqlite3_errmsg(database)),
           "Try the query with the sqlite3 program.");
  }
  const bool has_more =
      std::string_view(rest).find_first_not_of(" \t\r\n;") != std::string_view::npos;
  if (prepared == nullptr || has_more) {
    refuse(target, "got something else than one statement", "Give one SELECT statement.");
  }
  return statement;
}

std::optional<std::string> value_of(sqlite3_stmt* statement, int column) {
  if (sqlite3_column_type(statement, column) == SQLITE_NULL) {
    return std::nullopt;
  }
  const auto* const bytes =
      static_cast<const char*>(static_cast<const void*>(sqlite3_column_text(statement, column)));
  return std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement, column)));
}

}  // namespace

QueryAnswer query_sqlite(const engine::Target& target, const std::string& sql) {
  const Database database = open(target);
  const Prepared statement = prepare(database.get(), target, sql);
  QueryAnswer answer;
  const int columns = sqlite3_column_count(statement.get());
  for (int column = 0; column < columns; ++column) {
    answer.columns.emplace_back(sqlite3_column_name(statement.get(), column));
  }
  int result = sqlite3_step(statement.get());
  for (; result == SQLITE_ROW; result = sqlite3_step(statement.get())) {
    if (answer.rows.size() == kMostRows) {
      refuse(target, fmt::format("gives more than {} rows", kMostRows), "Select fewer tenants.");
    }
    std::vector<std::optional<std::string>> values;
    values.reserve(answer.columns.size());
    for (int column = 0; column < columns; ++column) {
      values.push_back(value_of(statement.get(), column));
    }
    answer.rows.push_back(std::move(values));
  }
  if (result != SQLITE_DONE) {
    refuse(target,
           fmt::format("refuses the query: {}", sqlite3_errmsg(database.get())),
           "Try the query with the sqlite3 program.");
  }
  return answer;
}

}  // namespace drover::orchestrator::inventory

#include "engine/sqlite/sqlite_connection.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "engine/sqlite/sqlite_session.h"

namespace drover::engine::sqlite {

namespace {

/// First words of statements that change rows; sqlite3_changes64() keeps its number after others.
constexpr std::array<std::string_view, 5> kChangingWords = {
    "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH"};

/// drover_setting(name)
void setting(sqlite3_context* context, int /*count*/, sqlite3_value** arguments) noexcept {
  const auto& facts = *static_cast<const TenantFacts*>(sqlite3_user_data(context));
  const auto* const name = reinterpret_cast<const char*>(sqlite3_value_text(arguments[0]));
  const auto found = name == nullptr ? facts.end() : facts.find(name);
  if (found == facts.end()) {
    sqlite3_result_null(context);
    return;
  }
  sqlite3_result_text64(
      context, found->second.data(), found->second.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

bool holds_nul(const Statement& statement) {
  return statement.sql.find('\0') != std::string_view::npos ||
         std::any_of(statement.params.begin(), statement.params.end(), [](const SqlValue& value) {
           return value && value->find('\0') != std::string::npos;
         });
}

SqlValue value_at(sqlite3_stmt* prepared, int column) {
  if (sqlite3_column_type(prepared, column) == SQLITE_NULL) {
    return std::nullopt;
  }
  const auto* const text = static_cast<const char*>(
      sqlite3_column_type(prepared, column) == SQLITE_BLOB
          ? sqlite3_column_blob(prepared, column)
          : static_cast<const void*>(sqlite3_column_text(prepared, column)));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(prepared, column));
  return size == 0 ? std::string() : std::string(text, size);
}

void keep_row(sqlite3_stmt* prepared, ResultSet& result) {
  std::vector<SqlValue>& row = result.rows.emplace_back();
  const int columns = sqlite3_column_count(prepared);
  row.reserve(static_cast<std::size_t>(columns));
  for (int column = 0; column < columns; ++column) {
    row.push_back(value_at(prepared, column));
  }
}

}  // namespace

Connection::Connection(Database database, Milliseconds lock_timeout, TenantFacts facts)
    : facts_(std::move(facts)),
      database_(std::move(database)),
      guard_(database_.get()),
      watch_(database_.get(), lock_timeout) {
  // DIRECTONLY: a view or trigger that used it would break the application, which lacks it.
  sqlite3_create_function_v2(database_.get(),
                             "drover_setting",
                             1,
                             SQLITE_UTF8 | SQLITE_DIRECTONLY,
                             const_cast<TenantFacts*>(&facts_),
                             &setting,
                             nullptr,
                             nullptr,
                             nullptr);
}

Exchange Connection::run(std::span<const Statement> statements, const Patience& patience) {
  Exchange exchange;
  if (std::any_of(statements.begin(), statements.end(), holds_nul)) {
    exchange.error = refusal("a statement holds a NUL character", "Take it out.");
    return exchange;
  }
  watch_.heed(patience);
  exchange.results.reserve(statements.size());
  for (const Statement& statement : statements) {
    guard_.watch(statement.author, statement.sql);
    ResultSet result;
    exchange.error = watch_.impatience();
    if (!exchange.error) {
      exchange.error = run_one(statement, result);
    }
    if (exchange.error) {
      break;
    }
    exchange.results.push_back(std::move(result));
  }
  guard_.release();
  watch_.release();
  return exchange;
}

/// What stands behind a failure that SQLite has just reported.
SqlError Connection::why(std::string_view sql) const {
  SqlError error = error_of(database_.get(), sql);
  if (error.sqlstate == "SQLITE_INTERRUPT" || error.sqlstate == "SQLITE_BUSY") {
    return watch_.impatience().value_or(std::move(error));
  }
  return guard_.refused().value_or(std::move(error));
}

std::optional<SqlError> Connection::run_one(const Statement& statement, ResultSet& result) {
  const bool nothing_to_roll_back = statement.author == Author::drover && !in_transaction() &&
                                    first_word(statement.sql) == "ROLLBACK";
  if (nothing_to_roll_back) {
    return std::nullopt;
  }
  PreparedStatement prepared;
  std::optional<SqlError> error = prepare(statement, prepared);
  if (error || !prepared) {  // null: blanks and comments only
    return error;
  }
  error = bind(statement, prepared.get());
  return error ? error : step(statement, prepared.get(), result);
}

std::optional<SqlError> Connection::prepare(const Statement& statement,
                                            PreparedStatement& prepared) {
  std::string_view rest = statement.sql;
  while (!rest.empty()) {
    const char* tail = nullptr;
    sqlite3_stmt* next = nullptr;
    const int code = sqlite3_prepare_v2(
        database_.get(), rest.data(), static_cast<int>(rest.size()), &next, &tail);
    PreparedStatement owner(next);
    if (prepared && (code != SQLITE_OK || owner)) {
      return refusal("a statement holds a second one", "Send them one by one.");
    }
    if (code != SQLITE_OK) {
      return why(statement.sql);
    }
    if (owner) {
      prepared = std::move(owner);
    }
    rest.remove_prefix(static_cast<std::size_t>(tail - rest.data()));
  }
  return std::nullopt;
}

/// Where SQLite wants parameter `number`: to it "$2" is a name, numbered by where it first stands.
int Connection::place_of_parameter(sqlite3_stmt* prepared, int number) {
  const int named = sqlite3_bind_parameter_index(prepared, fmt::format("${}", number).c_str());
  return named != 0 ? named : number;
}

std::optional<SqlError> Connection::bind(const Statement& statement, sqlite3_stmt* prepared) {
  const auto wanted = static_cast<std::size_t>(sqlite3_bind_parameter_count(prepared));
  if (wanted != statement.params.size()) {
    return error_with(
        SqlError::Origin::server,
        SQLITE_RANGE,
        fmt::format(
            "the statement takes {} parameters and was given {}", wanted, statement.params.size()),
        "");
  }
  for (std::size_t i = 0; i < wanted; ++i) {
    const SqlValue& value = statement.params[i];
    const int place = place_of_parameter(prepared, static_cast<int>(i) + 1);
    const int code =
        value ? sqlite3_bind_text64(
                    prepared, place, value->data(), value->size(), SQLITE_STATIC, SQLITE_UTF8)
              : sqlite3_bind_null(prepared, place);
    if (code != SQLITE_OK) {
      return why(statement.sql);
    }
  }
  return std::nullopt;
}

std::optional<SqlError> Connection::step(const Statement& statement,
                                         sqlite3_stmt* prepared,
                                         ResultSet& result) {
  for (int column = 0; column < sqlite3_column_count(prepared); ++column) {
    result.columns.emplace_back(sqlite3_column_name(prepared, column));
  }
  int code = sqlite3_step(prepared);
  for (; code == SQLITE_ROW; code = sqlite3_step(prepared)) {
    if (statement.author == Author::drover || result.rows.size() < kKeptRows) {
      keep_row(prepared, result);
    }
  }
  if (code != SQLITE_DONE) {
    return why(statement.sql);
  }
  const std::string word = first_word(statement.sql);
  const bool changes =
      sqlite3_stmt_readonly(prepared) == 0 &&
      std::find(kChangingWords.begin(), kChangingWords.end(), word) != kChangingWords.end();
  if (changes) {
    result.affected = static_cast<std::uint64_t>(sqlite3_changes64(database_.get()));
  }
  return std::nullopt;
}

}  // namespace drover::engine::sqlite

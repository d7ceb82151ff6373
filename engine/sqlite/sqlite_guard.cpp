#include "engine/sqlite/sqlite_guard.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "engine/sqlite/sqlite_handles.h"

namespace drover::engine::sqlite {

namespace {

/// PRAGMAs that a migration never sets: they are the engine's own, or undo SQLite's safety.
constexpr std::array<std::string_view, 4> kNeverSet = {
    "foreign_keys", "query_only", "writable_schema", "trusted_schema"};
/// PRAGMAs that do nothing, or fail, within a transaction.
constexpr std::array<std::string_view, 6> kIgnoredInTransaction = {
    "auto_vacuum", "encoding", "journal_mode", "page_size", "synchronous", "temp_store"};

std::string_view view(const char* text) noexcept {
  return text == nullptr ? std::string_view() : std::string_view(text);
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return result;
}

template <std::size_t Size>
bool contains(const std::array<std::string_view, Size>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

}  // namespace

std::string first_word(std::string_view sql) {
  while (!sql.empty()) {
    std::size_t skip = 0;
    if (sql.substr(0, 2) == "--") {
      skip = std::min(sql.find('\n'), sql.size());
    } else if (sql.substr(0, 2) == "/*") {
      const std::size_t end = sql.find("*/", 2);
      skip = end == std::string_view::npos ? sql.size() : end + 2;
    } else if (sql.front() == ' ' || sql.front() == ';' ||
               (sql.front() >= '\t' && sql.front() <= '\r')) {
      skip = 1;
    } else {
      break;
    }
    sql.remove_prefix(skip);
  }
  std::string word;
  for (const char c : sql) {
    const char upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    if (upper < 'A' || upper > 'Z') {
      break;
    }
    word += upper;
  }
  return word;
}

Guard::Guard(sqlite3* database) : database_(database) {
  sqlite3_set_authorizer(database_, &Guard::on_action, this);
}

Guard::~Guard() {
  sqlite3_set_authorizer(database_, nullptr, nullptr);
}

void Guard::watch(Author author, std::string_view sql) {
  author_ = author;
  refused_.clear();
  is_vacuum_ = author == Author::migration && first_word(sql) == "VACUUM";
}

std::optional<SqlError> Guard::refused() const {
  if (refused_.empty()) {
    return std::nullopt;
  }
  return refusal(fmt::format("{} is not possible in a migration", refused_),
                 "Take the statement out; Drover opens files and transactions itself.");
}

int Guard::on_action(void* self,
                     int action,
                     const char* first,
                     const char* second,
                     const char* /*database*/,
                     const char* /*trigger*/) noexcept {
  auto& guard = *static_cast<Guard*>(self);
  const bool allowed =
      guard.author_ == Author::drover || guard.allows(action, view(first), view(second));
  return allowed ? SQLITE_OK : SQLITE_DENY;
}

bool Guard::allows(int action, std::string_view first, std::string_view second) {
  switch (action) {
    case SQLITE_ATTACH:
      // VACUUM attaches a nameless temporary file to itself; VACUUM INTO would write another one.
      refused_ = is_vacuum_ ? "VACUUM INTO" : "ATTACH";
      break;
    case SQLITE_DETACH:
      refused_ = "DETACH";
      break;
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
      refused_ = fmt::format("transaction control ({})", first);
      break;
    case SQLITE_FUNCTION:
      refused_ = lower(second) == "load_extension" ? "load_extension()" : "";
      break;
    case SQLITE_PRAGMA: {
      const std::string name = lower(first);
      const bool in_transaction = sqlite3_get_autocommit(database_) == 0;
      const bool refused =
          contains(kNeverSet, name) || (in_transaction && contains(kIgnoredInTransaction, name));
      refused_ = refused && !second.empty() ? "PRAGMA " + name : "";
      break;
    }
    default:
      return true;
  }
  const bool internal_to_vacuum =
      is_vacuum_ && ((action == SQLITE_ATTACH && first.empty()) || action == SQLITE_TRANSACTION);
  if (internal_to_vacuum) {
    refused_.clear();
  }
  return refused_.empty();
}

}  // namespace drover::engine::sqlite

#include "engine/sqlite/sqlite_handles.h"

#include <algorithm>
#include <utility>

#include "engine/sqlite/sqlite_codes.h"

namespace drover::engine::sqlite {

namespace {

/// The place of the error, counted in characters from 1; 0 when SQLite does not know it.
std::size_t position_of_error(sqlite3* database, std::string_view sql) {
  const int offset = sqlite3_error_offset(database);
  if (offset < 0) {
    return 0;
  }
  const std::string_view before = sql.substr(0, static_cast<std::size_t>(offset));
  const auto characters = std::count_if(before.begin(), before.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  });
  return static_cast<std::size_t>(characters) + 1;
}

}  // namespace

SqlError error_of(sqlite3* database, std::string_view sql) {
  SqlError error;
  error.origin = SqlError::Origin::server;
  error.sqlstate = name_of_code(sqlite3_extended_errcode(database));
  error.message = sqlite3_errmsg(database);
  error.position = position_of_error(database, sql);
  return error;
}

SqlError error_with(SqlError::Origin origin, int code, std::string message, std::string hint) {
  SqlError error;
  error.origin = origin;
  error.sqlstate = name_of_code(code);
  error.message = std::move(message);
  error.hint = std::move(hint);
  return error;
}

SqlError refusal(std::string message, std::string hint) {
  SqlError error;
  error.origin = SqlError::Origin::refused;
  error.message = std::move(message);
  error.hint = std::move(hint);
  return error;
}

}  // namespace drover::engine::sqlite

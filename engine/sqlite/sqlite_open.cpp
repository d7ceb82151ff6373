#include "engine/sqlite/sqlite_open.h"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace drover::engine::sqlite {

namespace {

/// One page of the smallest size there is.
constexpr off_t kSmallestDatabase = 512;

FileCheck refused(int code, std::string message, std::string hint) {
  return {FileState::sound,
          error_with(SqlError::Origin::connection, code, std::move(message), std::move(hint))};
}

/// `name` is for SQLite, `path` for messages.
Opened open_named(const std::string& name, const std::string& path, int flags) {
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(
      name.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  Opened opened{Database(raw), std::nullopt};
  if (code != SQLITE_OK) {
    opened.error = error_with(SqlError::Origin::connection,
                              code,
                              fmt::format("cannot open '{}': {}", path, sqlite3_errstr(code)),
                              "");
    opened.database.reset();
  }
  return opened;
}

}  // namespace

FileCheck check_file(const std::string& path, const OpenOptions& options) {
  if (path.empty() || path.find('\0') != std::string::npos) {
    return refused(SQLITE_CANTOPEN, "the target names no file", "");
  }
  const bool may_make = options.create_file && options.purpose == OpenOptions::Purpose::change;
  struct stat found = {};
  if (stat(path.c_str(), &found) != 0) {
    if (errno == ENOENT && may_make) {
      return {FileState::to_be_made, std::nullopt};
    }
    return refused(
        SQLITE_CANTOPEN,
        fmt::format("cannot open '{}': {}", path, std::generic_category().message(errno)),
        "");
  }
  if (S_ISDIR(found.st_mode)) {
    return refused(
        SQLITE_CANTOPEN_ISDIR, fmt::format("'{}' is a directory", path), "Name a file in it.");
  }
  if (!S_ISREG(found.st_mode)) {
    return refused(SQLITE_CANTOPEN, fmt::format("'{}' is not a regular file", path), "");
  }
  if (found.st_size == 0) {
    return may_make ? FileCheck{FileState::to_be_made, std::nullopt}
                    : refused(SQLITE_EMPTY, fmt::format("'{}' holds nothing", path), "");
  }
  if (found.st_size < kSmallestDatabase) {  // SQLite takes a file of one byte for an empty one
    return refused(SQLITE_NOTADB, fmt::format("'{}' is not an SQLite database", path), "");
  }
  return {};
}

Opened open_file(const std::string& path, FileState state) {
  // Absolute, so that ":memory:" and "file:..." are names of files like any other.
  const int make = state == FileState::to_be_made ? SQLITE_OPEN_CREATE : 0;
  return open_named(std::filesystem::absolute(path), path, SQLITE_OPEN_READWRITE | make);
}

Opened open_stored(const std::string& path) {
  FileCheck check = check_file(path, {});
  if (check.error) {
    return {nullptr, std::move(check.error)};
  }
  std::string uri = "file://";  // https://www.sqlite.org/uri.html
  for (const char c : std::filesystem::absolute(path).string()) {
    uri += c == '%' || c == '?' || c == '#' ? fmt::format("%{:02x}", c) : std::string(1, c);
  }
  return open_named(uri + "?immutable=1", path, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
}

}  // namespace drover::engine::sqlite

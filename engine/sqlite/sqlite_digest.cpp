#include "engine/sqlite/sqlite_digest.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

#include "engine/sqlite/sqlite_handles.h"
#include "engine/sqlite/sqlite_open.h"
#include "engine/sqlite/sqlite_watch.h"

namespace drover::engine::sqlite {
namespace {

constexpr std::string_view kSchemaTable = "sqlite_schema";

std::string quoted(const std::string& name) {
  std::string text = "\"";
  for (const char c : name) {
    text += c == '"' ? std::string(2, c) : std::string(1, c);
  }
  return text + '"';
}

/// Reads one database, up to the first error.
class ContentReader {
 public:
  explicit ContentReader(sqlite3* database) : database_(database) {}

  FileContent read() {
    exec("BEGIN");  // one moment of it
    check_integrity();
    read_schema();
    for (const std::string& table : tables_) {
      read_table(table);
    }
    read_history();
    exec("ROLLBACK");
    std::sort(content_.tables.begin(),
              content_.tables.end(),
              [](const TableDigest& a, const TableDigest& b) { return a.table < b.table; });
    return std::move(content_);
  }

 private:
  bool ok() const noexcept { return !content_.error; }

  void fail(std::string_view sql) { content_.error = error_of(database_, sql); }

  void exec(const char* sql) {
    if (ok() && sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
      fail(sql);
    }
  }

  /// Calls `take` for each row of `sql`.
  template <typename Take>
  void each(const std::string& sql, const Take& take) {
    if (!ok()) {
      return;
    }
    sqlite3_stmt* raw = nullptr;
    int code =
        sqlite3_prepare_v2(database_, sql.data(), static_cast<int>(sql.size()), &raw, nullptr);
    const PreparedStatement statement(raw);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
      code = sqlite3_step(raw);
      if (code == SQLITE_ROW) {
        take(raw);
      }
    }
    if (code != SQLITE_DONE) {
      fail(sql);
    }
  }

  static std::string text_at(sqlite3_stmt* row, int column) {
    const void* const bytes = sqlite3_column_blob(row, column);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(row, column));
    return bytes == nullptr ? std::string() : std::string(static_cast<const char*>(bytes), size);
  }

  void check_integrity() {
    each("PRAGMA integrity_check(1)", [this](sqlite3_stmt* row) {
      const std::string answer = text_at(row, 0);
      if (answer != "ok") {
        damage_ = answer;
      }
    });
    if (ok() && !damage_.empty()) {
      content_.error = error_with(SqlError::Origin::server,
                                  SQLITE_CORRUPT,
                                  "integrity_check says: " + damage_,
                                  "Restore the file from a backup.");
    }
  }

  void read_schema() {
    RowSum sum;
    each("SELECT type, name, tbl_name, sql FROM sqlite_schema", [&](sqlite3_stmt* row) {
      sum.add(row_bytes(row));
      const std::string sql = text_at(row, 3);
      const std::string name = text_at(row, 1);
      const bool is_statistics = name.starts_with("sqlite_stat");
      if (text_at(row, 0) == "table" && !sql.starts_with("CREATE VIRTUAL") && !is_statistics) {
        tables_.push_back(name);
      }
    });
    for (const char* const setting : {"PRAGMA application_id", "PRAGMA user_version"}) {
      each(setting, [&](sqlite3_stmt* row) { sum.add(setting + row_bytes(row)); });
    }
    content_.tables.push_back(sum.digest_of(std::string(kSchemaTable)));
  }

  void read_table(const std::string& table) {
    RowSum sum;
    each("SELECT * FROM " + quoted(table), [&](sqlite3_stmt* row) { sum.add(row_bytes(row)); });
    content_.tables.push_back(sum.digest_of(table));
  }

  /// Each column as its type, its length and its bytes. A number is its text, which is exact for
  /// both kinds (reals are written with 17 digits, as shortest round trips need at most).
  std::string row_bytes(sqlite3_stmt* row) const {
    std::string bytes;
    for (int i = 0; i < sqlite3_column_count(row); ++i) {
      const int type = sqlite3_column_type(row, i);
      const std::string value = type == SQLITE_FLOAT
                                    ? fmt::format("{:.17g}", sqlite3_column_double(row, i))
                                    : text_at(row, i);
      fmt::format_to(std::back_inserter(bytes), "{}:{}:", type, value.size());
      bytes += value;
    }
    return bytes;
  }

  void read_history() {
    const auto has = [this](std::string_view name) {
      return std::find(tables_.begin(), tables_.end(), name) != tables_.end();
    };
    if (has("drover_tenant")) {
      each("SELECT uid FROM drover_tenant",
           [this](sqlite3_stmt* row) { content_.uid = text_at(row, 0); });
    }
    if (has("drover_revisions")) {
      each("SELECT revision FROM drover_revisions ORDER BY revision",
           [this](sqlite3_stmt* row) { content_.revisions.push_back(text_at(row, 0)); });
    }
  }

  sqlite3* database_;
  FileContent content_;
  std::string damage_;
  std::vector<std::string> tables_;
};

}  // namespace

FileContent read_content(const std::string& path,
                         FileUse use,
                         Milliseconds lock_timeout,
                         const Patience& patience) {
  FileCheck check = check_file(path, {});
  if (check.error) {
    return {{}, {}, {}, std::move(check.error)};
  }
  Opened opened = use == FileUse::stored ? open_stored(path) : open_file(path, check.state);
  if (opened.error) {
    return {{}, {}, {}, std::move(opened.error)};
  }
  Watch watch(opened.database.get(), lock_timeout);
  watch.heed(patience);
  FileContent content = ContentReader(opened.database.get()).read();
  if (std::optional<SqlError> over = content.error ? watch.impatience() : std::nullopt) {
    content.error = std::move(over);
  }
  return content;
}

FileContent read_content(sqlite3* database) {
  return ContentReader(database).read();
}

}  // namespace drover::engine::sqlite

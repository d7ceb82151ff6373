#include "orchestrator/store/sqlite_db.h"

#include <array>
#include <chrono>
#include <system_error>
#include <type_traits>
#include <utility>

#include <fmt/format.h>
#include <sqlite3.h>

#include "orchestrator/store/clean_text.h"
#include "orchestrator/store/state_file.h"

namespace drover::orchestrator::store {
namespace {

constexpr int kBusyTimeoutMs = 10'000;

constexpr StoreDialect kSqliteDialect = {
    .bytes_type = "BLOB",
    .serial_key = "INTEGER PRIMARY KEY",
    .text_type = "TEXT",
    .has_table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1",
};

/// What a result code asks a person to do.
struct ResultCodeAdvice {
  int code;
  std::string_view kind;
  std::string_view hint;
};
constexpr std::string_view kMoveAway =
    "Move the file away; the next run makes a new one, and no tenant is lost by that.";
constexpr std::array<ResultCodeAdvice, 8> kResultCodeAdvice = {{
    {SQLITE_FULL, "journal_failed", "Make room on the disk, then resume the run."},
    {SQLITE_IOERR, "journal_failed", "Look at the disk that holds the file, then resume the run."},
    {SQLITE_BUSY,
     "journal_failed",
     "Another process keeps the file locked; end it, then try again."},
    {SQLITE_READONLY, "journal_failed", "Make the file and its folder writable for this user."},
    {SQLITE_CANTOPEN, "journal_failed", "Make the file and its folder writable for this user."},
    {SQLITE_PERM, "journal_failed", "Make the file and its folder writable for this user."},
    {SQLITE_CORRUPT, "journal_corrupt", kMoveAway},
    {SQLITE_NOTADB, "journal_corrupt", kMoveAway},
}};

Error error_of(sqlite3* handle, int code, const std::string& name) {
  ResultCodeAdvice advice{code, "journal_failed", "Look at the file, then try again."};
  for (const ResultCodeAdvice& row : kResultCodeAdvice) {
    if (row.code == (code & 0xFF)) {  // the low byte of an extended code is the primary one
      advice = row;
    }
  }
  const char* const text = handle == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle);
  return {ErrorCode::storage,
          std::string(advice.kind),
          fmt::format("{}: {}", name, text),
          std::string(advice.hint)};
}

/// A prepared statement.
class Prepared {
 public:
  Prepared(sqlite3* handle, std::string_view sql, const std::string& name)
      : handle_(handle), name_(name) {
    sqlite3_stmt* statement = nullptr;
    const int code =
        sqlite3_prepare_v2(handle, sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
    statement_.reset(statement);
    if (code != SQLITE_OK) {
      throw error_of(handle, code, name);
    }
  }

  /// Parameters are bound by their number, in whatever order the statement mentions them.
  void bind(std::size_t number, const StoreValue& value) {
    const int index =
        sqlite3_bind_parameter_index(statement_.get(), fmt::format("${}", number).c_str());
    bind_at(index, value);
  }

  void bind_at(int index, const StoreValue& value) {
    const int code = std::visit(
        [&](const auto& content) { return bind_one(statement_.get(), index, content); }, value);
    if (code != SQLITE_OK) {
      throw error_of(handle_, code, name_);
    }
  }

  /// False when there are no more rows.
  bool step() {
    const int code = sqlite3_step(statement_.get());
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
      throw error_of(handle_, code, name_);
    }
    return code == SQLITE_ROW;
  }

  void reset() { sqlite3_reset(statement_.get()); }

  StoreRow row() const {
    std::vector<std::optional<std::string>> values;
    const int columns = sqlite3_column_count(statement_.get());
    values.reserve(static_cast<std::size_t>(columns));
    for (int column = 0; column < columns; ++column) {
      values.push_back(value_at(column));
    }
    return StoreRow(std::move(values));
  }

 private:
  static int bind_one(sqlite3_stmt* statement, int index, std::monostate /*null*/) {
    return sqlite3_bind_null(statement, index);
  }
  static int bind_one(sqlite3_stmt* statement, int index, std::int64_t number) {
    return sqlite3_bind_int64(statement, index, number);
  }
  static int bind_one(sqlite3_stmt* statement, int index, std::string_view text) {
    const std::string clean = clean_text(text);
    return sqlite3_bind_text64(
        statement, index, clean.data(), clean.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  }
  static int bind_one(sqlite3_stmt* statement, int index, Bytes bytes) {
    const std::string_view value = bytes.value;
    return sqlite3_bind_blob64(
        statement, index, value.empty() ? "" : value.data(), value.size(), nullptr);
  }

  std::optional<std::string> value_at(int column) const {
    if (sqlite3_column_type(statement_.get(), column) == SQLITE_NULL) {
      return std::nullopt;
    }
    // Both calls convert where needed; a blob's bytes come as they are.
    const void* const bytes = sqlite3_column_type(statement_.get(), column) == SQLITE_BLOB
                                  ? sqlite3_column_blob(statement_.get(), column)
                                  : sqlite3_column_text(statement_.get(), column);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
    return size == 0 ? std::string() : std::string(static_cast<const char*>(bytes), size);
  }

  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
  };

  sqlite3* handle_;
  const std::string& name_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class SqliteTransaction final : public StoreTransaction {
 public:
  SqliteTransaction(sqlite3* handle, const std::string& name) : handle_(handle), name_(name) {}

  using StoreTransaction::query;
  std::vector<StoreRow> query(std::string_view sql, std::span<const StoreValue> values) override {
    Prepared statement(handle_, sql, name_);
    for (std::size_t i = 0; i < values.size(); ++i) {
      statement.bind(i + 1, values[i]);
    }
    std::vector<StoreRow> rows;
    while (statement.step()) {
      rows.push_back(statement.row());
    }
    return rows;
  }

  void insert(const RowsToInsert& rows) override {
    std::string marks = "?";
    for (std::size_t i = 1; i < rows.columns; ++i) {
      marks += ", ?";
    }
    Prepared statement(
        handle_,
        fmt::format("INSERT INTO {} VALUES ({}) {}", rows.into, marks, rows.on_conflict),
        name_);
    for (std::size_t first = 0; first < rows.values.size(); first += rows.columns) {
      for (std::size_t column = 0; column < rows.columns; ++column) {
        statement.bind_at(static_cast<int>(column) + 1, rows.values[first + column]);
      }
      statement.step();
      statement.reset();
    }
  }

  void run_script(const std::string& sql) override {
    const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) {
      throw error_of(handle_, code, name_);
    }
  }

  WallTime now() override { return std::chrono::system_clock::now(); }

 private:
  sqlite3* handle_;
  const std::string& name_;
};

}  // namespace

void SqliteDb::Close::operator()(sqlite3* handle) const noexcept {
  sqlite3_close_v2(handle);
}

SqliteDb::SqliteDb(const std::filesystem::path& path)
    : name_(fmt::format("run journal '{}'", path.string())) {
  const std::filesystem::path file = prepare_state_file(path);
  open(file);
  check(file);
  run("PRAGMA journal_mode = WAL");
  run("PRAGMA synchronous = NORMAL");
}

SqliteDb::~SqliteDb() = default;

void SqliteDb::open(const std::filesystem::path& path) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(
      path.c_str(),
      &handle,
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE,
      nullptr);
  handle_.reset(handle);
  if (code != SQLITE_OK) {
    throw error_of(handle, code, name_);
  }
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
}

void SqliteDb::check(const std::filesystem::path& path) {
  std::error_code failed;
  if (std::filesystem::file_size(path, failed) > kCheckedSize || failed) {
    return;
  }
  SqliteTransaction connection(handle_.get(), name_);
  const std::string verdict = connection.query("PRAGMA quick_check(1)").at(0).text(0);
  if (verdict != "ok") {
    throw Error(ErrorCode::storage,
                "journal_corrupt",
                fmt::format("{} is damaged: {}", name_, verdict),
                std::string(kMoveAway));
  }
}

void SqliteDb::run(const std::string& script) {
  SqliteTransaction(handle_.get(), name_).run_script(script);
}

void SqliteDb::transact(Access access, const Body& body) {
  run(access == Access::write ? "BEGIN IMMEDIATE" : "BEGIN");
  SqliteTransaction transaction(handle_.get(), name_);
  try {
    body(transaction);
    run("COMMIT");
  } catch (...) {
    if (sqlite3_get_autocommit(handle_.get()) == 0) {  // a full disk may have rolled back already
      sqlite3_exec(handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
    }
    throw;
  }
}

/// BEGIN IMMEDIATE has locked the file. Someone else's tables are left alone.
void SqliteDb::prepare_for_schema(StoreTransaction& transaction) {
  const bool ours =
      !transaction.query(kSqliteDialect.has_table, {std::string_view("journal_format")}).empty();
  if (!ours && !transaction.query("SELECT 1 FROM sqlite_master LIMIT 1").empty()) {
    throw Error(ErrorCode::storage,
                "journal_foreign",
                fmt::format("{} is a database of something else", name_),
                "Name a file of its own for the store.");
  }
}

const StoreDialect& SqliteDb::dialect() const noexcept {
  return kSqliteDialect;
}

}  // namespace drover::orchestrator::store

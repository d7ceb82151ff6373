/// The few things that the journal needs from a database, so that its statements are written once.
///
/// A StoreDb runs statements in transactions and knows nothing of runs. sql_journal.h does, and
/// sqlite_db.h and postgres_db.h are the two databases. Statements use the SQL that both speak:
/// $1, $2 ... for parameters, ON CONFLICT, RETURNING. Where they differ there is a StoreDialect.
///
/// Thread safety: one thread at a time; SqlJournal sees to it.
///
/// Errors: Error storage (journal_failed, journal_corrupt) or unreachable (journal_unreachable).

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "orchestrator/journal.h"

namespace drover::orchestrator::store {

/// Exact bytes. Plain text is cleaned on its way into the store (see clean_text.h), these are not.
struct Bytes {
  std::string_view value;
};

/// A parameter; monostate is NULL. Views must outlive the call.
using StoreValue = std::variant<std::monostate, std::int64_t, std::string_view, Bytes>;

/// One row that came back. Reading a column that is not of the asked kind is a bug.
class StoreRow {
 public:
  explicit StoreRow(std::vector<std::optional<std::string>> values) : values_(std::move(values)) {}

  bool is_null(std::size_t column) const { return !values_.at(column).has_value(); }
  const std::string& text(std::size_t column) const { return values_.at(column).value(); }
  std::int64_t number(std::size_t column) const { return std::stoll(text(column)); }

 private:
  std::vector<std::optional<std::string>> values_;
};

/// Many rows for one table.
struct RowsToInsert {
  std::string_view into;           ///< "events (run, kind)"
  std::size_t columns = 0;         ///< How many values a row has.
  std::string_view on_conflict;    ///< "ON CONFLICT ..."; may be empty.
  std::vector<StoreValue> values;  ///< Row after row.
};

/// What is open while transact() runs its body.
class StoreTransaction {
 public:
  StoreTransaction() = default;
  StoreTransaction(const StoreTransaction&) = delete;
  StoreTransaction& operator=(const StoreTransaction&) = delete;
  virtual ~StoreTransaction() = default;

  virtual std::vector<StoreRow> query(std::string_view sql, std::span<const StoreValue> values) = 0;

  /// Inserts all rows, in as few messages as the database allows. No two rows may conflict with
  /// each other where `on_conflict` updates.
  virtual void insert(const RowsToInsert& rows) = 0;

  /// Runs statements without parameters, separated by semicolons.
  virtual void run_script(const std::string& sql) = 0;

  /// The store's clock: the server's, or for a file this machine's. Never the transaction's start.
  virtual WallTime now() = 0;

  std::vector<StoreRow> query(std::string_view sql, std::initializer_list<StoreValue> values = {}) {
    return query(sql, std::span<const StoreValue>(values.begin(), values.size()));
  }
};

/// Where the SQL of the databases differs.
struct StoreDialect {
  std::string_view bytes_type;  ///< Of a column of Bytes.
  std::string_view serial_key;  ///< A column that counts up by itself and is the primary key.
  std::string_view text_type;   ///< Text that is compared and ordered bytewise.
  std::string_view has_table;   ///< Gives a row when table $1 is there.
};

class StoreDb {
 public:
  StoreDb() = default;
  StoreDb(const StoreDb&) = delete;
  StoreDb& operator=(const StoreDb&) = delete;
  virtual ~StoreDb() = default;

  using Body = std::function<void(StoreTransaction&)>;

  enum class Access {
    read,  ///< Sees one moment of the store, and writes nothing.
    write,
  };

  /// Runs `body` in one transaction. When the connection breaks, also under the
  /// commit, it runs once more on a new one: so `body` must come to the same end when its first run
  /// was committed after all. What `body` throws rolls back and goes on to the caller.
  virtual void transact(Access access, const Body& body) = 0;

  /// Keeps others from making or upgrading the tables until the transaction ends, and makes what
  /// tables need to live in.
  virtual void prepare_for_schema(StoreTransaction& transaction) = 0;

  virtual const StoreDialect& dialect() const noexcept = 0;

  /// For messages: "run journal '.drover/runs.db'".
  virtual const std::string& name() const noexcept = 0;
};

}  // namespace drover::orchestrator::store

#include "orchestrator/store/postgres_db.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <type_traits>
#include <utility>

#include <fmt/format.h>
#include <pqxx/pqxx>

#include "orchestrator/store/clean_text.h"

namespace drover::orchestrator::store {
namespace {

constexpr int kAttempts = 3;
constexpr std::size_t kMessageBytes = 1U << 20U;  // an INSERT is cut into messages of about so much
constexpr unsigned kByteaOid = 17;

constexpr StoreDialect kPostgresDialect = {
    .bytes_type = "bytea",
    .serial_key = "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    .text_type = "text COLLATE \"C\"",
    .has_table =
        "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND tablename = $1",
};

/// Any fixed number does; this is "drover" in ASCII.
constexpr std::string_view kLockSchema = "SELECT pg_advisory_xact_lock(110442659079538)";

struct ConnectionDefault {
  std::string_view keyword;
  std::string_view value;
};
constexpr std::array<ConnectionDefault, 8> kConnectionDefaults = {{
    {"connect_timeout", "10"},
    {"keepalives_idle", "10"},
    {"keepalives_interval", "5"},
    {"keepalives_count", "3"},
    {"tcp_user_timeout", "15000"},
    {"application_name", "drover"},
    {"client_encoding", "UTF8"},
    {"target_session_attrs", "read-write"},
}};

/// What an SQLSTATE asks a person to do; a row of two characters stands for its class.
struct SqlstateAdvice {
  std::string_view sqlstate;
  std::string_view hint;
};
constexpr std::string_view kGeneralHint = "Look at the server of the run store, then try again.";
constexpr std::array<SqlstateAdvice, 6> kSqlstateAdvice = {{
    {"42501", "Let this role create and use the schema of the run store."},
    {"25006", "Name the primary server; this one takes no changes."},
    {"53100", "Make room on the disk of the run store, then resume the run."},
    {"55P03", "Another process keeps the journal locked; end it, then try again."},
    {"57014", "The run store is too slow; look at its load, then try again."},
    {"XX", "Look at the server's log; the run store may be damaged."},
}};

/// After these the same transaction may well succeed on a new connection.
constexpr std::array<std::string_view, 6> kTransient = {
    "40001", "40P01", "57P01", "57P02", "57P03", "25P03"};

bool is_transient(std::string_view sqlstate) {
  return sqlstate.starts_with("08") ||
         std::find(kTransient.begin(), kTransient.end(), sqlstate) != kTransient.end();
}

std::string first_line(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

constexpr std::string_view kEndOfSeverity = ":  ";
constexpr std::size_t kLongestSeverity = 24;

/// The server's words without its "ERROR:  ", in whatever language that is.
std::string without_severity(const std::string& line) {
  const std::size_t end = line.find(kEndOfSeverity);
  return end > kLongestSeverity ? line : line.substr(end + kEndOfSeverity.size());
}

/// libpqxx 6 leaves the SQLSTATE out where it has a class for it; these are the ones in
/// kSqlstateAdvice.
std::string sqlstate_of(const pqxx::sql_error& error) {
  if (dynamic_cast<const pqxx::insufficient_privilege*>(&error) != nullptr) {
    return "42501";
  }
  if (dynamic_cast<const pqxx::disk_full*>(&error) != nullptr) {
    return "53100";
  }
  return error.sqlstate();
}

Error storage_error(const std::string& name, std::string_view sqlstate, const char* words) {
  std::string_view hint = kGeneralHint;
  for (const SqlstateAdvice& row : kSqlstateAdvice) {
    if (sqlstate.starts_with(row.sqlstate)) {
      hint = row.hint;
    }
  }
  return {ErrorCode::storage,
          "journal_failed",
          fmt::format("{}: {}", name, without_severity(first_line(words))),
          std::string(hint)};
}

/// libpq's complaint about a connection string may quote it, password and all; only what it says
/// after it has understood the string is passed on, and that begins so.
constexpr std::array<std::string_view, 3> kHarmless = {
    "connection to ", "could not translate ", "server closed the connection"};

Error unreachable(const std::string& name, std::string_view reason) {
  const bool harmless =
      std::any_of(kHarmless.begin(), kHarmless.end(), [&](std::string_view begin) {
        return reason.starts_with(begin);
      });
  return {ErrorCode::unreachable,
          "journal_unreachable",
          fmt::format("{} cannot be reached: {}",
                      name,
                      harmless ? first_line(reason) : "the connection cannot be made"),
          "Look at the address of the run store and at its server, then try again."};
}

class PostgresTransaction final : public StoreTransaction {
 public:
  explicit PostgresTransaction(pqxx::work& work) : work_(work) {}

  using StoreTransaction::query;
  std::vector<StoreRow> query(std::string_view sql, std::span<const StoreValue> values) override {
    std::vector<std::string> texts;
    for (const StoreValue& value : values) {
      texts.push_back(std::visit([](const auto& content) { return text_of(content); }, value));
    }
    std::vector<const char*> parameters;  // nullptr is NULL
    for (std::size_t i = 0; i < values.size(); ++i) {
      const bool null = std::holds_alternative<std::monostate>(values[i]);
      parameters.push_back(null ? nullptr : texts[i].c_str());
    }
    return rows_of(
        work_.exec_params(std::string(sql), pqxx::prepare::make_dynamic_params(parameters)));
  }

  void insert(const RowsToInsert& rows) override {
    std::string message;
    for (std::size_t first = 0; first < rows.values.size(); first += rows.columns) {
      message += message.empty() ? fmt::format("INSERT INTO {} VALUES ", rows.into) : ", ";
      append_row(message, std::span(rows.values).subspan(first, rows.columns));
      if (message.size() >= kMessageBytes) {
        work_.exec(fmt::format("{} {}", message, rows.on_conflict));
        message.clear();
      }
    }
    if (!message.empty()) {
      work_.exec(fmt::format("{} {}", message, rows.on_conflict));
    }
  }

  void run_script(const std::string& sql) override { work_.exec(sql); }

  WallTime now() override {
    const pqxx::result result =
        work_.exec("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint");
    return WallTime(std::chrono::milliseconds(result[0][0].as<std::int64_t>()));
  }

 private:
  static std::string text_of(std::monostate /*null*/) { return {}; }
  static std::string text_of(std::int64_t number) { return std::to_string(number); }
  static std::string text_of(std::string_view text) { return clean_text(text); }
  static std::string text_of(Bytes bytes) { return std::string(bytes.value); }

  std::string literal(std::monostate /*null*/) { return "NULL"; }
  std::string literal(std::int64_t number) { return std::to_string(number); }
  std::string literal(std::string_view text) { return work_.quote(clean_text(text)); }
  std::string literal(Bytes bytes) { return work_.quote_raw(std::string(bytes.value)); }

  void append_row(std::string& message, std::span<const StoreValue> row) {
    char separator = '(';
    for (const StoreValue& value : row) {
      message += separator;
      message += std::visit([this](const auto& content) { return literal(content); }, value);
      separator = ',';
    }
    message += ')';
  }

  std::vector<StoreRow> rows_of(const pqxx::result& result) {
    std::vector<StoreRow> rows;
    rows.reserve(result.size());
    for (const pqxx::row& row : result) {
      std::vector<std::optional<std::string>> values;
      for (const pqxx::field& field : row) {
        values.push_back(value_of(field));
      }
      rows.emplace_back(std::move(values));
    }
    return rows;
  }

  std::optional<std::string> value_of(const pqxx::field& field) {
    if (field.is_null()) {
      return std::nullopt;
    }
    return field.type() == kByteaOid ? work_.unesc_raw(field.c_str())
                                     : std::string(field.c_str(), field.size());
  }

  pqxx::work& work_;
};

}  // namespace

struct PostgresDb::Connection {
  explicit Connection(const std::string& where) : session(where), quiet(session) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#if PQXX_VERSION_MAJOR < 7
    session.inhibit_reactivation(true);  // deprecated because 7 never reconnects; 6 would
#endif
#pragma GCC diagnostic pop
  }

  pqxx::connection session;
  pqxx::quiet_errorhandler quiet;  // notices would go to stderr
};

PostgresDb::PostgresDb(engine::Secret where, std::string schema)
    : where_(std::move(where)), schema_(std::move(schema)) {}

PostgresDb::~PostgresDb() = default;

void PostgresDb::connect() {
  try {
    connection_ = std::make_unique<Connection>(with_connection_defaults(where_.reveal()));
  } catch (const pqxx::failure& error) {
    throw unreachable(name_, error.what());
  }
  name_ = fmt::format("run journal in PostgreSQL database '{}'", connection_->session.dbname());
}

void PostgresDb::run_in_transaction(Access access, const Body& body) {
  if (!connection_) {
    connect();
  }
  pqxx::work work(connection_->session);
  work.exec(fmt::format(
      "{} SET LOCAL search_path TO {}; SET LOCAL lock_timeout TO '10s'; "
      "SET LOCAL statement_timeout TO '15s'",
      access == Access::read ? "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;" : "",
      work.quote_name(schema_)));
  PostgresTransaction transaction(work);
  body(transaction);
  if (before_commit_) {
    before_commit_(connection_->session.backendpid());
  }
  work.commit();
}

/// Gives the error when another try on a new connection may succeed, and throws it otherwise.
std::optional<Error> PostgresDb::try_transact(Access access, const Body& body) {
  try {
    run_in_transaction(access, body);
    return std::nullopt;
  } catch (const pqxx::sql_error& error) {
    connection_.reset();
    const std::string sqlstate = sqlstate_of(error);
    const Error failed = storage_error(name_, sqlstate, error.what());
    if (!is_transient(sqlstate)) {
      throw failed;
    }
    return failed;
  } catch (const pqxx::transaction_rollback& error) {  // a deadlock; libpqxx 6 gives no SQLSTATE
    connection_.reset();
    return storage_error(name_, "", error.what());
  } catch (const pqxx::failure& error) {  // broken, perhaps while it committed
    connection_.reset();
    return unreachable(name_, error.what());
  }
}

void PostgresDb::transact(Access access, const Body& body) {
  std::optional<Error> error;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    error = try_transact(access, body);
    if (!error) {
      return;
    }
  }
  throw Error(*error);
}

void PostgresDb::prepare_for_schema(StoreTransaction& transaction) {
  transaction.query(kLockSchema);
  if (transaction
          .query("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1",
                 {std::string_view(schema_)})
          .empty()) {
    transaction.run_script(
        fmt::format("CREATE SCHEMA {}", connection_->session.quote_name(schema_)));
  }
}

const StoreDialect& PostgresDb::dialect() const noexcept {
  return kPostgresDialect;
}

std::string with_connection_defaults(const std::string& where) {
  const bool url = where.starts_with("postgres://") || where.starts_with("postgresql://");
  bool has_parameters = where.find('?') != std::string::npos;
  std::string result = where;
  for (const auto& [keyword, value] : kConnectionDefaults) {
    if (where.find(keyword) != std::string::npos) {
      continue;
    }
    if (!url) {
      result += fmt::format(" {}={}", keyword, value);
      continue;
    }
    result += fmt::format("{}{}={}", has_parameters ? '&' : '?', keyword, value);
    has_parameters = true;
  }
  return result;
}

}  // namespace drover::orchestrator::store

#include "tests/migrations/plain_tenant.h"

#include <stdexcept>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <libpq-fe.h>
#include <sqlite3.h>

#include "tests/support/schema_snapshot.h"

namespace drover::test {
namespace {

using engine::Dialect;
using engine::Migration;
using engine::Section;
using engine::Unit;
using Lines = std::vector<std::string>;

class PostgresTenant final : public PlainTenant {
 public:
  PostgresTenant(std::string conninfo, std::string schema)
      : conninfo_(std::move(conninfo)),
        schema_(std::move(schema)),
        connection_(PQconnectdb(conninfo_.c_str()), &PQfinish) {
    if (PQstatus(connection_.get()) != CONNECTION_OK) {
      throw std::runtime_error(PQerrorMessage(connection_.get()));
    }
    const std::string name = engine::quoted_identifier(schema_);
    execute("SET client_min_messages = warning");
    execute("CREATE SCHEMA IF NOT EXISTS " + name);
    execute("SET search_path = " + name);
  }

  Dialect dialect() const noexcept override { return Dialect::postgres; }
  void execute(const std::string& sql) override { query(sql); }
  Lines schema() const override { return schema_of_postgres(conninfo_, schema_); }
  Lines rows() const override { return rows_of_postgres(conninfo_, schema_); }

  Lines query(const std::string& sql) override {
    const std::unique_ptr<PGresult, decltype(&PQclear)> result(
        PQexec(connection_.get(), sql.c_str()), &PQclear);
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
      throw std::runtime_error(fmt::format("{} in: {}", PQerrorMessage(connection_.get()), sql));
    }
    Lines lines;
    for (int row = 0; row < PQntuples(result.get()); ++row) {
      const bool is_null = PQgetisnull(result.get(), row, 0) != 0;
      lines.emplace_back(is_null ? "NULL" : PQgetvalue(result.get(), row, 0));
    }
    return lines;
  }

 private:
  void begin() override { execute("BEGIN"); }
  void commit() override { execute("COMMIT"); }
  void rollback() noexcept override { PQclear(PQexec(connection_.get(), "ROLLBACK")); }

  std::string conninfo_;
  std::string schema_;
  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
};

class SqliteTenant final : public PlainTenant {
 public:
  explicit SqliteTenant(std::filesystem::path file)
      : file_(std::move(file)), database_(open(file_), &sqlite3_close) {
    execute("PRAGMA foreign_keys = ON");
  }

  Dialect dialect() const noexcept override { return Dialect::sqlite; }
  void execute(const std::string& sql) override { query(sql); }
  Lines schema() const override { return schema_of_sqlite(file_); }
  Lines rows() const override { return rows_of_sqlite(file_); }

  Lines query(const std::string& sql) override {
    sqlite3_stmt* raw = nullptr;
    int code = sqlite3_prepare_v2(database_.get(), sql.c_str(), -1, &raw, nullptr);
    const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement(raw,
                                                                               &sqlite3_finalize);
    Lines lines;
    while (code == SQLITE_OK || code == SQLITE_ROW) {
      code = sqlite3_step(raw);
      if (code == SQLITE_ROW) {
        const void* const bytes = sqlite3_column_blob(raw, 0);
        const auto size = static_cast<std::size_t>(sqlite3_column_bytes(raw, 0));
        const bool is_null = sqlite3_column_type(raw, 0) == SQLITE_NULL;
        lines.push_back(is_null ? "NULL" : std::string(static_cast<const char*>(bytes), size));
      }
    }
    if (code != SQLITE_DONE) {
      throw std::runtime_error(fmt::format("{} in: {}", sqlite3_errmsg(database_.get()), sql));
    }
    return lines;
  }

 private:
  static sqlite3* open(const std::filesystem::path& file) {
    sqlite3* database = nullptr;
    if (sqlite3_open(file.c_str(), &database) != SQLITE_OK) {
      sqlite3_close(database);
      throw std::runtime_error(fmt::format("{} cannot be opened", file.string()));
    }
    return database;
  }

  /// With foreign keys on, DROP TABLE would delete what points at the table.
  void begin() override {
    execute("PRAGMA foreign_keys = OFF");
    execute("BEGIN IMMEDIATE");
  }

  void commit() override {
    const Lines dangling = query("SELECT \"table\" FROM pragma_foreign_key_check");
    if (!dangling.empty()) {
      throw std::runtime_error(fmt::format("rows of {} point nowhere", dangling.front()));
    }
    execute("COMMIT");
    execute("PRAGMA foreign_keys = ON");
  }

  void rollback() noexcept override {
    sqlite3_exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
    sqlite3_exec(database_.get(), "PRAGMA foreign_keys = ON", nullptr, nullptr, nullptr);
  }

  std::filesystem::path file_;
  std::unique_ptr<sqlite3, decltype(&sqlite3_close)> database_;
};

/// The statement of a batch over all rows that it is meant for.
std::string whole_batch(const Section& section) {
  const engine::BatchOptions& batch = section.batch;
  const std::string where = batch.where.empty() ? "true" : batch.where;
  const std::string done = batch.done.empty() ? "false" : batch.done;
  std::string sql(section.statements.front().text);
  return sql.replace(batch.range_at,
                     std::string_view("{range}").size(),
                     fmt::format("({}) AND ({}) IS NOT TRUE", where, done));
}

}  // namespace

void PlainTenant::up(const Migration& migration) {
  for (const Unit& unit : engine::up_units(migration, dialect())) {
    run(unit);
  }
}

void PlainTenant::down(const Migration& migration) {
  for (const Unit& unit : engine::down_units(migration, dialect())) {
    run(unit);
  }
}

void PlainTenant::run(const Unit& unit) {
  if (unit.kind == Unit::Kind::batch) {
    execute(whole_batch(*unit.sections.front()));
    return;
  }
  if (unit.kind == Unit::Kind::statements) {
    run(*unit.sections.front());
    return;
  }
  begin();
  try {
    for (const Section* const section : unit.sections) {
      run(*section);
    }
    commit();
  } catch (...) {
    rollback();
    throw;
  }
}

void PlainTenant::run(const Section& section) {
  for (const engine::SqlStatement& statement : section.statements) {
    const std::string sql(statement.text);
    const Lines answer = query(sql);
    const bool is_true = answer == Lines{"t"} || answer == Lines{"1"};
    if (section.kind == Section::Kind::verify && !is_true) {
      throw std::runtime_error("verify is not true: " + sql);
    }
  }
}

std::unique_ptr<PlainTenant> plain_postgres_tenant(const std::string& conninfo,
                                                   const std::string& schema) {
  return std::make_unique<PostgresTenant>(conninfo, schema);
}

std::unique_ptr<PlainTenant> plain_sqlite_tenant(const std::filesystem::path& file) {
  return std::make_unique<SqliteTenant>(file);
}

}  // namespace drover::test

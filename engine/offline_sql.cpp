#include "engine/offline_sql.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include <fmt/format.h>

#include "engine/history.h"
#include "engine/session_hygiene.h"
#include "engine/transaction_script.h"

namespace drover::engine {
namespace {

/// Takes the tenant's lock, whose key (tenant_lock.h) depends on the database's name; raises when
/// somebody has it. {} is the schema as a literal.
constexpr std::string_view kTakeLock =
    R"(SELECT 1 / (pg_catalog.pg_try_advisory_lock(('x' || pg_catalog.encode(pg_catalog.substr(
  pg_catalog.sha256('\x64726f76657200'::bytea || pg_catalog.convert_to(pg_catalog.current_database(),
  'UTF8') || '\x00'::bytea || pg_catalog.convert_to({}, 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint))::int
  AS "lock of the tenant";)";

/// `statement` with its parameters as literals.
std::string rendered(const OwnedStatement& statement, Dialect dialect) {
  std::string text;
  const std::string& sql = statement.sql;
  for (std::size_t i = 0; i < sql.size(); ++i) {
    const bool parameter = (sql[i] == '$' || sql[i] == '?') && i + 1 < sql.size() &&
                           std::isdigit(static_cast<unsigned char>(sql[i + 1])) != 0;
    if (!parameter) {
      text += sql[i];
      continue;
    }
    std::size_t number = 0;
    for (; i + 1 < sql.size() && std::isdigit(static_cast<unsigned char>(sql[i + 1])) != 0; ++i) {
      number = number * 10 + static_cast<std::size_t>(sql[i + 1] - '0');
    }
    const SqlValue& value = statement.params.at(number - 1);
    text += value ? quoted_literal(dialect, *value) : "NULL";
  }
  return text;
}

std::string list_of(const std::vector<std::string>& items) {
  return fmt::format("({})", fmt::join(items, ", "));
}

class OfflineWriter {
 public:
  OfflineWriter(const MigrationSet& migrations,
                Dialect dialect,
                Direction direction,
                const std::string& schema)
      : migrations_(migrations),
        dialect_(dialect),
        direction_(direction),
        schema_(schema),
        tables_(dialect, dialect == Dialect::postgres ? schema : std::string()) {}

  std::string write(std::span<const RevisionId> steps);

 private:
  void preamble(std::span<const RevisionId> steps);
  void revision(const Migration& migration);
  void transaction(const Unit& unit, std::size_t number);
  void statements(const Unit& unit, std::size_t number);
  void statement(const Section& section, const SqlStatement& statement);
  void verify(const SqlStatement& statement);
  void begin(const std::string& in_progress);
  void commit();
  void record();
  void check_constraints();
  void tidy();

  std::string ground() const;
  std::string applied_with_chains(const std::vector<RevisionId>& ids) const;
  bool checks_foreign_keys() const;
  bool postgres() const noexcept { return dialect_ == Dialect::postgres; }
  std::string literal(std::string_view text) const { return quoted_literal(dialect_, text); }
  void line(std::string_view text) { script_.append(text).append("\n"); }
  void line(const OwnedStatement& ours) { line(rendered(ours, dialect_) + ";"); }
  StepRecord step(std::size_t unit, std::size_t statement, std::string checksum) const;

  const MigrationSet& migrations_;
  Dialect dialect_;
  Direction direction_;
  const std::string& schema_;
  HistoryTables tables_;
  std::string script_;

  const Migration* migration_ = nullptr;  ///< The revision that is being written,
  std::vector<Unit> units_;               ///< its units,
  bool begun_ = false;                    ///< and whether its first transaction is written.
};

std::string OfflineWriter::write(std::span<const RevisionId> steps) {
  preamble(steps);
  for (const RevisionId& id : steps) {
    const Migration* migration = migrations_.find(id);
    if (migration == nullptr) {
      throw Error(ErrorCode::usage,
                  "unknown_revision",
                  fmt::format("there is no revision {}", in_quotes(id)),
                  "Ask for revisions that the directory holds.");
    }
    revision(*migration);
  }
  return std::move(script_);
}

void OfflineWriter::preamble(std::span<const RevisionId> steps) {
  line(fmt::format("-- Drover: {} of {} revisions for {}{}.",
                   direction_ == Direction::up ? "upgrade" : "downgrade",
                   steps.size(),
                   postgres() ? "PostgreSQL, schema " : "SQLite",
                   postgres() ? in_quotes(schema_) : ""));
  line(fmt::format("-- Run it with: {}",
                   postgres() ? "psql -X -f FILE DATABASE" : "sqlite3 DATABASE < FILE"));
  line(
      "-- It stops at the first error, and where the tenant is not in the state it was written "
      "for:");
  line(fmt::format("-- a fence then says {}.",
                   postgres() ? "'division by zero'" : "'CHECK constraint failed'"));
  if (postgres()) {
    line("\\set ON_ERROR_STOP on");
    line("SET client_min_messages = warning;");
    line(fmt::format("SET search_path = {};", quoted_identifier(schema_)));
    line(fmt::format(fmt::runtime(kTakeLock), literal(schema_)));
  } else {
    line(".bail on");
    line("CREATE TEMP TABLE drover_fence (holds INTEGER NOT NULL CHECK (holds = 1));");
    line("CREATE TEMP TABLE drover_violations (child, row_number, parent);");
  }
  if (direction_ == Direction::up) {
    line(postgres() ? "BEGIN;" : "BEGIN IMMEDIATE;");
    for (const OwnedStatement& create : tables_.create_missing()) {
      line(create);
    }
    line("COMMIT;");
  }
}

void OfflineWriter::revision(const Migration& migration) {
  migration_ = &migration;
  begun_ = false;
  units_ =
      direction_ == Direction::up ? up_units(migration, dialect_) : down_units(migration, dialect_);
  line(fmt::format("\n-- Revision {}: {}", migration.id.value, migration.message));
  if (direction_ == Direction::down && migration.irreversible) {
    throw Error(
        ErrorCode::usage,
        "irreversible",
        fmt::format(
            "revision {} cannot be undone: {}", in_quotes(migration.id), *migration.irreversible),
        "Write the script only down to a revision after it.",
        {migration.source.generic_string()});
  }
  for (std::size_t i = 0; i < units_.size(); ++i) {
    if (units_[i].kind == Unit::Kind::batch) {
      throw Error(ErrorCode::usage,
                  "batch_not_supported",
                  fmt::format("revision {} holds a batch section, which no script can run",
                              in_quotes(migration.id)),
                  "Run it with drover upgrade.",
                  migration.place_of(units_[i].sections.front()->text.data()));
    }
    if (units_[i].kind == Unit::Kind::statements) {
      statements(units_[i], i + 1);
    } else {
      transaction(units_[i], i + 1);
    }
  }
  if (units_.back().kind == Unit::Kind::statements) {
    begin("");
    record();
    commit();
  }
  tidy();
}

void OfflineWriter::transaction(const Unit& unit, std::size_t number) {
  const bool last = number == units_.size();
  if (!postgres()) {
    line(checks_foreign_keys() ? "PRAGMA foreign_keys = OFF;" : "PRAGMA foreign_keys = ON;");
  }
  begin(last ? "" : migration_->id.value);
  if (!postgres() && checks_foreign_keys()) {
    line("DELETE FROM temp.drover_violations;");
    line(
        "INSERT INTO temp.drover_violations SELECT \"table\", \"rowid\", parent FROM "
        "pragma_foreign_key_check;");
  }
  if (postgres()) {
    for (const OwnedStatement& setting : header_settings(*migration_, SetFor::transaction)) {
      line(setting);
    }
  }
  for (const Section* section : unit.sections) {
    for (const SqlStatement& one : section->statements) {
      statement(*section, one);
    }
  }
  check_constraints();
  if (last) {
    record();
  } else {
    line(tables_.step_done(step(number, 0, checksum_of(unit))));
  }
  commit();
}

/// What is deferred, or was not looked at because foreign keys were off, is checked now.
void OfflineWriter::check_constraints() {
  if (postgres()) {
    line("RESET ROLE;");
    line("SET CONSTRAINTS ALL IMMEDIATE;");
  } else if (checks_foreign_keys()) {
    line(
        "INSERT INTO temp.drover_fence SELECT NOT EXISTS (SELECT \"table\", \"rowid\", parent FROM "
        "pragma_foreign_key_check EXCEPT SELECT * FROM temp.drover_violations);");
  }
}

/// Each is journalled as started, runs by itself, and is journalled as done.
void OfflineWriter::statements(const Unit& unit, std::size_t number) {
  const std::vector<SqlStatement>& all = unit.sections.front()->statements;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const StepRecord record = step(number, i + 1, checksum_of(all[i]));
    begin(migration_->id.value);
    line(tables_.step_started(record));
    commit();
    if (postgres()) {
      for (const OwnedStatement& setting : header_settings(*migration_, SetFor::session)) {
        line(setting);
      }
    }
    statement(*unit.sections.front(), all[i]);
    begin(migration_->id.value);
    line(tables_.step_done(record));
    commit();
  }
}

void OfflineWriter::statement(const Section& section, const SqlStatement& statement) {
  if (section.kind == Section::Kind::verify) {
    verify(statement);
  } else {
    line(std::string(statement.text) + ";");
  }
}

/// One row, one column, true; anything else raises.
void OfflineWriter::verify(const SqlStatement& statement) {
  if (postgres()) {
    line("SAVEPOINT drover_verify;\nSET LOCAL transaction_read_only = on;");
    line(
        fmt::format("WITH v (ok) AS (\n{}\n)\nSELECT 1 / (count(*) = 1 AND coalesce(bool_and(ok), "
                    "false))::int AS verify FROM v;",
                    statement.text));
    line("ROLLBACK TO SAVEPOINT drover_verify;\nRELEASE SAVEPOINT drover_verify;");
    return;
  }
  line(
      fmt::format("WITH v (ok) AS (\n{}\n)\nINSERT INTO temp.drover_fence SELECT count(*) = 1 AND "
                  "coalesce(min(ok <> 0), 0) FROM v;",
                  statement.text));
}

/// The fence: the first one of a revision looks whether the tenant is where it should be, the later
/// ones whether it is still inside of the revision.
void OfflineWriter::begin(const std::string& in_progress) {
  line(postgres() ? "BEGIN;" : "BEGIN IMMEDIATE;");
  if (postgres() && begun_) {
    line("RESET ROLE;");
  }
  const std::string where = begun_ ? "in_progress = " + literal(migration_->id.value) : ground();
  begun_ = true;
  const std::string tenant = tables_.table("drover_tenant");
  const std::string change = fmt::format(
      "UPDATE {} SET epoch = epoch + 1, in_progress = {}", tenant, literal(in_progress));
  if (postgres()) {
    line(fmt::format("WITH f AS ({}\n WHERE {} RETURNING 1)\nSELECT 1 / count(*) AS fence FROM f;",
                     change,
                     where));
    return;
  }
  line(fmt::format(
      "INSERT INTO temp.drover_fence SELECT count(*) FROM {}\n WHERE {};", tenant, where));
  line(change + ";");
}

void OfflineWriter::commit() {
  line("COMMIT;");
}

/// Nothing is half done; going up, what the revision needs is there and it is not; going down, it
/// is there and nothing that needs it.
std::string OfflineWriter::ground() const {
  const std::string revisions = tables_.table("drover_revisions");
  std::vector<RevisionId> present{migration_->id};
  std::vector<std::string> absent{literal(migration_->id.value)};
  if (direction_ == Direction::up) {
    present = migration_->parents;
    present.insert(present.end(), migration_->depends.begin(), migration_->depends.end());
  } else {
    absent.clear();
    for (const Migration& other : migrations_.in_order()) {
      const auto needs = [&](const std::vector<RevisionId>& ids) {
        return std::find(ids.begin(), ids.end(), migration_->id) != ids.end();
      };
      if (needs(other.parents) || needs(other.depends)) {
        absent.push_back(literal(other.id.value));
      }
    }
  }
  std::string where = "in_progress = ''";
  if (!present.empty()) {
    where += fmt::format(
        "\n   AND (SELECT count(*) FROM {} WHERE (revision, chain_sha256) IN ({})) = {}",
        revisions,
        applied_with_chains(present),
        present.size());
  }
  if (!absent.empty()) {
    where += fmt::format(
        "\n   AND NOT EXISTS (SELECT 1 FROM {} WHERE revision IN {})", revisions, list_of(absent));
  }
  return where;
}

std::string OfflineWriter::applied_with_chains(const std::vector<RevisionId>& ids) const {
  std::vector<std::string> rows;
  for (const RevisionId& id : ids) {
    const Checksums& sums = migrations_.find(id)->checksums.at(dialect_);
    rows.push_back(fmt::format("({}, {})", literal(id.value), literal(sums.chain)));
  }
  return fmt::format("{}{}", postgres() ? "" : "VALUES ", fmt::join(rows, ", "));
}

void OfflineWriter::record() {
  if (units_.size() > 1 || units_.front().kind != Unit::Kind::transaction) {
    line(tables_.clear_steps());
  }
  const Provenance by{kOfflineName, ""};
  const auto rows =
      direction_ == Direction::up
          ? tables_.record_up(*migration_, by, std::nullopt, std::chrono::milliseconds(0))
          : tables_.record_down(migration_->id, by, std::nullopt);
  for (const OwnedStatement& row : rows) {
    line(row);
  }
}

/// What the revision may have left in the session goes away.
void OfflineWriter::tidy() {
  for (const OwnedStatement& reset : reset_statements(dialect_)) {
    line(reset);
  }
  if (postgres()) {
    line("SET client_min_messages = warning;");
    line(fmt::format("SET search_path = {};", quoted_identifier(schema_)));
  }
}

bool OfflineWriter::checks_foreign_keys() const {
  const std::string* setting = setting_of(*migration_, "foreign_keys");
  return setting == nullptr || *setting != "on";
}

StepRecord OfflineWriter::step(std::size_t unit,
                               std::size_t statement,
                               std::string checksum) const {
  return {migration_->id,
          direction_,
          static_cast<int>(unit),
          static_cast<int>(statement),
          std::move(checksum),
          false,
          0};
}

}  // namespace

std::string offline_script(const MigrationSet& migrations,
                           Dialect dialect,
                           std::span<const RevisionId> steps,
                           Direction direction,
                           const std::string& schema) {
  return OfflineWriter(migrations, dialect, direction, schema).write(steps);
}

}  // namespace drover::engine

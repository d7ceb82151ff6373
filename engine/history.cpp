#include "engine/history.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/sql_value.h"

namespace drover::engine {
namespace {

std::string boolean(bool value) {
  return value ? "1" : "0";
}

}  // namespace

std::string_view name_of(Direction direction) noexcept {
  return direction == Direction::up ? "up" : "down";
}

RevisionSet History::applied_ids() const {
  RevisionSet ids;
  for (const AppliedRevision& revision : applied) {
    ids.insert(revision.id);
  }
  return ids;
}

const AppliedRevision* History::find(const RevisionId& id) const noexcept {
  const auto found = std::find_if(
      applied.begin(), applied.end(), [&](const AppliedRevision& row) { return row.id == id; });
  return found == applied.end() ? nullptr : &*found;
}

HistoryTables::HistoryTables(Dialect dialect, std::string schema)
    : dialect_(dialect),
      prefix_(schema.empty() ? std::string() : quoted_identifier(schema) + "."),
      now_(dialect == Dialect::postgres ? "pg_catalog.clock_timestamp()"
                                        : "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')") {}

std::string HistoryTables::table(std::string_view name) const {
  return fmt::format("{}{}", prefix_, name);
}

std::string HistoryTables::rows_select(std::string_view first_column) const {
  const std::string_view at =
      dialect_ == Dialect::postgres
          ? R"(pg_catalog.to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))"
          : "applied_at";
  const std::string_view text = dialect_ == Dialect::postgres ? "text" : "TEXT";
  const std::string tenant = fmt::format(R"(SELECT {2}0 AS what, epoch, CAST(format AS {1}) AS a,
       uid AS b, environment AS c, CAST(production AS {1}) AS d, in_progress AS e, '' AS f, '' AS g,
       0 AS ms
  FROM {0})",
                                         table("drover_tenant"),
                                         text,
                                         first_column);
  const std::string revisions = fmt::format(R"(SELECT {2}1 AS what, epoch, {1} AS a, revision AS b,
       up_sha256 AS c, down_sha256 AS d, chain_sha256 AS e, applied_by AS f, run AS g,
       duration_ms AS ms
  FROM {0})",
                                            table("drover_revisions"),
                                            at,
                                            first_column);
  // PostgreSQL looks for tables from the left, SQLite from the right; says_no_history() wants to
  // hear of the tenant's first.
  const bool left = dialect_ == Dialect::postgres;
  return fmt::format("{}\nUNION ALL\n{}", left ? tenant : revisions, left ? revisions : tenant);
}

OwnedStatement HistoryTables::read() const {
  // Revisions of one transaction share their epoch, so time and name decide between them.
  return {rows_select("") + "\n ORDER BY 1, 2, 3, 4"};
}

std::string HistoryTables::read_numbered(std::size_t number) const {
  return rows_select(fmt::format("{} AS number, ", number));
}

OwnedStatement HistoryTables::read_steps() const {
  return {fmt::format(R"(SELECT revision, direction, unit, statement, sha256, state, pid
  FROM {} ORDER BY revision, unit, statement)",
                      table("drover_steps"))};
}

OwnedStatement HistoryTables::read_events(std::size_t limit) const {
  const std::string_view at =
      dialect_ == Dialect::postgres
          ? R"(pg_catalog.to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))"
          : "at";
  return {
      fmt::format("SELECT {}, kind, revision, who, run, detail FROM {} "
                  "ORDER BY epoch DESC, at DESC LIMIT {}",
                  at,
                  table("drover_events"),
                  limit)};
}

OwnedStatement HistoryTables::read_undone(const std::string& run) const {
  return {fmt::format("SELECT revision FROM {} WHERE run = $1 AND kind = 'down'",
                      table("drover_events")),
          {run}};
}

OwnedStatement HistoryTables::read_format() const {
  return {fmt::format("SELECT format FROM {}", table("drover_tenant"))};
}

bool HistoryTables::says_no_history(const SqlError& error) const {
  if (dialect_ == Dialect::sqlite) {
    return error.sqlstate == "SQLITE_ERROR" && error.message == "no such table: drover_tenant";
  }
  // The tenant's row is read first, and the server points at the first table that is not there.
  const std::string sql = read().sql;
  const std::size_t before = sql.find(table("drover_tenant"));
  const auto characters = std::count_if(
      sql.begin(), sql.begin() + static_cast<std::ptrdiff_t>(before), [](const char c) {
        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
      });
  return error.sqlstate == "42P01" && error.position == static_cast<std::size_t>(characters) + 1;
}

OwnedStatement HistoryTables::fence(std::int64_t expected,
                                    const std::optional<std::string>& in_progress) const {
  // $1 expected epoch, $2 revision in progress
  const std::string update =
      fmt::format("UPDATE {} SET epoch = epoch + 1{} WHERE epoch = CAST($1 AS bigint)",
                  table("drover_tenant"),
                  in_progress ? ", in_progress = $2" : "");
  std::vector<SqlValue> params{std::to_string(expected)};
  if (in_progress) {
    params.emplace_back(*in_progress);
  }
  if (dialect_ == Dialect::sqlite) {
    return {update, std::move(params)};
  }
  return {fmt::format("WITH f AS ({} RETURNING 1) SELECT 1 / pg_catalog.count(*) FROM f", update),
          std::move(params)};
}

std::vector<OwnedStatement> HistoryTables::record_up(const Migration& migration,
                                                     const Provenance& by,
                                                     std::chrono::milliseconds elapsed,
                                                     const std::string& event) const {
  const Checksums& sums = migration.checksums.at(dialect_);
  // $1 revision, $2 up, $3 down, $4 chain, $5 who, $6 run, $7 event
  std::vector<SqlValue> params{migration.id.value, sums.up, sums.down, sums.chain, by.who, by.run};
  if (dialect_ == Dialect::sqlite) {
    return {{fmt::format("INSERT INTO drover_revisions "
                         "SELECT $1, epoch, $2, $3, $4, {}, $5, $6, {} FROM drover_tenant",
                         now_,
                         elapsed.count()),
             std::move(params)},
            add_event(event, migration.id.value, by, "")};
  }
  params.emplace_back(event);
  return {{fmt::format(R"(WITH r AS (
  INSERT INTO {0} SELECT $1, epoch, $2, $3, $4, {1}, $5, $6,
    pg_catalog.round(1000 * extract(epoch FROM {1} - pg_catalog.now()))::bigint FROM {2}
  RETURNING revision, epoch, applied_at, applied_by, run), e AS (
  INSERT INTO {3} SELECT epoch, applied_at, $7, revision, applied_by, run, '' FROM r)
SELECT 1 / pg_catalog.count(*) FROM r)",
                       table("drover_revisions"),
                       now_,
                       table("drover_tenant"),
                       table("drover_events")),
           std::move(params)}};
}

std::vector<OwnedStatement> HistoryTables::record_down(const RevisionId& id,
                                                       const Provenance& by,
                                                       const std::string& event) const {
  if (dialect_ == Dialect::sqlite) {
    return {{"DELETE FROM drover_revisions WHERE revision = $1", {id.value}},
            add_event(event, id.value, by, "")};
  }
  // $1 revision, $2 who, $3 run, $4 event
  return {{fmt::format(R"(WITH r AS (DELETE FROM {} WHERE revision = $1 RETURNING revision), e AS (
  INSERT INTO {} SELECT epoch, {}, $4, revision, $2, $3, '' FROM r, {})
SELECT 1 / pg_catalog.count(*) FROM r)",
                       table("drover_revisions"),
                       table("drover_events"),
                       now_,
                       table("drover_tenant")),
           {id.value, by.who, by.run, event}}};
}

OwnedStatement HistoryTables::step_started(const StepRecord& step) const {
  // $1 revision, $2 direction, $3 unit, $4 statement, $5 checksum, $6 state, $7 pid
  return {fmt::format("INSERT INTO {0} VALUES ($1, $2, CAST($3 AS integer), CAST($4 AS integer), "
                      "$5, $6, {1}, CAST($7 AS bigint)) "
                      "ON CONFLICT (revision, direction, unit, statement) DO UPDATE "
                      "SET sha256 = excluded.sha256, state = excluded.state, at = excluded.at, "
                      "pid = excluded.pid",
                      table("drover_steps"),
                      now_),
          {step.revision.value,
           std::string(name_of(step.direction)),
           std::to_string(step.unit),
           std::to_string(step.statement),
           step.checksum,
           step.done ? "done" : "started",
           std::to_string(step.pid)}};
}

OwnedStatement HistoryTables::step_done(const StepRecord& step) const {
  StepRecord done = step;
  done.done = true;
  return step_started(done);
}

OwnedStatement HistoryTables::forget_step(const StepRecord& step) const {
  // $1 revision, $2 direction, $3 unit, $4 statement
  return {fmt::format("DELETE FROM {} WHERE revision = $1 AND direction = $2 "
                      "AND unit = CAST($3 AS integer) AND statement = CAST($4 AS integer)",
                      table("drover_steps")),
          {step.revision.value,
           std::string(name_of(step.direction)),
           std::to_string(step.unit),
           std::to_string(step.statement)}};
}

OwnedStatement HistoryTables::clear_steps() const {
  return {fmt::format("DELETE FROM {}", table("drover_steps"))};
}

OwnedStatement HistoryTables::forget_progress_without_steps() const {
  return {fmt::format("UPDATE {} SET in_progress = '' WHERE NOT EXISTS (SELECT 1 FROM {})",
                      table("drover_tenant"),
                      table("drover_steps"))};
}

OwnedStatement HistoryTables::add_event(const std::string& kind,
                                        const std::string& revision,
                                        const Provenance& by,
                                        const std::string& detail) const {
  // $1 kind, $2 revision, $3 who, $4 run, $5 detail
  return {fmt::format("INSERT INTO {} SELECT epoch, {}, $1, $2, $3, $4, $5 FROM {}",
                      table("drover_events"),
                      now_,
                      table("drover_tenant")),
          {kind, revision, by.who, by.run, detail}};
}

OwnedStatement HistoryTables::update_checksums(const Migration& migration) const {
  const Checksums& sums = migration.checksums.at(dialect_);
  // $1 revision, $2 up, $3 down, $4 chain
  return {fmt::format("UPDATE {} SET up_sha256 = $2, down_sha256 = $3, chain_sha256 = $4 "
                      "WHERE revision = $1",
                      table("drover_revisions")),
          {migration.id.value, sums.up, sums.down, sums.chain}};
}

OwnedStatement HistoryTables::mark(const std::string& environment, bool production) const {
  // $1 environment, $2 production
  return {fmt::format("UPDATE {} SET environment = $1, production = CAST($2 AS {})",
                      table("drover_tenant"),
                      dialect_ == Dialect::postgres ? "boolean" : "integer"),
          {environment, boolean(production)}};
}

History decode_history(const ResultSet& rows) {
  History history;
  for (const std::vector<SqlValue>& row : rows.rows) {
    if (integer_of(row[0]) == 0) {
      history.exists = true;
      history.tenant = {static_cast<int>(integer_of(row[2])),
                        text_of(row[3]),
                        text_of(row[4]),
                        truth_of(row[5]),
                        integer_of(row[1]),
                        text_of(row[6])};
      continue;
    }
    history.applied.push_back({RevisionId{text_of(row[3])},
                               {text_of(row[4]), text_of(row[5]), text_of(row[6])},
                               text_of(row[2]),
                               text_of(row[7]),
                               text_of(row[8]),
                               std::chrono::milliseconds(integer_of(row[9]))});
  }
  return history;
}

std::vector<StepRecord> decode_steps(const ResultSet& rows) {
  std::vector<StepRecord> steps;
  for (const std::vector<SqlValue>& row : rows.rows) {
    steps.push_back({RevisionId{text_of(row[0])},
                     text_of(row[1]) == "down" ? Direction::down : Direction::up,
                     static_cast<int>(integer_of(row[2])),
                     static_cast<int>(integer_of(row[3])),
                     text_of(row[4]),
                     text_of(row[5]) == "done",
                     integer_of(row[6])});
  }
  return steps;
}

std::vector<HistoryEvent> decode_events(const ResultSet& rows) {
  std::vector<HistoryEvent> events;
  for (const std::vector<SqlValue>& row : rows.rows) {
    events.push_back({text_of(row[0]),
                      text_of(row[1]),
                      text_of(row[2]),
                      text_of(row[3]),
                      text_of(row[4]),
                      text_of(row[5])});
  }
  return events;
}

}  // namespace drover::engine

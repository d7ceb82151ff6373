#include "engine/batch_tables.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include <fmt/format.h>

#include "engine/sql_value.h"

namespace drover::engine {
namespace {

constexpr std::array<std::string_view, 4> kStates = {"announced", "running", "verifying", "done"};

/// The condition on one batch, whose id are the first two parameters of each statement.
constexpr std::string_view kThis = "revision = $1 AND unit = CAST($2 AS integer)";

SqlValue number(std::uint64_t value) {
  return std::to_string(value);
}

SqlValue key_or_null(const std::optional<BatchKey>& key) {
  return key ? SqlValue(text_of_key(*key)) : std::nullopt;
}

/// `update`, which fails where it changes nothing.
std::string raising(const std::string& update) {
  return fmt::format("WITH moved AS ({} RETURNING 1) SELECT 1 / pg_catalog.count(*) FROM moved",
                     update);
}

std::optional<BatchKey> key_of(const SqlValue& value) {
  return value ? std::optional(key_in(*value)) : std::nullopt;
}

std::uint64_t count_of(const SqlValue& value) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(integer_of(value), 0));
}

double real_of(const SqlValue& value) {
  return value ? std::strtod(value->c_str(), nullptr) : 0;
}

/// The columns of BatchControl, in the order in which they are read.
BatchControl control_of(const std::vector<SqlValue>& row, std::size_t at) {
  BatchControl control;
  control.paused = truth_of(row[at]);
  control.rows = row[at + 1] ? std::optional(count_of(row[at + 1])) : std::nullopt;
  control.workers =
      row[at + 2] ? std::optional(static_cast<unsigned>(count_of(row[at + 2]))) : std::nullopt;
  control.wal_per_second = row[at + 3] ? std::optional(count_of(row[at + 3])) : std::nullopt;
  control.nice = real_of(row[at + 4]);
  control.by = text_of(row[at + 5]);
  return control;
}

BatchId id_of(const std::vector<SqlValue>& row) {
  return {RevisionId{text_of(row[0])}, static_cast<int>(integer_of(row[1]))};
}

BatchRecord record_of(const std::vector<SqlValue>& row) {
  BatchRecord record;
  record.id = id_of(row);
  record.checksum = text_of(row[2]);
  const auto* const state = std::find(kStates.begin(), kStates.end(), text_of(row[3]));
  record.state = static_cast<BatchRecord::State>(state - kStates.begin());
  record.background = truth_of(row[4]);
  record.path.table = text_of(row[5]);
  record.path.table_oid = integer_of(row[6]);
  record.path.scan = row[7] == "heap" ? BatchPath::Scan::heap : BatchPath::Scan::key;
  record.path.descending = truth_of(row[8]);
  record.path.columns = key_in(text_of(row[9]));
  record.path.types = key_in(text_of(row[10]));
  record.estimated_rows = count_of(row[11]);
  record.started_at = text_of(row[12]);
  record.finished_at = text_of(row[13]);
  record.by = text_of(row[14]);
  record.run = text_of(row[15]);
  record.owner = text_of(row[16]);
  record.age_seconds = real_of(row[17]);
  record.redone = count_of(row[18]);
  record.control = control_of(row, 19);
  return record;
}

BatchRange range_of(const std::vector<SqlValue>& row) {
  BatchRange range;
  range.number = static_cast<int>(integer_of(row[2]));
  range.part = text_of(row[3]);
  range.first = key_of(row[4]);
  range.cursor = key_of(row[5]);
  range.end = key_in(text_of(row[6]));
  range.owner = text_of(row[7]);
  range.done = truth_of(row[8]);
  range.rows_seen = count_of(row[9]);
  range.rows_changed = count_of(row[10]);
  range.batches = count_of(row[11]);
  range.retries = count_of(row[12]);
  range.size = count_of(row[13]);
  range.wal_bytes = count_of(row[14]);
  range.busy = Milliseconds(integer_of(row[15]));
  range.waited = Milliseconds(integer_of(row[16]));
  range.waiting = text_of(row[17]);
  range.last_error = text_of(row[18]);
  return range;
}

/// PostgreSQL counts characters, and cuts nothing off by itself.
std::string shortened(const std::string& text, std::size_t most) {
  std::size_t end = std::min(text.size(), most);
  while (end < text.size() && end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
    --end;
  }
  return text.substr(0, end);
}

}  // namespace

std::string_view name_of(BatchRecord::State state) noexcept {
  return kStates.at(static_cast<std::size_t>(state));
}

BatchTables::BatchTables(Dialect dialect, const std::string& schema)
    : dialect_(dialect),
      prefix_(schema.empty() ? std::string() : quoted_identifier(schema) + "."),
      now_(dialect == Dialect::postgres ? "pg_catalog.clock_timestamp()"
                                        : "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')") {}

std::string BatchTables::table(std::string_view name) const {
  return fmt::format("{}{}", prefix_, name);
}

bool BatchTables::says_no_tables(const SqlError& error) const {
  return dialect_ == Dialect::postgres
             ? error.sqlstate == "42P01"
             : error.message.find("no such table: drover_batch") != std::string::npos;
}

OwnedStatement BatchTables::of_batch(std::string sql,
                                     const BatchId& id,
                                     std::vector<SqlValue> more) const {
  OwnedStatement statement{std::move(sql), {id.revision.value, std::to_string(id.unit)}};
  statement.params.insert(statement.params.end(), more.begin(), more.end());
  return statement;
}

std::vector<OwnedStatement> BatchTables::forget(const BatchId& id) const {
  std::vector<OwnedStatement> statements;
  for (const std::string_view name :
       {"drover_batches", "drover_batch_ranges", "drover_batch_parked"}) {
    statements.push_back(of_batch(fmt::format("DELETE FROM {} WHERE {}", table(name), kThis), id));
  }
  return statements;
}

OwnedStatement BatchTables::announce(const BatchRecord& record) const {
  // $3 checksum, $4 background, $5 who, $6 run
  return of_batch(
      fmt::format("INSERT INTO {0} VALUES ($1, CAST($2 AS integer), $3, 'announced', "
                  "CAST($4 AS {2}), '', 0, 'key', {3}, '', '', 0, {1}, NULL, {4}, {5}, '', {1}, 0, "
                  "{3}, NULL, NULL, NULL, 0, '')",
                  table("drover_batches"),
                  now_,
                  dialect_ == Dialect::postgres ? "boolean" : "integer",
                  dialect_ == Dialect::postgres ? "false" : "0",
                  dialect_ == Dialect::postgres ? "$5::varchar(96)" : "$5",
                  dialect_ == Dialect::postgres ? "$6::varchar(40)" : "$6"),
      record.id,
      {record.checksum, parameter_of(record.background), record.by, record.run});
}

std::vector<OwnedStatement> BatchTables::read() const {
  const bool postgres = dialect_ == Dialect::postgres;
  const auto utc = [&](std::string_view column) {
    return postgres ? fmt::format(R"(pg_catalog.to_char({} AT TIME ZONE 'UTC', )"
                                  R"('YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))",
                                  column)
                    : std::string(column);
  };
  const std::string age =
      postgres ? "pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - seen_at)"
               : "(julianday('now') - julianday(seen_at)) * 86400";
  return {
      {fmt::format(
          "SELECT revision, unit, sha256, state, background, table_name, table_oid, scan, "
          "descending, key_columns, key_types, estimated_rows, {}, {}, who, run, owner, {}, "
          "redone, paused, control_rows, control_workers, control_wal, control_nice, control_by "
          "FROM {} ORDER BY started_at, revision, unit",
          utc("started_at"),
          utc("finished_at"),
          age,
          table("drover_batches"))},
      {fmt::format("SELECT revision, unit, number, part, first_key, cursor_key, end_key, owner, "
                   "done, rows_seen, rows_changed, batches, retries, size, wal_bytes, busy_ms, "
                   "waited_ms, waiting, last_error FROM {} ORDER BY revision, unit, number",
                   table("drover_batch_ranges"))},
      {fmt::format("SELECT revision, unit, count(*) FROM {} GROUP BY revision, unit",
                   table("drover_batch_parked"))}};
}

OwnedStatement BatchTables::read_parked(const BatchId& id, std::size_t limit) const {
  const std::string_view at =
      dialect_ == Dialect::postgres
          ? R"(pg_catalog.to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))"
          : "at";
  return of_batch(fmt::format("SELECT number, key, sqlstate, message, {} FROM {} WHERE {} "
                              "ORDER BY at LIMIT {}",
                              at,
                              table("drover_batch_parked"),
                              kThis,
                              limit),
                  id);
}

std::vector<OwnedStatement> BatchTables::begin(const BatchRecord& record,
                                               const std::vector<BatchRange>& ranges) const {
  const BatchPath& path = record.path;
  const bool heap = path.scan == BatchPath::Scan::heap;
  // $3 table, $4 oid, $5 scan, $6 descending, $7 columns, $8 types, $9 estimate
  std::vector<OwnedStatement> statements{of_batch(
      fmt::format(
          "UPDATE {} SET state = 'running', table_name = $3, table_oid = CAST($4 AS bigint), "
          "scan = $5, descending = CAST($6 AS {}), key_columns = $7, key_types = $8, "
          "estimated_rows = CAST($9 AS bigint), seen_at = {} WHERE {} AND "
          "state = 'announced'",
          table("drover_batches"),
          dialect_ == Dialect::postgres ? "boolean" : "integer",
          now_,
          kThis),
      record.id,
      {path.table,
       std::to_string(path.table_oid),
       heap ? "heap" : "key",
       parameter_of(path.descending),
       text_of_key(path.columns),
       text_of_key(path.types),
       number(record.estimated_rows)})};
  for (const BatchRange& range : ranges) {
    statements.push_back(insert_range(record.id, range, " ON CONFLICT DO NOTHING"));
  }
  return statements;
}

OwnedStatement BatchTables::insert_range(const BatchId& id,
                                         const BatchRange& range,
                                         std::string_view on_conflict) const {
  const std::string_view no = dialect_ == Dialect::postgres ? "false" : "0";
  // $3 number, $4 part, $5 first, $6 cursor, $7 end, $8 owner, $9 size
  return of_batch(
      fmt::format(
          "INSERT INTO {} VALUES ($1, CAST($2 AS integer), CAST($3 AS integer), $4, $5, $6, "
          "$7, $8, {}, 0, 0, 0, 0, CAST($9 AS bigint), 0, 0, 0, '', ''){}",
          table("drover_batch_ranges"),
          no,
          on_conflict),
      id,
      {std::to_string(range.number),
       range.part,
       key_or_null(range.first),
       key_or_null(range.cursor),
       text_of_key(range.end),
       range.owner,
       number(range.size)});
}

std::vector<OwnedStatement> BatchTables::claim(const BatchId& id,
                                               const std::string& previous,
                                               const std::string& owner) const {
  return {
      of_batch(fmt::format("UPDATE {} SET owner = $4, seen_at = {} WHERE {} AND owner IN ($3, $4)",
                           table("drover_batches"),
                           now_,
                           kThis),
               id,
               {previous, owner}),
      of_batch(fmt::format("UPDATE {} SET owner = $3 WHERE {} AND EXISTS (SELECT 1 FROM {} b WHERE "
                           "b.revision = $1 AND b.unit = CAST($2 AS integer) AND b.owner = $3)",
                           table("drover_batch_ranges"),
                           kThis,
                           table("drover_batches")),
               id,
               {owner})};
}

std::vector<OwnedStatement> BatchTables::release(const BatchId& id,
                                                 const std::string& owner) const {
  std::vector<OwnedStatement> statements;
  for (const std::string_view name : {"drover_batch_ranges", "drover_batches"}) {
    statements.push_back(of_batch(
        fmt::format("UPDATE {} SET owner = '' WHERE {} AND owner = $3", table(name), kThis),
        id,
        {owner}));
  }
  return statements;
}

OwnedStatement BatchTables::sign_of_life(const BatchId& id, const std::string& owner) const {
  return of_batch(
      fmt::format("UPDATE {} SET seen_at = {} WHERE {} AND owner = $3 RETURNING paused, "
                  "control_rows, control_workers, control_wal, control_nice, control_by",
                  table("drover_batches"),
                  now_,
                  kThis),
      id,
      {owner});
}

OwnedStatement BatchTables::hold(const BatchId& id, const std::string& owner) const {
  std::string update = fmt::format(
      "UPDATE {} SET seen_at = {} WHERE {} AND owner = $3", table("drover_batches"), now_, kThis);
  return of_batch(dialect_ == Dialect::postgres ? raising(update) : std::move(update), id, {owner});
}

OwnedStatement BatchTables::check_all_done(const BatchId& id) const {
  return of_batch(fmt::format("SELECT 1 / CASE WHEN pg_catalog.count(*) = 0 THEN 1 ELSE 0 END "
                              "FROM {} WHERE {} AND NOT done",
                              table("drover_batch_ranges"),
                              kThis),
                  id);
}

OwnedStatement BatchTables::advance(const BatchId& id,
                                    const BatchRange& range,
                                    const BatchAdvance& by) const {
  const bool postgres = dialect_ == Dialect::postgres;
  // $3 number, $4 owner, $5 to, $6 done, $7 seen, $8 changed, $9 size, $10 wal, $11 busy,
  // $12 waited, $13 cursor and $14 end as they must be
  std::string update = fmt::format(
      "UPDATE {} SET cursor_key = $5, done = CAST($6 AS {}), "
      "rows_seen = rows_seen + CAST($7 AS bigint), rows_changed = rows_changed + CAST($8 AS "
      "bigint), "
      "batches = batches + 1, size = CAST($9 AS bigint), wal_bytes = wal_bytes + CAST($10 AS "
      "bigint), "
      "busy_ms = busy_ms + CAST($11 AS bigint), waited_ms = waited_ms + CAST($12 AS bigint), "
      "waiting = '', last_error = '' WHERE {} AND number = CAST($3 AS integer) AND owner = $4 AND "
      "NOT done AND cursor_key IS {} $13 AND end_key = $14",
      table("drover_batch_ranges"),
      postgres ? "boolean" : "integer",
      kThis,
      postgres ? "NOT DISTINCT FROM" : "");
  if (postgres) {
    update = fmt::format(
        "WITH moved AS ({} RETURNING 1) SELECT 1 / pg_catalog.count(*), "
        "pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()), "
        "pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0') FROM moved",
        update);
  }
  return of_batch(std::move(update),
                  id,
                  {std::to_string(range.number),
                   range.owner,
                   text_of_key(by.to),
                   parameter_of(by.done),
                   number(by.rows_seen),
                   number(by.rows_changed),
                   number(by.size),
                   number(by.wal_bytes),
                   std::to_string(by.busy.count()),
                   std::to_string(by.waited.count()),
                   key_or_null(range.cursor),
                   text_of_key(range.end)});
}

OwnedStatement BatchTables::add_counts(const BatchId& id,
                                       const BatchRange& range,
                                       const BatchAdvance& by) const {
  // $3 number, $4 owner, $5 changed, $6 wal, $7 busy, $8 waited
  return of_batch(
      fmt::format(
          "UPDATE {} SET rows_changed = rows_changed + CAST($5 AS bigint), "
          "wal_bytes = wal_bytes + CAST($6 AS bigint), busy_ms = busy_ms + CAST($7 AS bigint), "
          "waited_ms = waited_ms + CAST($8 AS bigint), waiting = '' "
          "WHERE {} AND number = CAST($3 AS integer) AND owner = $4",
          table("drover_batch_ranges"),
          kThis),
      id,
      {std::to_string(range.number),
       range.owner,
       number(by.rows_changed),
       number(by.wal_bytes),
       std::to_string(by.busy.count()),
       std::to_string(by.waited.count())});
}

OwnedStatement BatchTables::waits(const BatchId& id,
                                  const BatchRange& range,
                                  const std::string& why) const {
  constexpr std::size_t kMost = 200;
  return of_batch(fmt::format("UPDATE {} SET waiting = $5 WHERE {} AND "
                              "number = CAST($3 AS integer) AND owner = $4 AND waiting <> $5",
                              table("drover_batch_ranges"),
                              kThis),
                  id,
                  {std::to_string(range.number), range.owner, shortened(why, kMost)});
}

OwnedStatement BatchTables::failed(const BatchId& id,
                                   const BatchRange& range,
                                   const std::string& why) const {
  constexpr std::size_t kMost = 400;
  return of_batch(fmt::format("UPDATE {} SET retries = retries + 1, last_error = $5 WHERE {} AND "
                              "number = CAST($3 AS integer) AND owner = $4",
                              table("drover_batch_ranges"),
                              kThis),
                  id,
                  {std::to_string(range.number), range.owner, shortened(why, kMost)});
}

OwnedStatement BatchTables::park(const BatchId& id, const ParkedKey& parked) const {
  constexpr std::size_t kMost = 400;
  const bool postgres = dialect_ == Dialect::postgres;
  return of_batch(fmt::format("INSERT INTO {0} SELECT $1{2}, CAST($2 AS integer), "
                              "CAST($3 AS integer), $4{3}, $5{2}, $6{2}, {1} WHERE NOT EXISTS ("
                              "SELECT 1 FROM {0} WHERE {4} AND key = $4{3})",
                              table("drover_batch_parked"),
                              now_,
                              postgres ? "::varchar" : "",
                              postgres ? "::text" : "",
                              kThis),
                  id,
                  {std::to_string(parked.range),
                   text_of_key(parked.key),
                   parked.sqlstate,
                   shortened(parked.message, kMost)});
}

std::vector<OwnedStatement> BatchTables::split(const BatchId& id,
                                               const BatchRange& range,
                                               const BatchKey& middle,
                                               const BatchRange& upper) const {
  // $3 number, $4 owner, $5 new end, $6 old end, $7 cursor
  return {of_batch(raising(fmt::format("UPDATE {} SET end_key = $5 WHERE {} AND "
                                       "number = CAST($3 AS integer) AND owner = $4 AND NOT done "
                                       "AND end_key = $6 AND cursor_key IS NOT DISTINCT FROM $7",
                                       table("drover_batch_ranges"),
                                       kThis)),
                   id,
                   {std::to_string(range.number),
                    range.owner,
                    text_of_key(middle),
                    text_of_key(range.end),
                    key_or_null(range.cursor)}),
          insert_range(id, upper, "")};
}

OwnedStatement BatchTables::reopen(const BatchId& id, const BatchRange& range) const {
  return of_batch(fmt::format("UPDATE {} SET cursor_key = first_key, end_key = $5, done = {} "
                              "WHERE {} AND number = CAST($3 AS integer) AND owner = $4",
                              table("drover_batch_ranges"),
                              dialect_ == Dialect::postgres ? "false" : "0",
                              kThis),
                  id,
                  {std::to_string(range.number), range.owner, text_of_key(range.end)});
}

OwnedStatement BatchTables::unpark(const BatchId& id, const BatchKey& key) const {
  return of_batch(
      fmt::format("DELETE FROM {} WHERE {} AND key = $3", table("drover_batch_parked"), kThis),
      id,
      {text_of_key(key)});
}

OwnedStatement BatchTables::set_state(const BatchId& id, BatchRecord::State state) const {
  const bool ends = state == BatchRecord::State::done;
  return of_batch(fmt::format("UPDATE {} SET state = $3{} WHERE {}",
                              table("drover_batches"),
                              ends ? fmt::format(", owner = '', finished_at = {}", now_) : "",
                              kThis),
                  id,
                  {std::string(name_of(state))});
}

OwnedStatement BatchTables::count_redone(const BatchId& id) const {
  return of_batch(fmt::format("UPDATE {} SET redone = redone + 1, state = 'running' WHERE {}",
                              table("drover_batches"),
                              kThis),
                  id);
}

OwnedStatement BatchTables::set_control(const BatchId& id, const BatchControl& control) const {
  const auto given = [](const auto& value) {
    return value ? SqlValue(std::to_string(*value)) : std::nullopt;
  };
  // $3 paused, $4 rows, $5 workers, $6 WAL, $7 nice, $8 who
  return of_batch(
      fmt::format("UPDATE {} SET paused = CAST($3 AS {}), control_rows = CAST($4 AS bigint), "
                  "control_workers = CAST($5 AS integer), control_wal = CAST($6 AS bigint), "
                  "control_nice = CAST($7 AS double precision), control_by = $8 WHERE {}",
                  table("drover_batches"),
                  dialect_ == Dialect::postgres ? "boolean" : "integer",
                  kThis),
      id,
      {parameter_of(control.paused),
       given(control.rows),
       given(control.workers),
       given(control.wal_per_second),
       fmt::format("{}", control.nice),
       shortened(control.by, 96)});
}

BatchMark decode_mark(const ResultSet& rows) {
  const std::vector<SqlValue>& row = rows.rows.front();
  return {real_of(row[1]), count_of(row[2])};
}

BatchControl decode_control(const ResultSet& rows) {
  return control_of(rows.rows.front(), 0);
}

std::vector<BatchStatus> decode_batches(const ResultSet& records,
                                        const ResultSet& ranges,
                                        const ResultSet& parked) {
  std::vector<BatchStatus> batches;
  for (const auto& row : records.rows) {
    batches.push_back({record_of(row), {}, 0});
  }
  const auto find = [&](const BatchId& id) {
    return std::find_if(batches.begin(), batches.end(), [&](const BatchStatus& one) {
      return one.record.id == id;
    });
  };
  for (const auto& row : ranges.rows) {
    if (const auto batch = find(id_of(row)); batch != batches.end()) {
      batch->ranges.push_back(range_of(row));
    }
  }
  for (const auto& row : parked.rows) {
    if (const auto batch = find(id_of(row)); batch != batches.end()) {
      batch->parked = count_of(row[2]);
    }
  }
  return batches;
}

std::vector<ParkedKey> decode_parked(const ResultSet& rows) {
  std::vector<ParkedKey> keys;
  for (const auto& row : rows.rows) {
    keys.push_back({static_cast<int>(integer_of(row[0])),
                    key_in(text_of(row[1])),
                    text_of(row[2]),
                    text_of(row[3]),
                    text_of(row[4])});
  }
  return keys;
}

}  // namespace drover::engine

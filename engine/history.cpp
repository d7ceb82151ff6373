#include "engine/history.h"

#include <algorithm>
#include <charconv>
#include <tuple>

#include <fmt/format.h>

#include "engine/sql_value.h"

namespace drover::engine {
namespace {

/// The number at the start of `text`, which loses it; nullopt when there is none.
std::optional<int> take_number(std::string_view& text) {
  int number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || number < 0) {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
  return number;
}

bool take(std::string_view& text, char wanted) {
  const bool there = !text.empty() && text.front() == wanted;
  text.remove_prefix(there ? 1 : 0);
  return there;
}

/// "2026-11-22 18:24:00.5+01", as PostgreSQL prints a timestamptz in DateStyle ISO, as RFC 3339 in
/// UTC with microseconds. Other texts (SQLite's, or of another DateStyle) stay as they are.
std::string utc_of(std::string text) {
  std::string_view rest = text;
  std::optional<int> fields[6];  // year, month, day, hour, minute, second
  constexpr char kBefore[6] = {0, '-', '-', ' ', ':', ':'};
  for (std::size_t i = 0; i < 6; ++i) {
    if ((i > 0 && !take(rest, kBefore[i])) || !(fields[i] = take_number(rest))) {
      return text;
    }
  }
  std::string fraction;
  if (take(rest, '.')) {
    const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
    fraction = rest.substr(0, digits);
    rest.remove_prefix(digits);
  }
  fraction.resize(6, '0');
  const bool east = take(rest, '+');
  if (!east && !take(rest, '-')) {
    return text;
  }
  int offset = 0;  // seconds
  for (const int unit : {3600, 60, 1}) {
    offset += unit * take_number(rest).value_or(0);
    take(rest, ':');
  }
  using namespace std::chrono;
  const sys_seconds local = sys_days(year(*fields[0]) / *fields[1] / *fields[2]) +
                            hours(*fields[3]) + minutes(*fields[4]) + seconds(*fields[5]);
  const sys_seconds utc = local - seconds(east ? offset : -offset);
  const auto midnight = floor<days>(utc);
  const year_month_day date(midnight);
  const hh_mm_ss time(utc - midnight);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{}Z",
                     static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()),
                     time.hours().count(),
                     time.minutes().count(),
                     time.seconds().count(),
                     fraction);
}

/// "0003,0005"; ids hold no comma.
std::vector<RevisionId> ids_in(const std::string& list) {
  std::vector<RevisionId> ids;
  for (std::size_t begin = 0; begin < list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    ids.push_back(RevisionId{list.substr(begin, end - begin)});
    begin = end + 1;
  }
  return ids;
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

RevisionId History::half_done() const {
  if (!tenant.in_progress.empty()) {
    return RevisionId{tenant.in_progress};
  }
  const auto waiting = std::find_if(tenant.at_batch.begin(),
                                    tenant.at_batch.end(),
                                    [&](const RevisionId& id) { return find(id) == nullptr; });
  return waiting == tenant.at_batch.end() ? RevisionId{} : *waiting;
}

bool History::waits_for_batch(const RevisionId& id) const noexcept {
  return std::find(tenant.at_batch.begin(), tenant.at_batch.end(), id) != tenant.at_batch.end();
}

const AppliedRevision* History::find(const RevisionId& id) const noexcept {
  const auto found = std::find_if(
      applied.begin(), applied.end(), [&](const AppliedRevision& row) { return row.id == id; });
  return found == applied.end() ? nullptr : &*found;
}

HistoryTables::HistoryTables(Dialect dialect, const std::string& schema)
    : dialect_(dialect),
      prefix_(schema.empty() ? std::string() : quoted_identifier(schema) + "."),
      now_(dialect == Dialect::postgres ? "pg_catalog.clock_timestamp()"
                                        : "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')") {}

std::string HistoryTables::table(std::string_view name) const {
  return fmt::format("{}{}", prefix_, name);
}

std::string HistoryTables::epoch_value(std::optional<std::int64_t> epoch) const {
  return epoch ? std::to_string(*epoch)
               : fmt::format("(SELECT epoch FROM {})", table("drover_tenant"));
}

// A join, not a UNION of two kinds of rows, and times as the session prints them: half of what a
// current tenant costs is that its fresh backend looks up every function and cast that is named
// here. The tenant's table comes first: says_no_history() wants to hear of it first.
std::string HistoryTables::rows_select(std::string_view first_column) const {
  return fmt::format(
      "SELECT {}t.epoch, t.format, t.uid, t.environment, t.production, t.in_progress,\n"
      "       r.revision, r.epoch, r.up_sha256, r.down_sha256, r.chain_sha256, r.applied_at,\n"
      "       r.applied_by, r.run, r.duration_ms, t.at_batch\n"
      "  FROM {} t LEFT JOIN {} r ON true",
      first_column,
      table("drover_tenant"),
      table("drover_revisions"));
}

OwnedStatement HistoryTables::read() const {
  return {rows_select("")};
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
                                                     std::optional<std::int64_t> epoch,
                                                     std::chrono::milliseconds elapsed,
                                                     const std::string& event) const {
  const Checksums& sums = migration.checksums.at(dialect_);
  // $1 revision, $2 up, $3 down, $4 chain, $5 who, $6 run, $7 event
  std::vector<SqlValue> params{migration.id.value, sums.up, sums.down, sums.chain, by.who, by.run};
  if (dialect_ == Dialect::sqlite) {
    return {{fmt::format("INSERT INTO drover_revisions VALUES ($1, {}, $2, $3, $4, {}, $5, $6, {})",
                         epoch_value(epoch),
                         now_,
                         elapsed.count()),
             std::move(params)},
            add_event(event, migration.id.value, by, "", epoch)};
  }
  params.emplace_back(event);
  const std::string at = epoch ? "$8::bigint" : epoch_value(epoch);
  if (epoch) {
    params.emplace_back(std::to_string(*epoch));
  }
  return {{fmt::format(R"(WITH e AS (
  INSERT INTO {0} VALUES ({1}, {2}, $7, $1, $5::varchar(96), $6::varchar(40), ''))
INSERT INTO {3} VALUES ($1, {1}, $2, $3, $4, {2}, $5::varchar(96), $6::varchar(40),
  (1000 * pg_catalog.date_part('epoch', {2} - pg_catalog.now()))::bigint))",
                       table("drover_events"),
                       at,
                       now_,
                       table("drover_revisions")),
           std::move(params)}};
}

std::vector<OwnedStatement> HistoryTables::record_down(const RevisionId& id,
                                                       const Provenance& by,
                                                       std::optional<std::int64_t> epoch,
                                                       const std::string& event) const {
  if (dialect_ == Dialect::sqlite) {
    return {{"DELETE FROM drover_revisions WHERE revision = $1", {id.value}},
            add_event(event, id.value, by, "", epoch)};
  }
  // $1 revision, $2 who, $3 run, $4 event, $5 epoch
  std::vector<SqlValue> params{id.value, by.who, by.run, event};
  if (epoch) {
    params.emplace_back(std::to_string(*epoch));
  }
  return {{fmt::format(R"(WITH r AS (DELETE FROM {} WHERE revision = $1 RETURNING 1), e AS (
  INSERT INTO {} VALUES ({}, {}, $4, $1, $2::varchar(96), $3::varchar(40), ''))
SELECT 1 / pg_catalog.count(*) FROM r)",
                       table("drover_revisions"),
                       table("drover_events"),
                       epoch ? "$5::bigint" : epoch_value(epoch),
                       now_),
           std::move(params)}};
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

OwnedStatement HistoryTables::clear_steps_of(const RevisionId& id) const {
  return {fmt::format("DELETE FROM {} WHERE revision = $1", table("drover_steps")), {id.value}};
}

OwnedStatement HistoryTables::set_at_batch(const std::vector<RevisionId>& ids) const {
  std::string list;
  for (const RevisionId& id : ids) {
    list += (list.empty() ? "" : ",") + id.value;
  }
  return {fmt::format("UPDATE {} SET at_batch = $1", table("drover_tenant")), {std::move(list)}};
}

OwnedStatement HistoryTables::forget_progress_without_steps() const {
  return {fmt::format("UPDATE {} SET in_progress = '' WHERE NOT EXISTS (SELECT 1 FROM {})",
                      table("drover_tenant"),
                      table("drover_steps"))};
}

OwnedStatement HistoryTables::add_event(const std::string& kind,
                                        const std::string& revision,
                                        const Provenance& by,
                                        const std::string& detail,
                                        std::optional<std::int64_t> epoch) const {
  // $1 kind, $2 revision, $3 who, $4 run, $5 detail
  const bool limited = dialect_ == Dialect::postgres;
  return {fmt::format("INSERT INTO {} VALUES ({}, {}, $1, $2, {}, {}, {})",
                      table("drover_events"),
                      epoch_value(epoch),
                      now_,
                      limited ? "$3::varchar(96)" : "$3",
                      limited ? "$4::varchar(40)" : "$4",
                      limited ? "$5::varchar(200)" : "$5"),
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
          {environment, parameter_of(production)}};
}

History decode_history(const ResultSet& rows) {
  History history;
  struct Entry {
    std::int64_t epoch;
    AppliedRevision revision;
  };
  std::vector<Entry> entries;
  entries.reserve(rows.rows.size());
  for (const std::vector<SqlValue>& row : rows.rows) {
    if (!history.exists) {
      history.exists = true;
      history.tenant = {static_cast<int>(integer_of(row[1])),
                        text_of(row[2]),
                        text_of(row[3]),
                        truth_of(row[4]),
                        integer_of(row[0]),
                        text_of(row[5]),
                        ids_in(text_of(row[15]))};
    }
    if (!row[6]) {
      continue;  // nothing is applied
    }
    entries.push_back({integer_of(row[7]),
                       {RevisionId{text_of(row[6])},
                        {text_of(row[8]), text_of(row[9]), text_of(row[10])},
                        utc_of(text_of(row[11])),
                        text_of(row[12]),
                        text_of(row[13]),
                        std::chrono::milliseconds(integer_of(row[14]))}});
  }
  // Revisions of one transaction share their epoch, so time and name decide between them.
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.epoch, a.revision.applied_at, a.revision.id) <
           std::tie(b.epoch, b.revision.applied_at, b.revision.id);
  });
  history.applied.reserve(entries.size());
  for (Entry& entry : entries) {
    history.applied.push_back(std::move(entry.revision));
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

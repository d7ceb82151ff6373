#include "engine/batch/server_signals.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "engine/sql_value.h"

namespace drover::engine::batch {
namespace {

/// pg_locks is readable for every role. Nobody is blocked by us for longer than our transaction is
/// old. Advisory locks are left out: our tenant locks are held for long, on purpose.
constexpr std::string_view kBlocked = R"(
SELECT o.pid, w.pid,
       CASE WHEN w.waitstart IS NULL THEN 0
            ELSE (extract(epoch FROM pg_catalog.clock_timestamp() -
                          GREATEST(w.waitstart, a.xact_start)) * 1000)::bigint END
  FROM pg_catalog.pg_locks w
 CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.pid)) AS o (pid)
 CROSS JOIN LATERAL pg_catalog.pg_stat_get_activity(o.pid) AS a
 WHERE NOT w.granted AND w.locktype <> 'advisory'
   AND w.pid <> ALL ($1::integer[]) AND o.pid = ANY ($1::integer[]))";

/// Before 14 the server does not tell since when somebody waits: at most since the statement began.
constexpr std::string_view kBlockedBefore14 = R"(
SELECT o.pid, w.pid,
       (extract(epoch FROM pg_catalog.clock_timestamp() -
                GREATEST(v.state_change, a.xact_start)) * 1000)::bigint
  FROM pg_catalog.pg_locks w
 CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.pid)) AS o (pid)
 CROSS JOIN LATERAL pg_catalog.pg_stat_get_activity(o.pid) AS a
 CROSS JOIN LATERAL pg_catalog.pg_stat_get_activity(w.pid) AS v
 WHERE NOT w.granted AND w.locktype <> 'advisory'
   AND w.pid <> ALL ($1::integer[]) AND o.pid = ANY ($1::integer[]))";

/// Without what a base backup has open: that replays nothing.
constexpr std::string_view kReplicas = R"(
SELECT COALESCE(NULLIF(application_name, ''), client_addr::text, pid::text),
       (extract(epoch FROM replay_lag) * 1000)::bigint,
       GREATEST(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), replay_lsn), 0)::bigint
  FROM pg_catalog.pg_stat_replication
 WHERE replay_lsn IS NOT NULL)";

/// The setting is of PostgreSQL 13 and newer, and -1 where nothing is limited.
constexpr std::string_view kSlots = R"(
SELECT slot_name,
       GREATEST(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), restart_lsn), 0)::bigint,
       pg_catalog.pg_size_bytes(pg_catalog.current_setting('max_slot_wal_keep_size', true))
  FROM pg_catalog.pg_replication_slots
 WHERE restart_lsn IS NOT NULL)";

constexpr std::string_view kArchive = R"(
SELECT pg_catalog.current_setting('archive_mode') <> 'off',
       COALESCE(last_archived_wal, last_failed_wal),
       pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), '0/0')::bigint,
       pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size'))
  FROM pg_catalog.pg_stat_archiver)";

constexpr std::string_view kBackends = R"(
SELECT pg_catalog.count(*)
  FROM pg_catalog.pg_stat_activity
 WHERE backend_type = 'client backend' AND state = 'active'
   AND pid <> pg_catalog.pg_backend_pid() AND pid <> ALL ($1::integer[]))";

constexpr std::string_view kAutovacuum = R"(
SELECT p.datname, p.relid::bigint, a.query LIKE '%(to prevent wraparound)%'
  FROM pg_catalog.pg_stat_progress_vacuum p
  JOIN pg_catalog.pg_stat_activity a ON a.pid = p.pid
 WHERE a.backend_type = 'autovacuum worker')";

constexpr int kWaitStartSince = 140000;
constexpr std::size_t kSegmentNameLength = 24;  // timeline, high and low part: 8 digits each

std::uint64_t count_of(const SqlValue& value) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(integer_of(value), 0));
}

std::optional<Milliseconds> time_of(const SqlValue& value) {
  return value ? std::optional(Milliseconds(integer_of(value))) : std::nullopt;
}

void note_replicas(const ResultSet& answer, BatchThrottle& law, SteadyTime now) {
  std::vector<ReplicaReading> replicas;
  for (const auto& row : answer.rows) {
    replicas.push_back({text_of(row[0]), time_of(row[1]), count_of(row[2])});
  }
  law.read_replicas(std::move(replicas), now);
}

void note_slots(const ResultSet& answer, BatchThrottle& law, SteadyTime now) {
  std::vector<SlotReading> slots;
  for (const auto& row : answer.rows) {
    SlotReading slot{text_of(row[0]), count_of(row[1]), std::nullopt};
    if (integer_of(row[2]) > 0) {
      slot.limit = count_of(row[2]);
    }
    slots.push_back(std::move(slot));
  }
  law.read_slots(std::move(slots), now);
}

void note_archive(const ResultSet& answer, BatchThrottle& law, SteadyTime now) {
  const auto& row = answer.rows.at(0);
  const bool archives = truth_of(row[0]);
  law.read_archive(
      archives ? archive_queue(text_of(row[1]), count_of(row[2]), count_of(row[3])) : 0, now);
}

void note_backends(const ResultSet& answer, BatchThrottle& law, SteadyTime now) {
  law.read_backends(count_of(answer.rows.at(0)[0]), now);
}

void note_autovacuum(const ResultSet& answer, BatchThrottle& law, SteadyTime now) {
  std::vector<AutovacuumReading> running;
  for (const auto& row : answer.rows) {
    running.push_back({text_of(row[0]), integer_of(row[1]), truth_of(row[2])});
  }
  law.read_autovacuum(std::move(running), now);
}

using Needs = SignalQuestion::Needs;
using Takes = SignalQuestion::Takes;

constexpr std::array<SignalQuestion, 5> kQuestions{{
    {BatchSignal::replicas, kReplicas, Needs::rights, Takes::nothing, note_replicas},
    {BatchSignal::slots, kSlots, Needs::nothing, Takes::nothing, note_slots},
    {BatchSignal::archive, kArchive, Needs::nothing, Takes::nothing, note_archive},
    {BatchSignal::backends, kBackends, Needs::rights, Takes::our_pids, note_backends},
    {BatchSignal::autovacuum, kAutovacuum, Needs::rights, Takes::nothing, note_autovacuum},
}};

std::optional<std::uint64_t> hex_number(std::string_view digits) {
  std::uint64_t number = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
  const bool all = error == std::errc() && end == digits.data() + digits.size();
  return all ? std::optional(number) : std::nullopt;
}

}  // namespace

// A database that was copied, restored or taken to a new server has no statistics of its tables
// yet, and every row would seem to be dead; what it knows of their size came along (autovacuum goes
// by that as well).
const std::string_view kTableStatement = R"(
SELECT GREATEST(pg_catalog.pg_stat_get_live_tuples(t.oid), c.reltuples::bigint),
       pg_catalog.pg_stat_get_dead_tuples(t.oid)
  FROM (SELECT $1::oid) AS t (oid) LEFT JOIN pg_catalog.pg_class c USING (oid))";

std::string_view blocked_statement(int server_version) noexcept {
  return server_version < kWaitStartSince ? kBlockedBefore14 : kBlocked;
}

std::vector<BlockedReading> blocked_of(const ResultSet& answer) {
  std::vector<BlockedReading> blocked;
  for (const auto& row : answer.rows) {
    blocked.push_back({integer_of(row[0]), integer_of(row[1]), Milliseconds(integer_of(row[2]))});
  }
  return blocked;
}

std::span<const SignalQuestion> signal_questions() noexcept {
  return kQuestions;
}

TableReading table_of(const ResultSet& answer) {
  const auto& row = answer.rows.at(0);
  return {count_of(row[0]), count_of(row[1])};
}

std::optional<bool> query_says_wait(const ResultSet& answer) {
  if (answer.rows.empty() || answer.rows.front().empty() || !answer.rows.front().front()) {
    return false;
  }
  const std::string& text = *answer.rows.front().front();
  if (text == "t" || text == "f") {
    return text == "t";
  }
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || std::isnan(number)) {
    return std::nullopt;
  }
  return number != 0;
}

std::uint64_t archive_queue(std::string_view last,
                            std::uint64_t written_bytes,
                            std::uint64_t segment_bytes) {
  // A name may go on, as that of a backup's label does: ".00000028.backup".
  if (last.size() < kSegmentNameLength || segment_bytes == 0) {
    return 0;
  }
  const std::optional<std::uint64_t> high = hex_number(last.substr(8, 8));
  const std::optional<std::uint64_t> low = hex_number(last.substr(16, 8));
  if (!high || !low) {
    return 0;
  }
  const std::uint64_t archived = *high * ((std::uint64_t{1} << 32U) / segment_bytes) + *low;
  const std::uint64_t current = written_bytes / segment_bytes;
  return current > archived ? current - archived - 1 : 0;
}

std::string pid_array(const std::vector<std::int64_t>& pids) {
  return fmt::format("{{{}}}", fmt::join(pids, ","));
}

}  // namespace drover::engine::batch

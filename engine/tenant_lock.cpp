#include "engine/tenant_lock.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "engine/base/sha256.h"
#include "engine/sql_value.h"

namespace drover::engine {
namespace {

/// A backend's start in pg_stat_activity, called `a`, to the microsecond. Ids are compared as this
/// text, so that an id which is no time at all is merely nobody's.
constexpr std::string_view kStart =
    R"(pg_catalog.to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))";

/// That a row `l` of pg_locks is the granted lock with the bigint `{}`: pg_locks shows a key as two
/// halves, objsubid 1.
constexpr std::string_view kIsLock = R"(l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
   AND l.database = (SELECT oid FROM pg_catalog.pg_database
                      WHERE datname = pg_catalog.current_database())
   AND l.classid::bigint = ({0} >> 32) & 4294967295 AND l.objid::bigint = {0} & 4294967295)";

std::optional<std::chrono::seconds> seconds_of(const SqlValue& value) {
  return value ? std::optional(std::chrono::seconds(integer_of(value))) : std::nullopt;
}

/// Whether `text` looks like `pattern`, where 0 stands for any digit.
bool looks_like(std::string_view text, std::string_view pattern) {
  return std::equal(
      text.begin(), text.end(), pattern.begin(), pattern.end(), [](char c, char wanted) {
        return wanted == '0' ? c >= '0' && c <= '9' : c == wanted;
      });
}

}  // namespace

std::int64_t tenant_lock_key(std::string_view database, std::string_view schema) {
  constexpr std::string_view kNul("\0", 1);
  const auto digest =
      base::Sha256().add("drover").add(kNul).add(database).add(kNul).add(schema).finish();
  std::uint64_t key = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    key = key << 8U | digest[i];
  }
  return static_cast<std::int64_t>(key);
}

OwnedStatement contact_statement(std::string_view schema,
                                 std::int64_t key,
                                 std::int64_t backend_pid,
                                 TakeLock take) {
  // $1 schema as an identifier, $2 key, $3 pid of the handshake
  const std::string_view lock =
      take == TakeLock::yes ? "pg_catalog.pg_try_advisory_lock($2::bigint)" : "$2::bigint IS NULL";
  return {fmt::format(R"(SELECT CASE WHEN pg_catalog.pg_backend_pid() = $3::bigint THEN {} END,
       pg_catalog.pg_backend_pid(),
       pg_catalog.to_regnamespace($1) IS NOT NULL,
       pg_catalog.pg_is_in_recovery())",
                      lock),
          {quoted_identifier(schema), std::to_string(key), std::to_string(backend_pid)}};
}

Contact decode_contact(const ResultSet& rows) {
  const std::vector<SqlValue>& row = rows.rows.at(0);
  return {row[0] == "t", integer_of(row[1]), row[2] == "t", row[3] == "t"};
}

OwnedStatement unlock_statement(std::int64_t key) {
  return {"SELECT pg_catalog.pg_advisory_unlock($1::bigint)", {std::to_string(key)}};
}

OwnedStatement lock_holder_statement(std::int64_t key) {
  // pg_locks shows a bigint key as two halves, objsubid 1. $1 high half, $2 low half
  const auto bits = static_cast<std::uint64_t>(key);
  return {R"(SELECT l.pid, a.application_name, a.usename, a.state,
       pg_catalog.date_trunc('second', pg_catalog.clock_timestamp() - a.backend_start)
  FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a USING (pid)
 WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
   AND l.database = (SELECT oid FROM pg_catalog.pg_database
                      WHERE datname = pg_catalog.current_database())
   AND l.classid::bigint = $1::bigint AND l.objid::bigint = $2::bigint
   AND l.pid <> pg_catalog.pg_backend_pid())",
          {std::to_string(bits >> 32U), std::to_string(bits & 0xFFFFFFFFU)}};
}

std::optional<Blocker> decode_lock_holder(const ResultSet& rows) {
  if (rows.rows.empty()) {
    return std::nullopt;
  }
  const std::vector<SqlValue>& row = rows.rows.front();
  return Blocker{integer_of(row[0]),
                 row[1].value_or(""),
                 row[2].value_or(""),
                 row[3].value_or(""),
                 row[4].value_or("")};
}

std::string to_string(const BackendId& id) {
  return fmt::format("{}@{}", id.pid, id.start);
}

std::optional<BackendId> backend_id_of(std::string_view text) {
  const std::size_t at = std::min(text.find('@'), text.size());
  BackendId id;
  const auto [end, error] = std::from_chars(text.data(), text.data() + at, id.pid);
  const bool number = error == std::errc() && end == text.data() + at && id.pid > 0;
  if (!number || !looks_like(text.substr(at), "@0000-00-00T00:00:00.000000Z")) {
    return std::nullopt;
  }
  id.start = text.substr(at + 1);
  return id;
}

OwnedStatement lock_holders_statement(const std::vector<std::int64_t>& keys) {
  // $1 keys
  return {fmt::format(R"(SELECT k.key, l.pid, {},
       a.application_name, a.usename,
       CASE WHEN a.client_port = -1 THEN 'local' ELSE pg_catalog.host(a.client_addr) END, a.state,
       pg_catalog.floor(extract(epoch FROM pg_catalog.clock_timestamp() - a.backend_start))::bigint,
       pg_catalog.floor(extract(epoch FROM pg_catalog.clock_timestamp() - a.query_start))::bigint
  FROM pg_catalog.unnest($1::bigint[]) AS k (key)
  JOIN pg_catalog.pg_locks l ON {}
  LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
 ORDER BY k.key, l.pid)",
                      kStart,
                      fmt::format(kIsLock, "k.key")),
          {fmt::format("{{{}}}", fmt::join(keys, ","))}};
}

std::vector<LockHolder> decode_lock_holders(const ResultSet& rows) {
  std::vector<LockHolder> holders;
  for (const std::vector<SqlValue>& row : rows.rows) {
    holders.push_back({integer_of(row.at(0)),
                       {integer_of(row.at(1)), text_of(row.at(2))},
                       text_of(row.at(3)),
                       text_of(row.at(4)),
                       text_of(row.at(5)),
                       text_of(row.at(6)),
                       seconds_of(row.at(7)),
                       seconds_of(row.at(8))});
  }
  return holders;
}

OwnedStatement end_lock_holder_statement(std::int64_t key, const BackendId& holder) {
  // $1 key, $2 pid, $3 start
  return {fmt::format(R"(SELECT pg_catalog.pg_terminate_backend(a.pid)
  FROM pg_catalog.pg_stat_activity a
 WHERE a.pid = $2::bigint AND {} = $3::text
   AND EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.pid = a.pid AND {}))",
                      kStart,
                      fmt::format(kIsLock, "$1::bigint")),
          {std::to_string(key), std::to_string(holder.pid), holder.start}};
}

}  // namespace drover::engine

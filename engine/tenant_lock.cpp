#include "engine/tenant_lock.h"

#include <fmt/format.h>

#include "engine/base/sha256.h"
#include "engine/sql_value.h"

namespace drover::engine {
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

}  // namespace drover::engine

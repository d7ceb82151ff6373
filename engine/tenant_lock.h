/// The lock that keeps two runners off one tenant: a session-level advisory lock on PostgreSQL.
///
/// It is polled and never waited for: a session that waits inside pg_advisory_lock holds a
/// snapshot, and deadlocks with CREATE INDEX CONCURRENTLY in the one that it waits for. SQLite
/// needs none: BEGIN IMMEDIATE and the fence are its lock.
///
/// Thread safety: pure functions.

#pragma once

#include <cstdint>
#include <string_view>

#include "engine/history.h"

namespace drover::engine {

/// The first 8 bytes, big-endian, of SHA-256("drover" NUL database NUL schema), as a signed number.
/// Once released this never changes: a test vector pins it.
std::int64_t tenant_lock_key(std::string_view database, std::string_view schema);

/// What the first statement of a session learns beside the lock.
struct Contact {
  bool locked = false;  ///< False as well when the lock was not asked for.
  std::int64_t backend_pid = 0;
  bool schema_exists = false;
  bool standby = false;
};

enum class TakeLock { no, yes };

/// One statement: takes the lock when asked to, and tells who answers. PostgreSQL only. Where
/// another backend answers than `backend_pid`, that of the handshake, a pooler stands in between;
/// then nothing is taken, because it would be left behind in a session of others.
OwnedStatement contact_statement(std::string_view schema,
                                 std::int64_t key,
                                 std::int64_t backend_pid,
                                 TakeLock take);
Contact decode_contact(const ResultSet& rows);

/// Gives the lock back; for a session that goes on to another tenant.
OwnedStatement unlock_statement(std::int64_t key);

/// Who holds the lock: pid, application, user, state, age; no row when nobody does.
OwnedStatement lock_holder_statement(std::int64_t key);
std::optional<Blocker> decode_lock_holder(const ResultSet& rows);

}  // namespace drover::engine

/// The lock that keeps two runners off one tenant: a session-level advisory lock on PostgreSQL.
///
/// It is polled and never waited for: a session that waits inside pg_advisory_lock holds a
/// snapshot, and deadlocks with CREATE INDEX CONCURRENTLY in the one that it waits for. SQLite
/// needs none: BEGIN IMMEDIATE and the fence are its lock.
///
/// A session whose client is gone keeps the lock until the server notices. Who holds which lock,
/// and the statement that ends one such session and no other, are here as well; who may ask for
/// that is not.
///
/// Thread safety: pure functions.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

/// One backend of one server, for good: pids are used again, but not with the same start.
struct BackendId {
  std::int64_t pid = 0;
  std::string start;  ///< "2026-11-22T22:14:03.123456Z", as the server keeps it.

  bool operator==(const BackendId&) const = default;
};

/// "41233@2026-11-22T22:14:03.123456Z"
std::string to_string(const BackendId& id);

/// The id that `text` is in exactly that form, or nullopt.
std::optional<BackendId> backend_id_of(std::string_view text);

/// A backend that holds the lock with this key. Of other roles' backends the server tells little to
/// a role without pg_read_all_stats: then the start and whatever follows `user` are not known.
struct LockHolder {
  std::int64_t key = 0;
  BackendId id;             ///< Its start is empty when it is not known.
  std::string application;  ///< Empty: it has none, or it is not known.
  std::string user;
  std::string client;  ///< An address, or "local" for a socket of the server's own machine.
  std::string state;   ///< "active", "idle" ...
  std::optional<std::chrono::seconds> session_age;  ///< The lock cannot be older.
  std::optional<std::chrono::seconds> query_age;    ///< Since its last statement began.

  bool operator==(const LockHolder&) const = default;
};

/// One statement: who holds the locks with `keys` in the database it is asked in; by key.
OwnedStatement lock_holders_statement(const std::vector<std::int64_t>& keys);
std::vector<LockHolder> decode_lock_holders(const ResultSet& rows);

/// One statement that ends the backend `holder` if it still is that backend and still holds the
/// lock with `key`; without a row when it is not or does not. Raises 42501 without the right to.
OwnedStatement end_lock_holder_statement(std::int64_t key, const BackendId& holder);

}  // namespace drover::engine

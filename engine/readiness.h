/// Whether a tenant could be changed now, beyond what its history says: rights, a free lock, what
/// else would be in the way, and how large it is.
///
/// PostgreSQL only. One message serves one schema or hundreds of one database. Nothing is locked
/// and nothing is waited for: sizes of schemas are the server's own estimate (pg_class.relpages, of
/// the last VACUUM or ANALYZE), since asking for the true one waits for whoever changes the table.
///
/// Thread safety: pure functions, and one that talks over one session.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/history.h"
#include "engine/session.h"

namespace drover::engine {

/// A schema to ask about.
struct ReadinessQuestion {
  std::string schema;          ///< Of the tenant's tables,
  std::string history_schema;  ///< and of Drover's.
  std::int64_t lock_key = 0;   ///< tenant_lock_key().
};

struct SchemaReadiness {
  std::string missing_right;       ///< Without it no history can be written; empty: nothing.
  std::int64_t foreign_count = 0;  ///< Tables and views there that the role does not own,
  std::string foreign_first;       ///< and the first of them.
  std::int64_t bytes = 0;          ///< Of its tables and indexes, estimated.
  std::optional<Blocker> lock_holder;
};

struct DatabaseReadiness {
  std::string role;  ///< The one that we are.
  bool standby = false;
  bool read_only = false;                ///< Its transactions are, by a setting.
  std::int64_t bytes = 0;                ///< Of the whole database.
  std::int64_t oldest_xid = 0;           ///< age(datfrozenxid)
  std::vector<SchemaReadiness> schemas;  ///< One for each that was asked about, in order.
};

/// One message.
std::vector<OwnedStatement> readiness_message(const std::vector<ReadinessQuestion>& schemas);

/// What came back for it. `count` is how many schemas were asked about.
DatabaseReadiness decode_readiness(const Exchange& answer, std::size_t count);

/// What a server says of itself, asked over any session of it.
struct ServerFacts {
  std::int64_t connections_allowed = 0;  ///< To all who are no superusers,
  std::int64_t connections_used = 0;     ///< and what others than the one that asks use of them.
  std::optional<std::int64_t> role_connections_free;  ///< Where the role has a limit of its own.
  bool standby = false;
  bool sees_others = false;    ///< The role may see what the sessions of other roles do.
  bool local = false;          ///< Reached over a Unix socket, so its files are on this machine.
  std::string data_directory;  ///< Empty: the role may not know it.

  std::int64_t connections_free() const noexcept;
};

struct ServerAnswer {
  ServerFacts facts;              ///< Without an error,
  std::optional<SqlError> error;  ///< ... and why they could not be asked.
};

/// Asks over `session`; one message.
ServerAnswer read_server_facts(Session& session, const Patience& patience);

}  // namespace drover::engine

/// One migration target: where a tenant's data lives and how it is reached.
///
/// Nothing here connects. engine/postgres/conninfo.h and engine/sqlite/ make Targets from what
/// people write; a SessionFactory opens them.

#pragma once

#include <map>
#include <string>

#include "engine/dialect.h"
#include "engine/secret.h"

namespace drover::engine {

struct Target {
  Dialect dialect = Dialect::sqlite;

  /// PostgreSQL: libpq keywords and values in normal form ("host=... port=... dbname=..."), never
  /// with a password. SQLite: the path of the file.
  std::string connection;
  Secret password;  ///< Empty: libpq looks in its own places (.pgpass, environment).

  /// PostgreSQL: the schema that holds the tenant's tables and Drover's. SQLite: empty ("main").
  std::string schema = "public";

  /// The same for a pooler that status may use; empty when there is none.
  std::string pooled;

  /// What tenants share, for limits and faults: "host:port", or for SQLite the file's folder.
  std::string server;
  std::string database;  ///< PostgreSQL: the database's name. SQLite: the file's name.

  /// What the history must say the tenant is (History::tenant.uid); empty: not known yet.
  std::string uid = {};

  bool operator==(const Target&) const = default;
};

/// Facts of one tenant that statements may read with current_setting('drover.NAME') or
/// drover_setting('NAME'): "tenant", "label.region" and so on. Names are without the "drover."
/// prefix and already known to be readable ([a-z_][a-z0-9_]* after "label.").
using TenantFacts = std::map<std::string, std::string>;

}  // namespace drover::engine

/// One migration target: where a tenant's data lives and how it is reached.
///
/// Nothing here connects. engine/postgres/conninfo.h and engine/sqlite/ make Targets from what
/// people write; a SessionFactory opens them.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/dialect.h"
#include "engine/secret.h"

namespace drover::engine {

/// A history, as a plan saw it.
struct PlannedStart {
  std::int64_t epoch = 0;
  std::vector<std::string> heads;  ///< Ids, sorted.

  bool operator==(const PlannedStart&) const = default;
};

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

  /// Where the history stood when the run was planned; a tenant that has been changed since is left
  /// alone, unless nothing is to be done to it. Nullopt: wherever it stands.
  std::optional<PlannedStart> planned = {};

  bool operator==(const Target&) const = default;
};

/// Facts of one tenant that statements may read with current_setting('drover.NAME') or
/// drover_setting('NAME'): "tenant", "label.region" and so on. Names are without the "drover."
/// prefix and already known to be readable ([a-z_][a-z0-9_]* after "label.").
using TenantFacts = std::map<std::string, std::string>;

}  // namespace drover::engine

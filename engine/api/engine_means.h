/// Connects the rooms of the engine: migrations from a directory, targets from text, sessions of
/// either kind. Internal; applications see database.h and orchestrator/api/fleet.h.
///
/// Thread safety: free functions, and a factory that any number of threads may use.

#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "engine/error.h"
#include "engine/migration_set.h"
#include "engine/postgres/pg_session.h"
#include "engine/session.h"
#include "engine/sqlite/sqlite_session.h"

namespace drover::engine::api {

/// Opens what a Target's dialect asks for.
class EngineSessions final : public SessionFactory {
 public:
  OpenResult open(const Target& target,
                  const OpenOptions& options,
                  const Patience& patience) override;

 private:
  postgres::PgSessionFactory postgres_;
  sqlite::SqliteSessionFactory sqlite_;
};

/// A target as a person writes it: a PostgreSQL URL or keywords, or "sqlite:PATH".
///
/// Throws Error usage: invalid_target.
Target parse_target(std::string_view text);

/// The same for data out of a tenant source: few keywords, no way out of `sqlite_root` (empty: no
/// SQLite at all). A relative SQLite path starts there.
///
/// Throws Error usage: invalid_target.
Target parse_source_target(std::string_view text, const std::filesystem::path& sqlite_root);

/// The migrations of `directory`, whole and in order.
///
/// Throws Error usage, with the place: the first thing that is wrong.
MigrationSet load_migrations(const std::filesystem::path& directory);

/// The same from bytes that a run has kept, by file name.
MigrationSet load_migrations(const std::map<std::string, std::string>& texts);

/// Everything that is wrong with `directory`, for validate. Empty: nothing is.
std::vector<Error> check_migrations(const std::filesystem::path& directory);

/// "alice@host": the login name of this process, for histories and journals.
std::string who_we_are();

}  // namespace drover::engine::api

/// A script that a person can run with psql or sqlite3 instead of an upgrade or a downgrade.
///
/// It holds what Drover itself would do: history tables, a fence before each revision, statements,
/// verifies as checks that stop the script, history rows. The client is told to stop at the first
/// error. A script knows nothing of the tenant, so its fence asks for what it was written for: that
/// what the revision needs is applied, that the revision itself is not, and that nothing is half
/// done.
///
/// Thread safety: pure function.

#pragma once

#include <span>
#include <string>

#include "engine/history.h"
#include "engine/migration_set.h"

namespace drover::engine {

/// The script that takes a tenant through `steps`, in this order. `schema` holds the tenant's
/// tables on PostgreSQL and is empty on SQLite.
///
/// Throws Error usage: batch_not_supported, irreversible, naming the revision.
std::string offline_script(const MigrationSet& migrations,
                           Dialect dialect,
                           std::span<const RevisionId> steps,
                           Direction direction,
                           const std::string& schema);

}  // namespace drover::engine

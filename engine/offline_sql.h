/// Writes what an upgrade or downgrade would do as a script that a person runs with psql or
/// sqlite3, where no program of ours may come near the database.
///
/// The script stops at its first error. Each revision of it begins with a fence, which fails where
/// the tenant is not in the state that the script was written for, and ends with the history row
/// that an upgrade would have written; statements outside of transactions are journalled. So
/// whatever becomes of it, `status`, `upgrade` and `repair` know where the tenant stands. It does
/// not know the tenant's facts, and sets no timeouts.
///
/// Thread safety: a pure function.

#pragma once

#include <span>
#include <string>

#include "engine/migration_set.h"
#include "engine/revision_ref.h"

namespace drover::engine {

/// Who a script says it was, in the history.
inline constexpr const char* kOfflineName = "offline script";

/// The script that takes `steps`, in this order, up or down. `schema` is the tenant's; SQLite
/// ignores it.
///
/// Throws Error usage: batch_not_supported, irreversible; unknown_revision for a step that the
/// migrations lack.
std::string offline_script(const MigrationSet& migrations,
                           Dialect dialect,
                           std::span<const RevisionId> steps,
                           Direction direction,
                           const std::string& schema);

}  // namespace drover::engine

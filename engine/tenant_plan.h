/// What is left to do for one tenant, given its history and the migrations on disk.
///
/// Pure: the same history, migrations and goal give the same steps. Refuses before anything runs
/// what must not run: an edited, foreign or re-parented history, a revision that cannot be undone,
/// a unit that the asked-for transaction mode cannot hold.
///
/// Thread safety: pure functions. A plan points into the MigrationSet.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/fault.h"
#include "engine/history.h"
#include "engine/migration_set.h"
#include "engine/transaction_script.h"

namespace drover::engine {

enum class TransactionMode {
  per_revision,  ///< One transaction for each transactional unit.
  all,           ///< One for all that is pending.
};

enum class FromPartial { no, yes };

/// Where tenants should go.
struct Goal {
  Direction direction = Direction::up;
  std::string target = "head";  ///< A reference as people write it: "heads", "0004", "+1", "base".
  FromPartial from_partial = FromPartial::no;  ///< Downgrade may undo a revision that is half done.

  /// True for "+1", "-2", "0004+1": what it means depends on where the tenant is.
  bool relative() const noexcept;
};

/// Which revisions, in order, a tenant is to run: fixed when its history is first read, so that a
/// retry does not take "+1" further.
struct Itinerary {
  Direction direction = Direction::up;
  std::vector<RevisionId> revisions;
};

/// Resolves `goal` for a tenant that had applied `applied` when the work began.
///
/// Throws GraphError when the target makes no sense: unknown_ref, ambiguous_ref, multiple_heads ...
Itinerary itinerary_for(const MigrationSet& migrations,
                        const RevisionSet& applied,
                        const Goal& goal);

/// Which way the revision in progress was going.
Direction direction_in_progress(const History& history);

struct TenantPlan {
  std::vector<Step> steps;           ///< Empty: nothing to do.
  std::optional<TenantFault> fault;  ///< Set: nothing may be done. `steps` is then empty.
};

/// The steps of `itinerary` that `history` still lacks.
TenantPlan plan_tenant(const MigrationSet& migrations,
                       Dialect dialect,
                       const History& history,
                       const Itinerary& itinerary,
                       TransactionMode mode,
                       FromPartial from_partial);

/// Whether `history` fits the migrations: nothing edited, unknown, re-parented or missing. The
/// first that does not, as a fault.
std::optional<TenantFault> history_fault(const MigrationSet& migrations,
                                         Dialect dialect,
                                         const History& history);

/// The heads of `history`; revisions that the migrations lack count as heads.
std::vector<RevisionId> heads_of(const MigrationSet& migrations, const History& history);

}  // namespace drover::engine

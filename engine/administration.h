/// What a person may say about a tenant's history: stamp it, repair it, mark it, take it away.
///
/// None of it runs a migration. Each call takes the tenant's lock, works behind the fence in one
/// transaction, and leaves an event. What would change can be asked for first, so that it can be
/// shown.
///
/// Thread safety: one thread per TenantSession.
/// Errors: what is wrong with the tenant is a TenantFault; what is wrong with a reference throws
/// GraphError.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/fault.h"
#include "engine/history.h"
#include "engine/migration_set.h"
#include "engine/tenant_session.h"

namespace drover::engine {

enum class Purge { no, yes };

/// What repair is asked to do. Several may be asked for at once.
struct RepairRequest {
  bool accept_edits = false;    ///< Take the checksums of the files as they are now,
  bool accept_parents = false;  ///< and their parents.
  enum class Statement { leave, done, redo } statement = Statement::leave;
  bool forget_partial = false;  ///< Clear the progress of a half-done revision.
};

/// One thing that would change, for a person to read before it does.
struct HistoryChange {
  std::string what;  ///< "revision 0004: up checksum", "statement 1 of unit 2 of revision 0007"
  std::string before;
  std::string after;
};

struct AdministrationResult {
  std::vector<HistoryChange> changes;  ///< Empty: there is nothing to do.
  std::optional<TenantFault> fault;
};

enum class Commit { no, yes };  ///< no: only say what would change.

/// Makes the history say that `refs` and everything they need is applied (and, going back, no more
/// than that), without running anything. With Purge::yes the rows that are there go first, whatever
/// they are.
AdministrationResult stamp(TenantSession& tenant,
                           const MigrationSet& migrations,
                           const std::vector<std::string>& refs,
                           Purge purge,
                           const Provenance& by,
                           Commit commit,
                           const Patience& patience);

AdministrationResult repair(TenantSession& tenant,
                            const MigrationSet& migrations,
                            const RepairRequest& request,
                            const Provenance& by,
                            Commit commit,
                            const Patience& patience);

/// Says which environment the tenant belongs to.
AdministrationResult mark(TenantSession& tenant,
                          const std::string& environment,
                          bool production,
                          const Provenance& by,
                          Commit commit,
                          const Patience& patience);

/// Drops Drover's tables, of a tenant that has nothing applied; refuses otherwise. Approaches the
/// tenant unless the caller has.
std::optional<TenantFault> drop_history(TenantSession& tenant, const Patience& patience);

/// Connects, locks and reads; the environment's mark is checked unless `any_environment`.
enum class CheckEnvironment { no, yes };
std::optional<TenantFault> approach_for_change(TenantSession& tenant,
                                               CheckEnvironment check,
                                               const Patience& patience);

/// Nothing waits for the batch of revision `id` any more.
std::optional<TenantFault> note_batch_done(TenantSession& tenant,
                                           const RevisionId& id,
                                           const Provenance& by,
                                           const Patience& patience);

}  // namespace drover::engine

/// Puts a tenant that has a schema of its own back, in a database that it shares.
///
/// An archive of a schema can only be restored under the schema's own name, so the live one is
/// renamed away first, under the tenant's lock and with all its tables locked, so that no
/// transaction sees half of each. What was restored is set aside under a name that nobody uses
/// until it is proven, and takes the place of the live one together with the old one's final name,
/// in one transaction. In between the tenant has no schema: its users get errors, not half a
/// tenant.
///
/// Every step is chosen by which schemas there are, so a second call with the same mark goes on:
///
///     NAME   _away_  _check_  _before_   next step
///     there  -       -        -          refusals; rename NAME to _away_
///     -      there   -        -          restore NAME
///     there  there   -        -          rename NAME to _check_
///     -      there   there    -          prove _check_; rename it to NAME and _away_ to _before_
///     there  -       -        there      done
///     -      -       -        -          the schema is lost: restore, prove, rename to NAME
///     -      -       there    -          as above, restored already
///
/// All but NAME bear the mark of this restore in their comments (marked_comment.h), and are refused
/// without it. On any failure what was restored is dropped and _away_ renamed back, so the tenant
/// is as it was; where that fails as well, the fault says so. Any other combination is refused.
///
/// A table whose rows print the name of their own schema (columns of type regclass and its like)
/// cannot be proven here. A schema called public is refused: archives do not make it.
///
/// Thread safety: free functions. Errors: a TenantFault, kinds as in database_restore.h.

#pragma once

#include <optional>
#include <string>

#include "engine/fault.h"
#include "orchestrator/backup/database_restore.h"
#include "orchestrator/backup/restore_means.h"

namespace drover::orchestrator::backup {

/// Nullopt: the tenant's schema is what the backup holds.
std::optional<engine::TenantFault> restore_schema(const RestoreRequest& request,
                                                  const RestoreMeans& means,
                                                  const engine::Patience& patience);

/// What the old schema is called after restore_schema() with this mark.
std::string old_schema_name(const std::string& schema, const std::string& mark);

/// Marks of restores of `tenant`'s schema that were cut short.
UnfinishedRestores unfinished_schema_restores(const Tenant& tenant,
                                              const RestoreMeans& means,
                                              const engine::Patience& patience);

}  // namespace drover::orchestrator::backup

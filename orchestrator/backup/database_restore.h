/// Puts a tenant that has a database of its own back: into a new database, which takes the place of
/// the live one when all that it must be is proven. Also the drill, which drops it instead.
///
/// The new database is made from template0 with the encoding, locale and tablespace of the live one
/// (or as a copy of a kept one), filled, checked against the manifest, and given owner, privileges,
/// settings, connection limit, comment and labels of the live one, which are compared afterwards.
/// Until then nothing live is touched, and it is called NAME_restore_MARK; a rename to
/// NAME_restored_MARK says that all of it held. Then database_swap.h does the rest, and leaves the
/// old one as NAME_before_MARK, closed to sessions. Long names are cut (name_prefix() of desk.h).
///
/// A live database that is gone altogether is made anew; then nobody knows its properties, and
/// those of a new database stay.
///
/// From beginning to end the tenant's own lock is held in the live database, so that no migration
/// runs meanwhile, and the server desk's lock in the maintenance database. A call with the same
/// mark after a crash goes on: a NAME_restored_MARK is put in place, a half-made NAME_restore_MARK
/// is dropped and made again, and after a finished one there is nothing to do.
///
/// Thread safety: free functions. Errors: a TenantFault, kinds restore_refused, restore_failed,
/// restore_not_proven, sessions_remain, lock_held and those of engine/fault.h. Its hint says what
/// is left, and where.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/fault.h"
#include "orchestrator/backup/restore_means.h"

namespace drover::orchestrator::backup {

/// Nullopt: the tenant's database is what the backup holds.
std::optional<engine::TenantFault> restore_database(const RestoreRequest& request,
                                                    const RestoreMeans& means,
                                                    const engine::Patience& patience);

/// What the old database is called after restore_database() with this mark.
std::string old_database_name(const std::string& database, const std::string& mark);

struct UnfinishedRestores {
  std::vector<std::string> marks;  ///< Sorted.
  std::optional<engine::TenantFault> fault;
};

/// Marks of restores of `tenant` that were cut short: for a caller who has lost them.
UnfinishedRestores unfinished_restores(const Tenant& tenant,
                                       const RestoreMeans& means,
                                       const engine::Patience& patience);

/// Takes a restore back that was cut short before its swap was done: opens the live database, and
/// drops what was made. Refused where there is no live database.
std::optional<engine::TenantFault> abandon_restore(const Tenant& tenant,
                                                   const std::string& mark,
                                                   const RestoreMeans& means,
                                                   const engine::Patience& patience);

struct DrillResult {
  std::optional<engine::TenantFault> fault;  ///< Nullopt: the backup can be put back.
  std::size_t tables = 0;
  std::uint64_t rows = 0;
  engine::Milliseconds took{0};
};

/// Restores into NAME_drill_MARK, proves it as restore_database() does, and drops it whatever came
/// of it. Locks, closes and ends nothing.
DrillResult restore_into_throw_away(const RestoreRequest& request,
                                    const RestoreMeans& means,
                                    const engine::Patience& patience);

}  // namespace drover::orchestrator::backup

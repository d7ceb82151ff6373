/// What must not be run, found before anything is: units that this version or the asked-for
/// transaction mode cannot hold, revisions that cannot be undone, steps whose ground is gone.
///
/// Thread safety: a pure function.

#pragma once

#include <optional>
#include <vector>

#include "engine/fault.h"
#include "engine/migration_set.h"
#include "engine/tenant_plan.h"
#include "engine/transaction_script.h"

namespace drover::engine {

/// The first reason not to run `steps` on a tenant that has applied `applied`; nullopt: there is
/// none.
std::optional<TenantFault> step_refusal(const MigrationSet& migrations,
                                        Dialect dialect,
                                        const RevisionSet& applied,
                                        const std::vector<Step>& steps,
                                        TransactionMode mode);

}  // namespace drover::engine

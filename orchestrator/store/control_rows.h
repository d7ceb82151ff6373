/// The rows by which people steer: controls of living runs, approvals of stages, holds of tenants.
///
/// Thread safety: that of the transaction.

#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "orchestrator/journal.h"
#include "orchestrator/store/store_db.h"

namespace drover::orchestrator::store {

void insert_control(StoreTransaction& transaction, const RunId& run, const Control& control);

/// The oldest first; they are not told again.
std::vector<Control> take_controls(StoreTransaction& transaction, const RunId& run);

void insert_stage_approval(StoreTransaction& transaction,
                           const RunId& run,
                           const std::string& stage,
                           const std::string& who);
std::map<std::string, std::set<std::string>> select_stage_approvals(StoreTransaction& transaction,
                                                                    const RunId& run);

void put_hold(StoreTransaction& transaction, const std::string& environment, const Hold& hold);

/// How many went: one or none.
std::size_t delete_hold(StoreTransaction& transaction,
                        const std::string& environment,
                        const TenantId& tenant);

/// Those that have not ended by the store's clock.
std::vector<Hold> select_holds(StoreTransaction& transaction, const std::string& environment);

}  // namespace drover::orchestrator::store

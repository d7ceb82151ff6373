/// The journal's tables `run_tenants`, `durations` and `events`: their statements, and rows as
/// records.
///
/// Thread safety: free functions on a transaction. Errors: those of StoreTransaction, and Error
/// storage: journal_corrupt for a row that makes no sense.

#pragma once

#include <span>
#include <string>
#include <vector>

#include "orchestrator/journal.h"
#include "orchestrator/store/journal_writer.h"
#include "orchestrator/store/store_db.h"

namespace drover::orchestrator::store {

/// Lists the tenants of a new run, none of them started.
void insert_tenants(StoreTransaction& transaction,
                    const RunId& run,
                    std::span<const TenantId> tenants);

/// Writes entries of one run. Of each tenant there is at most one (see coalesced()), and an event
/// that is there already under its writer and number is left alone.
void write_entries(StoreTransaction& transaction,
                   const std::string& environment,
                   const std::string& writer,
                   std::span<const NumberedEntry* const> entries,
                   WallTime now);

/// In the order of the run's list; a tenant that was recorded without being listed comes last.
std::vector<JournalTenant> select_tenants(StoreTransaction& transaction, const RunId& run);

/// In the order they were written.
std::vector<EventRecord> select_events(StoreTransaction& transaction, const RunId& run);

}  // namespace drover::orchestrator::store

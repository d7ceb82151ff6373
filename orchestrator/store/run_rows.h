/// The journal's tables `runs`, `leases` and `run_files`: their statements, and rows as records.
///
/// Whether a lease lives is said here and nowhere else.
///
/// Thread safety: free functions on a transaction. Errors: those of StoreTransaction, and Error
/// storage: journal_corrupt for a row that makes no sense.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "orchestrator/journal.h"
#include "orchestrator/store/journal_options.h"
#include "orchestrator/store/store_db.h"

namespace drover::orchestrator::store {

std::int64_t milliseconds_of(WallTime time) noexcept;
WallTime wall_time_of(std::int64_t milliseconds) noexcept;

/// A run with what only the store needs to know of it.
struct RunRow {
  RunRecord record;  ///< Without counts and files.
  std::string owner_process;
  std::string token;
  bool holds_lease = false;
};

std::optional<RunRow> find_run(StoreTransaction& transaction, const RunId& run);

/// The runs whose id begins with `prefix`, at most two.
std::vector<RunRow> runs_with_prefix(StoreTransaction& transaction, const std::string& prefix);

/// The newest first. An empty environment means all.
std::vector<RunRow> newest_runs(StoreTransaction& transaction,
                                const std::string& environment,
                                std::size_t limit);

/// The runs of `environment` that are running or interrupted, the newest first.
std::vector<RunRow> unfinished_runs(StoreTransaction& transaction, const std::string& environment);

/// Running, holding the lease, heard of within the lease, and not known to be dead.
bool is_alive(const RunRow& row, const LeaseOptions& lease, WallTime now);

/// `row` as a caller sees it, with counts and files.
RunRecord complete(StoreTransaction& transaction,
                   const RunRow& row,
                   const LeaseOptions& lease,
                   WallTime now);

/// Keeps every other process from taking or renewing the lease of `environment` until the
/// transaction ends, and says which run holds it; an empty id for none.
RunId lock_lease(StoreTransaction& transaction, const std::string& environment);

void give_lease(StoreTransaction& transaction, const std::string& environment, const RunId& run);

/// Frees the lease, when `run` holds it.
void free_lease(StoreTransaction& transaction, const std::string& environment, const RunId& run);

/// Writes `row`, which is new, and its files.
void insert_run(StoreTransaction& transaction, const RunRow& row, WallTime now);

/// Gives `run` the owner, process and token of `row`, and sets it running.
void hand_over(StoreTransaction& transaction, const RunRow& row, WallTime now);

/// False when the run is not running any more under this owner and token.
bool renew(StoreTransaction& transaction,
           const RunId& run,
           const Owner& owner,
           const std::string& token,
           WallTime now);

/// Locks `run` against a take-over until the transaction ends; false when that has happened.
bool claim_for_writing(StoreTransaction& transaction,
                       const RunId& run,
                       const std::string& token,
                       WallTime now);

/// The environment of `run`; it is there.
std::string environment_of(StoreTransaction& transaction, const RunId& run);

void end_run(
    StoreTransaction& transaction, const RunId& run, RunState state, int exit_status, WallTime now);

}  // namespace drover::orchestrator::store

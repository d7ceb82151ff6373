/// Brings one tenant to where it should be, and says what became of it.
///
/// The rules are those of MIGRATIONS: lock and history before anything, a fence at the head of
/// every transaction, the history row inside the transaction of a revision's last unit, a verify
/// read before its COMMIT is sent, and a lost connection resolved by taking the tenant's lock and
/// reading its history, never by guessing. Which revisions those are says tenant_plan.h; what a
/// message looks like, transaction_script.h; what to make of a non-transactional statement that was
/// cut short, statement_recovery.h.
///
/// Thread safety: an Executor has no state of its own between calls; any number of threads may call
/// apply() of one Executor at once, each for another tenant.
/// Errors: apply() throws GraphError when the goal's target makes no sense for the history on disk.
/// Everything that goes wrong with the tenant is in the outcome.

#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/batch_worker.h"
#include "engine/blocker_watch.h"
#include "engine/clock.h"
#include "engine/fault.h"
#include "engine/history.h"
#include "engine/migration_set.h"
#include "engine/session.h"
#include "engine/tenant_plan.h"
#include "engine/tenant_session.h"

namespace drover::engine {

/// How many revisions travel in one message.
enum class Chaining {
  off,  ///< One at a time: canary tenants, servers that cannot notice a dead client.
  on,   ///< Consecutive transactional revisions without verify together.
};

/// Whether an earlier process worked for the same run.
enum class GoesOn { no, yes };

struct ExecutorOptions {
  ApproachOptions approach;
  Provenance by;
  GoesOn goes_on = GoesOn::no;
  TransactionMode transaction = TransactionMode::per_revision;
  Chaining chaining = Chaining::on;
  std::optional<Milliseconds> concurrent_timeout;  ///< For CONCURRENTLY and its like; unset: none.
  int lock_attempts = 5;     ///< Tries of a unit that a lock, a deadlock or the like stopped.
  int timeout_attempts = 2;  ///< Tries of a unit that ran into statement_timeout.

  /// Asked on the caller's thread before each message that changes something: false where whoever
  /// runs has lost the right to (a lease that is over). Absent: always true.
  std::function<bool()> may_start = {};

  BatchWorker* batches = nullptr;  ///< Must outlive the executor; absent: batches are refused.
};

struct ApplyOutcome {
  enum class Kind {
    current,      ///< Nothing had to be done.
    applied,      ///< Everything was done.
    failed,       ///< Stopped between two revisions, or before the first.
    partial,      ///< Stopped inside a revision of several units.
    in_doubt,     ///< A commit, or a statement that cannot be undone, may or may not have happened.
    unreachable,  ///< Never got as far as reading the history.
  };

  Kind kind = Kind::failed;
  std::vector<RevisionId> from;  ///< Heads before the run (ExecutorOptions::by), which may have
                                 ///< been cut short and gone on; empty: none.
  std::vector<RevisionId> to;    ///< Heads after.
  std::vector<RevisionId> done;  ///< Revisions that this call took up or down, in order.
  int attempts = 1;              ///< Times that something was tried, retries of units included.
  std::string uid;               ///< Of the tenant; empty when it has no history.
  std::optional<TenantFault> fault;
};

/// What became of steps that were tried and taken back.
struct RehearsalOutcome {
  std::vector<RevisionId> tried;    ///< In order; with a fault, up to the one that failed.
  std::vector<RevisionId> untried;  ///< The rest of what apply() would run.
  std::string why_untried;          ///< "revision '0006' has a no-transaction section ..."
  std::optional<TenantFault> fault;
};

/// What a caller may watch while a tenant is under way, and where it has a word. Called on the
/// caller's thread.
struct ApplyObserver {
  std::function<void(const RevisionId&, Direction)> on_revision;
  std::function<void(const TenantFault&)> on_retry;
  BatchObserver on_batch;  ///< From a thread of the worker's.

  /// Asked under the tenant's lock, before the first message that changes something there, with
  /// what its history says; may take long (a backup). A fault that it returns ends the tenant's
  /// turn with nothing written. Asked again when somebody else has changed the tenant meanwhile.
  std::function<std::optional<TenantFault>(const History&, const Patience&)> before_change;
};

class Executor {
 public:
  /// All references must outlive the Executor.
  Executor(SessionFactory& factory,
           Clock& clock,
           const MigrationSet& migrations,
           ExecutorOptions options,
           BlockerWatch& watch,
           DdlGate& ddl_gate);

  /// Takes `target` to `goal`. `kept` may hold a session of the same database; what can be kept of
  /// this one is put there (pass nullptr for neither).
  ApplyOutcome apply(const Target& target,
                     const TenantFacts& facts,
                     const Goal& goal,
                     const Patience& patience,
                     KeptSession* kept = nullptr,
                     const ApplyObserver& observer = {}) const;

  /// Runs what apply() would run, under the tenant's lock and in one transaction, and rolls it
  /// back. Goes as far as a single transaction can: up to the first step that cannot be part of
  /// one. What it locks stays locked until it ends. Nothing is written, no history either; a
  /// sequence that was advanced stays so, and whatever a function does beyond its database.
  RehearsalOutcome rehearse(const Target& target,
                            const TenantFacts& facts,
                            const Goal& goal,
                            const Patience& patience) const;

 private:
  SessionFactory& factory_;
  Clock& clock_;
  const MigrationSet& migrations_;
  ExecutorOptions options_;
  BlockerWatch& watch_;
  DdlGate& ddl_gate_;
};

}  // namespace drover::engine

/// The run journal: what a run is doing and what past runs did, for people and for resuming.
///
/// The journal is never the truth about a tenant; the tenant's own history is (see
/// engine/history.h). Losing the journal loses no tenant. Implementations: store/sqlite_journal.h,
/// store/postgres_journal.h. Both pass tests/conformance/journal_conformance.h.
///
/// Thread safety: any thread may call record(); it only queues. One writer inside the
/// implementation groups what is queued into a commit about every 50 ms. Everything else may be
/// called from any thread and blocks until it is done.
///
/// Errors: what a database or a disk does throws Error storage (kind journal_failed), or
/// unreachable when the store cannot be connected to. A failed background write is thrown by the
/// next call of flush(), heartbeat() or finish_run().

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engine/error.h"
#include "orchestrator/control.h"
#include "orchestrator/outcome.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator {

/// Sorts by time: "20261122T133512-4f2a9c".
struct RunId {
  std::string value;

  auto operator<=>(const RunId&) const = default;
};

using WallTime = std::chrono::system_clock::time_point;

/// The id of a run that starts at `now`; `random` tells it from others of the same second.
RunId make_run_id(WallTime now, std::uint32_t random);

/// Who runs it.
struct Owner {
  std::string user;
  std::string host;
  std::int64_t pid = 0;

  bool operator==(const Owner&) const = default;
};

enum class RunState {
  running,      ///< Or its owner died; the lease tells.
  finished,     ///< Every tenant has an outcome.
  interrupted,  ///< Drained on request; the rest can be resumed.
  abandoned,    ///< Replaced by a later run on purpose.
};

/// Points to static storage.
std::string_view name_of(RunState state) noexcept;

/// The state called `name`, or nullopt.
std::optional<RunState> run_state_named(std::string_view name) noexcept;

/// What a run is to do; enough to do it again after a crash.
struct RunRequest {
  std::string environment;
  std::string verb;     ///< "upgrade" or "downgrade".
  std::string target;   ///< As the person wrote it: "head", "0004", "-1".
  std::string digest;   ///< MigrationSet::digest().
  std::string options;  ///< JSON of what else matters for a resume; opaque to the journal.
  std::vector<TenantId> tenants;
  std::map<std::string, std::string> texts;  ///< SHA-256 -> bytes of each migration file.
  std::map<std::string, std::string> files;  ///< File name -> SHA-256.
  std::string plan = {};                     ///< The text of its plan file; empty: it has none.
};

struct RunRecord {
  RunId id;
  RunRequest request;  ///< `tenants`, `texts` and `plan` are empty here; see the calls for them.
  Owner owner;
  RunState state = RunState::running;
  int exit_status = 0;
  WallTime started;  ///< By the store's clock, like every time here.
  WallTime heartbeat;
  std::optional<WallTime> finished;
  bool lease_alive = false;  ///< Still running, and its heartbeat is younger than the lease.
  std::size_t total = 0;
  std::map<Outcome, std::size_t> counts;  ///< Of the tenants that have an outcome so far.
};

/// A tenant's turn has begun.
struct TenantStarted {
  RunId run;
  TenantId tenant;
  int attempt = 1;
};

/// A tenant has an outcome.
struct TenantFinished {
  RunId run;
  TenantOutcome outcome;
};

/// Anything else worth keeping: a server was paused, a limit changed, a retry.
struct RunEvent {
  RunId run;
  std::string tenant;  ///< Empty: of the whole run.
  std::string kind;    ///< snake_case: "server_paused".
  std::string text;
};

using JournalEntry = std::variant<TenantStarted, TenantFinished, RunEvent>;

/// One event as it is kept.
struct EventRecord {
  WallTime at;
  std::string tenant;
  std::string kind;
  std::string text;
};

/// A tenant of a run, as the journal knows it.
struct JournalTenant {
  TenantOutcome outcome;
  bool started = false;  ///< Started and without an outcome: under way, or its owner died.
  bool finished = false;
};

/// A living run is in the way.
class RunInProgress : public Error {
 public:
  RunInProgress(RunRecord holder, const std::string& message, std::string hint)
      : Error(ErrorCode::busy, "run_in_progress", message, std::move(hint)),
        holder_(std::move(holder)) {}

  const RunRecord& holder() const noexcept { return holder_; }

 private:
  RunRecord holder_;
};

/// The refusal that names `holder`: who runs it, where, and since when.
RunInProgress run_in_progress(const RunRecord& holder);

/// Error usage: unknown_run.
Error unknown_run(std::string_view run);

/// Error usage: ambiguous_run. `one` and `other` both begin with `prefix`.
Error ambiguous_run(std::string_view prefix, const RunId& one, const RunId& other);

/// Error usage: run_finished. `record` cannot be taken up again.
Error run_finished(const RunRecord& record);

/// Error busy: lease_lost. Another process has taken `run` over; what we still had to record of it
/// is dropped, since the tenants' own histories tell it.
Error lease_lost(const RunId& run);

/// How long what is over stays in the journal.
struct Retention {
  std::chrono::hours events{24 * 90};
  std::size_t runs = 1000;  ///< Of every environment together, the newest.
};

/// A tenant that is kept out of runs.
struct Hold {
  TenantId tenant;
  std::string reason;
  std::string owner;              ///< Who holds it: "alice@host".
  WallTime since = {};            ///< By the store's clock.
  std::optional<WallTime> until;  ///< Nullopt: until it is removed.
};

class Journal {
 public:
  Journal() = default;
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  virtual ~Journal() = default;

  /// Starts a run and takes the environment's lease, in one transaction. A dead run of the same
  /// environment (its heartbeat is older than the lease) does not stand in the way; it stays
  /// resumable until it is resumed or abandoned.
  ///
  /// Throws RunInProgress when a living run holds the lease.
  virtual RunId begin_run(const RunRequest& request, const Owner& owner) = 0;

  /// Takes over a run that is interrupted, or whose owner died, in one transaction.
  ///
  /// Throws RunInProgress when it, or another run of its environment, lives; Error usage
  /// (unknown_run, run_finished).
  virtual void take_over(const RunId& run, const Owner& owner) = 0;

  /// As take_over(), and takes up a run that has finished as well, so that its failures can be
  /// tried again. Throws RunInProgress and Error usage likewise; run_finished for one that was
  /// abandoned.
  virtual void reopen(const RunId& run, const Owner& owner) = 0;

  /// How long a lease holds from its last renewal. A holder trusts it from the moment *before* the
  /// call that renewed it: the store dates the renewal later, so nobody takes over too early.
  virtual std::chrono::milliseconds lease() const noexcept = 0;

  /// Renews the lease. False when it is no longer ours: stop starting tenants at once.
  virtual bool heartbeat(const RunId& run, const Owner& owner) = 0;

  /// Flushes, then ends the run and gives its lease back. A dead run of someone else may only be
  /// abandoned.
  ///
  /// Throws Error busy (lease_lost) when another process has taken it over, RunInProgress when it
  /// is not ours and lives, Error usage: unknown_run, run_finished.
  virtual void finish_run(const RunId& run, RunState state, int exit_status) = 0;

  /// Queues `entry`. Never blocks on the store.
  virtual void record(JournalEntry entry) = 0;

  /// Returns when everything queued before is committed. Throws Error busy: lease_lost.
  virtual void flush() = 0;

  /// The newest first. An empty environment means all.
  virtual std::vector<RunRecord> runs(const std::string& environment, std::size_t limit) = 0;

  /// `run` may be a prefix that fits one run. Throws Error usage: unknown_run, ambiguous_run.
  virtual RunRecord run(const std::string& run) = 0;

  /// The newest run of `environment` that is not finished and whose owner is gone.
  virtual std::optional<RunRecord> resumable(const std::string& environment) = 0;

  virtual std::vector<JournalTenant> tenants_of(const RunId& run) = 0;
  virtual std::vector<EventRecord> events_of(const RunId& run) = 0;

  /// The bytes of every migration file of `run`, by file name.
  virtual std::map<std::string, std::string> texts_of(const RunId& run) = 0;

  /// The text of the run's plan file; empty when it has none.
  virtual std::string plan_of(const RunId& run) = 0;

  /// Leaves `control` for whoever runs `run`. Throws Error usage: unknown_run.
  virtual void send_control(const RunId& run, const Control& control) = 0;

  /// What was sent to `run` since the last call of any process, the oldest first.
  virtual std::vector<Control> take_controls(const RunId& run) = 0;

  /// `who` approves the gate of a stage of `run`; twice is once. Throws Error usage: unknown_run.
  virtual void approve_stage(const RunId& run,
                             const std::string& stage,
                             const std::string& who) = 0;

  /// Who approved what, by stage. Throws Error usage: unknown_run.
  virtual std::map<std::string, std::set<std::string>> stage_approvals(const RunId& run) = 0;

  /// Keeps a tenant out of runs; one that is held already gets the new reason, owner and end.
  virtual void add_hold(const std::string& environment, const Hold& hold) = 0;

  /// False when it was not held.
  virtual bool remove_hold(const std::string& environment, const TenantId& tenant) = 0;

  /// Those that have not ended, by tenant.
  virtual std::vector<Hold> holds(const std::string& environment) = 0;

  /// How long each tenant's last successful change took, for "slowest known first".
  virtual std::map<TenantId, std::chrono::milliseconds> durations(
      const std::string& environment) = 0;

  /// The uid that each tenant id is bound to: that of the last outcome that told one.
  virtual std::map<TenantId, std::string> uids(const std::string& environment) = 0;

  /// Unbinds a tenant id, for a database that was replaced on purpose.
  virtual void forget_uid(const std::string& environment, const TenantId& tenant) = 0;

  /// Forgets what is older than `retention` says; never an unfinished run.
  virtual void prune(const Retention& retention) = 0;
};

}  // namespace drover::orchestrator

/// Who says when a batch may go on: the interface between what changes rows and what watches the
/// server that the rows are on.
///
/// There is one governor for each server, and all batches of all tenants there sit at its table, so
/// that budgets (WAL, active sessions) are the server's. The real one is batch/server_governor.h;
/// what it decides by is in batch_throttle.h.
///
/// Thread safety: a governor may be called from any thread; a seat belongs to one worker.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/clock.h"
#include "engine/target.h"

namespace drover::engine {

/// Why a batch does not work at the moment. Every second of waiting is booked to one of them.
enum class WaitReason {
  none,
  paused,        ///< By people, through the control row.
  rest,          ///< The share of rest that people asked for (nice).
  window,        ///< Outside of the hours in which batches may run.
  flag,          ///< A flag file is there.
  query,         ///< The batch's own throttle query says no.
  unobservable,  ///< A signal could not be read for too long; nobody knows, so nobody writes.
  replica_lag,
  slot_retention,    ///< A replication slot, or the archive, keeps too much WAL.
  blocked_sessions,  ///< Others waited for rows that we held.
  active_backends,
  commit_latency,
  wal_budget,
  autovacuum,  ///< One against wraparound works on the table.
  dead_rows,   ///< The table has to be vacuumed first.
  lock,        ///< Retries after a lock, a timeout or a deadlock.
};

/// "replica_lag": as tables, logs and JSON say it.
std::string_view name_of(WaitReason reason) noexcept;

/// What a worker did since it last asked.
struct BatchWork {
  std::uint64_t rows = 0;
  std::uint64_t wal_bytes = 0;
  Milliseconds busy{0};    ///< In the database, from BEGIN to the end of COMMIT.
  Milliseconds commit{0};  ///< Of that, the COMMIT with its way there and back.
};

/// What the governor says to a worker who asks.
struct BatchLeave {
  bool go = true;
  WaitReason reason = WaitReason::none;  ///< Why not.
  std::string detail;                    ///< "replica standby1 is 7.2 s behind"
  Milliseconds ask_again{0};             ///< After this long.
  bool vacuum_first = false;             ///< With dead_rows: a VACUUM by us would help.
};

/// What a worker says of itself when it sits down.
struct BatchSeatFacts {
  std::int64_t backend_pid = 0;  ///< Of its session; 0 on SQLite.
  std::int64_t table_oid = 0;    ///< PostgreSQL.
  std::string throttle;          ///< The section's own query; empty: none.
  double vacuum_share = 0.2;     ///< Dead rows for each live one at which a VACUUM is due.
  std::function<void()> cancel;  ///< Cancels what the worker's session runs now; any thread.
};

class BatchGovernor {
 public:
  BatchGovernor() = default;
  BatchGovernor(const BatchGovernor&) = delete;
  BatchGovernor& operator=(const BatchGovernor&) = delete;
  virtual ~BatchGovernor() = default;

  /// One worker's place; leaves when it is destroyed, and `cancel` is not called afterwards.
  class Seat {
   public:
    Seat() = default;
    Seat(const Seat&) = delete;
    Seat& operator=(const Seat&) = delete;
    virtual ~Seat() = default;

    /// Asked before each batch; never waits. `done` is what was done since the last call.
    virtual BatchLeave ask(const BatchWork& done) = 0;

    /// Whether the governor has cancelled a statement of this worker since this was last asked.
    virtual bool was_cancelled() = 0;

    /// Takes the place of another session (a reconnect).
    virtual void moved(std::int64_t backend_pid) = 0;
  };

  virtual std::unique_ptr<Seat> enter(const Target& target, BatchSeatFacts facts) = 0;

  /// How many workers the load of the server bears for one batch that would like `wanted`.
  virtual unsigned workers_for(const Target& target, unsigned wanted) = 0;
};

/// Lets everybody go at once. For SQLite, and for tests that do not ask.
class OpenBatchGovernor final : public BatchGovernor {
 public:
  std::unique_ptr<Seat> enter(const Target& target, BatchSeatFacts facts) override;
  unsigned workers_for(const Target& /*target*/, unsigned wanted) override { return wanted; }
};

}  // namespace drover::engine

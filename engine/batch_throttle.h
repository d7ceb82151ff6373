/// When batches may work on one server: the law that its governor applies.
///
/// Whoever watches the server says what was read of it and when; whoever works says what was done;
/// the law answers each worker with go, or with a reason to wait that a person understands. It asks
/// nobody itself and has no clock: batch/server_governor.h reads the server. How large a batch is
/// is not its business either.
///
/// Replica lag, slots, the archive, blocked sessions, and what a table or the batch's own query
/// says only stop. How many workers a batch may have follows from the load: active backends, commit
/// latency, WAL, blocked sessions (batch_pace.h).
///
/// It fails closed: what could be read once and cannot be read any more stops everybody after
/// BatchLimits::unobservable. What could never be read, for want of rights, is left out and noted.
///
/// Thread safety: none; the governor guards it. Errors: none.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/batch_governor.h"
#include "engine/batch_pace.h"
#include "engine/clock.h"

namespace drover::engine {

/// Something that people switch, and its name in messages. It is asked before every batch, under
/// the lock of the server's governor, so it has to be quick. Empty: there is none.
struct BatchSwitch {
  std::function<bool()> is_on;
  std::string name;
};

/// The numbers are those of batches.md 6.4 unless another source is given.
struct BatchLimits {
  Milliseconds replica_lag{5'000};
  std::uint64_t replica_bytes = std::uint64_t{256} << 20U;
  double slot_share = 0.5;           ///< Of max_slot_wal_keep_size.
  std::uint64_t slot_bytes = 0;      ///< Where the server sets none, its default; 0: no limit.
  std::uint64_t archive_queue = 42;  ///< Segments.
  Milliseconds blocked_soft{100};    ///< From here on a blocked session counts as load,
  Milliseconds blocked{500};         ///< and here the batch that blocks it is cancelled.
  std::uint64_t active_backends = 25;
  Milliseconds commit_latency{100};
  std::uint64_t wal_per_second = 0;  ///< Bytes, of all batches of the server; 0: no budget.
  Milliseconds unobservable{15'000};

  BatchSwitch window;  ///< On: batches may run. The name: "22:00-06:00 Europe/Berlin".
  BatchSwitch flag;    ///< On: they may not. The name: the file's path.
};

/// What is read of a server as a whole.
enum class BatchSignal { blocked, replicas, slots, archive, backends, autovacuum };
inline constexpr std::size_t kBatchSignals = 6;

/// "replica lag": as messages call it.
std::string_view described(BatchSignal signal) noexcept;

/// A session of somebody else that waits for a backend of ours.
struct BlockedReading {
  std::int64_t our_pid = 0;
  std::int64_t pid = 0;
  Milliseconds waited{0};
};

struct ReplicaReading {
  std::string name;
  std::optional<Milliseconds> lag;  ///< None: idle, or not told.
  std::uint64_t bytes = 0;          ///< Written here and not yet replayed there.
};

struct SlotReading {
  std::string name;
  std::uint64_t retained = 0;          ///< Bytes of WAL.
  std::optional<std::uint64_t> limit;  ///< max_slot_wal_keep_size, in bytes.
};

struct AutovacuumReading {
  std::string database;
  std::int64_t table_oid = 0;
  bool against_wraparound = false;
};

struct TableReading {
  std::uint64_t live = 0;
  std::uint64_t dead = 0;
};

/// What the law has to know of a worker.
struct ThrottleSeat {
  std::string database;
  std::int64_t backend_pid = 0;
  std::int64_t table_oid = 0;
  double vacuum_share = 0.2;
  bool has_query = false;
};

class BatchThrottle {
 public:
  using SeatId = std::uint64_t;

  /// SQLite files have nothing to watch; budgets and switches hold for them all the same.
  enum class Watched { no, yes };

  /// Between two readings of what is not asked for at once (gh-ost's query, batches.md 2.5).
  static constexpr Milliseconds kInterval{1'000};
  /// How long a batch keeps off after it was cancelled for others (our own choice: long enough for
  /// who waited, and who came after, to get through).
  static constexpr Milliseconds kYield{1'000};
  /// Below so many dead rows a VACUUM is not worth a wait (our own choice).
  static constexpr std::uint64_t kFewDeadRows = 1'000;
  /// After one of ours that left too many dead rows, so long none is tried (our own choice).
  static constexpr Milliseconds kVacuumAgain{60'000};
  /// Weight of the newest commit in their mean (our own choice; about the last ten count).
  static constexpr double kCommitWeight = 0.2;

  BatchThrottle(std::string server, BatchLimits limits, Watched watched);

  SeatId enter(ThrottleSeat facts, SteadyTime now);
  void leave(SeatId seat);
  void moved(SeatId seat, std::int64_t backend_pid);
  bool empty() const noexcept { return seats_.empty(); }
  std::map<SeatId, ThrottleSeat> seats() const;

  BatchLeave ask(SeatId id, const BatchWork& done, SteadyTime now);
  bool take_cancelled(SeatId seat);
  unsigned workers_for(unsigned wanted) { return zones_.workers_for(wanted); }

  /// Forgets all readings: nobody has been watching for a while.
  void begin_watch(SteadyTime now);

  /// The seats whose statements are to be cancelled now.
  std::vector<SeatId> read_blocked(const std::vector<BlockedReading>& blocked, SteadyTime now);
  void read_replicas(std::vector<ReplicaReading> replicas, SteadyTime now);
  void read_slots(std::vector<SlotReading> slots, SteadyTime now);
  void read_archive(std::uint64_t queue, SteadyTime now);
  void read_backends(std::uint64_t active, SteadyTime now);
  void read_autovacuum(std::vector<AutovacuumReading> running, SteadyTime now);

  /// Nothing came back: the session, or the server, failed.
  void failed(BatchSignal signal, const std::string& error);

  /// The server would not tell, or not to this role. Fatal only where it once did. False: the
  /// signal is left out from now on.
  bool refused(BatchSignal signal, const std::string& error);
  bool is_left_out(BatchSignal signal) const;

  /// Seats whose table and query are to be read now. A batch that is over within kInterval causes
  /// no session in its database, unless it has a query of its own.
  std::vector<SeatId> due(SteadyTime now) const;
  void read_table(SeatId id, const TableReading& table, SteadyTime now);
  void read_query(SeatId id, bool waits);
  void table_failed(SeatId id, const std::string& error, SteadyTime now);

  /// Looks at the load, for workers_for(). Call it at least once a kInterval.
  void observe(SteadyTime now);

  /// Signals that are left out and why, for reports: each once, a sentence without a full stop.
  const std::vector<std::string>& notes() const noexcept { return notes_; }

 private:
  struct Signal {
    std::optional<SteadyTime> read_at;
    bool ever_read = false;  // also by an earlier watch
    bool left_out = false;
    std::string error;  // of the last attempt; empty: it succeeded
  };

  struct Seat {
    ThrottleSeat facts;
    SteadyTime entered;
    std::optional<SteadyTime> tried_at;  // table and query
    std::optional<SteadyTime> read_at;
    std::string error;
    std::optional<TableReading> table;     // none: not known, or a VACUUM has changed it since
    bool vacuums = false;                  // was told to, and has not asked since
    bool judges = false;                   // has done so, and the table was not read since
    std::optional<SteadyTime> useless_at;  // when a VACUUM was seen to have left too many
    std::optional<bool> query_waits;
    bool cancelled = false;  // and not yet told
    SteadyTime cancelled_at = SteadyTime::min();
    SteadyTime yields_until = SteadyTime::min();
    std::string yields_to;
    SteadyTime rests_until = SteadyTime::min();
  };

  using Check = std::optional<BatchLeave> (BatchThrottle::*)(const Seat& seat, SteadyTime now);
  static const std::array<Check, 11> kChecks;

  void note_work(Seat& seat, const BatchWork& done, SteadyTime now);
  void note_vacuumed(Seat& seat);
  void judge_vacuum(Seat& seat, SteadyTime now);
  static bool has_too_many_dead(const Seat& seat);
  bool somebody_vacuums(const Seat& seat) const;
  void note_read(BatchSignal signal, SteadyTime now);
  Signal& state_of(BatchSignal signal) { return signals_.at(static_cast<std::size_t>(signal)); }
  const AutovacuumReading* autovacuum_on(const Seat& seat) const;
  double utilisation(SteadyTime now);

  std::optional<BatchLeave> check_switches(const Seat& seat, SteadyTime now);
  std::optional<BatchLeave> check_signals(const Seat& seat, SteadyTime now);
  std::optional<BatchLeave> check_table_signal(const Seat& seat, SteadyTime now);
  std::optional<BatchLeave> check_query(const Seat& seat, SteadyTime now);
  std::optional<BatchLeave> check_replicas(const Seat& seat, SteadyTime now);
  std::optional<BatchLeave> check_retention(const Seat& seat, SteadyTime now);
  std::optional<BatchLeave> check_blocked(const Seat& seat, SteadyTime now);
  std::optional<BatchLeave> check_load(const Seat& seat, SteadyTime now);
  std::optional<BatchLeave> check_wal(const Seat& seat, SteadyTime now);
  std::optional<BatchLeave> check_autovacuum(const Seat& seat, SteadyTime now);
  std::optional<BatchLeave> check_dead_rows(const Seat& seat, SteadyTime now);

  std::string server_;
  BatchLimits limits_;
  Watched watched_;
  SeatId next_seat_ = 1;
  std::map<SeatId, Seat> seats_;
  std::vector<std::string> notes_;

  SteadyTime watched_since_ = SteadyTime::min();
  std::array<Signal, kBatchSignals> signals_;
  std::vector<ReplicaReading> replicas_;
  std::vector<SlotReading> slots_;
  std::uint64_t archive_queue_ = 0;
  std::uint64_t active_backends_ = 0;
  std::vector<AutovacuumReading> autovacuums_;

  double blocked_peak_ = 0;  // utilisation by blocked sessions since the load was last looked at
  double commit_ms_ = 0;     // mean of commits; 0: none yet
  SteadyTime committed_at_ = SteadyTime::min();
  WorkerZones zones_;
  WalBudget wal_;
};

}  // namespace drover::engine

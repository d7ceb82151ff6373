#include "engine/batch_throttle.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

namespace drover::engine {
namespace {

/// Where nothing says how long to wait (gh-ost polls 100 ms, batches.md 2.5; what we wait for is
/// read once a second).
constexpr Milliseconds kAskAgain{500};
constexpr Milliseconds kAskAgainSoon{50};  ///< For what is about to be read.

constexpr std::array<std::string_view, kBatchSignals> kDescribed = {"blocked sessions",
                                                                    "replica lag",
                                                                    "replication slots",
                                                                    "archive queue",
                                                                    "active backends",
                                                                    "autovacuum workers"};

std::string in_seconds(Milliseconds time) {
  return fmt::format("{:.1f} s", std::chrono::duration<double>(time).count());
}

std::string megabytes(std::uint64_t bytes) {
  return fmt::format("{} MB", bytes >> 20U);
}

Milliseconds whole(SteadyTime::duration time) {
  return std::chrono::ceil<Milliseconds>(time);
}

BatchLeave wait(WaitReason reason, std::string detail, Milliseconds ask_again = kAskAgain) {
  return {false, reason, std::move(detail), ask_again};
}

/// ": connection refused", or nothing.
std::string after_colon(const std::string& error) {
  return error.empty() ? std::string() : ": " + error;
}

bool same_table(const ThrottleSeat& a, const ThrottleSeat& b) {
  return a.table_oid == b.table_oid && a.database == b.database;
}

double dead_share(const TableReading& table) {
  return static_cast<double>(table.dead) /
         static_cast<double>(std::max<std::uint64_t>(table.live, 1));
}

}  // namespace

std::string_view described(BatchSignal signal) noexcept {
  return kDescribed.at(static_cast<std::size_t>(signal));
}

/// In the order of WaitReason: what people want, what nobody knows, and then the load.
const std::array<BatchThrottle::Check, 11> BatchThrottle::kChecks = {
    &BatchThrottle::check_switches,
    &BatchThrottle::check_signals,
    &BatchThrottle::check_table_signal,
    &BatchThrottle::check_query,
    &BatchThrottle::check_replicas,
    &BatchThrottle::check_retention,
    &BatchThrottle::check_blocked,
    &BatchThrottle::check_load,
    &BatchThrottle::check_wal,
    &BatchThrottle::check_autovacuum,
    &BatchThrottle::check_dead_rows,
};

BatchThrottle::BatchThrottle(std::string server, BatchLimits limits, Watched watched)
    : server_(std::move(server)),
      limits_(std::move(limits)),
      watched_(watched),
      wal_(limits_.wal_per_second) {}

BatchThrottle::SeatId BatchThrottle::enter(ThrottleSeat facts, SteadyTime now) {
  const SeatId id = next_seat_++;
  Seat seat;
  seat.facts = std::move(facts);
  seat.entered = now;
  seats_.emplace(id, std::move(seat));
  return id;
}

void BatchThrottle::leave(SeatId seat) {
  seats_.erase(seat);
}

void BatchThrottle::moved(SeatId seat, std::int64_t backend_pid) {
  seats_.at(seat).facts.backend_pid = backend_pid;
}

std::map<BatchThrottle::SeatId, ThrottleSeat> BatchThrottle::seats() const {
  std::map<SeatId, ThrottleSeat> all;
  for (const auto& [id, seat] : seats_) {
    all.emplace(id, seat.facts);
  }
  return all;
}

BatchLeave BatchThrottle::ask(SeatId id, const BatchWork& done, SteadyTime now) {
  Seat& seat = seats_.at(id);
  note_work(seat, done, now);
  note_vacuumed(seat);
  for (const Check check : kChecks) {
    if (std::optional<BatchLeave> leave = (this->*check)(seat, now)) {
      seat.vacuums = leave->vacuum_first;
      return std::move(*leave);
    }
  }
  return {};
}

/// While autovacuum works on the table, a worker rests for as long as it has worked: half speed.
void BatchThrottle::note_work(Seat& seat, const BatchWork& done, SteadyTime now) {
  wal_.spend(done.wal_bytes, now);
  if (done.commit > Milliseconds(0)) {
    const double latest = std::chrono::duration<double, std::milli>(done.commit).count();
    commit_ms_ = commit_ms_ > 0 ? commit_ms_ + kCommitWeight * (latest - commit_ms_) : latest;
    committed_at_ = now;
  }
  if (done.busy > Milliseconds(0) && autovacuum_on(seat) != nullptr) {
    seat.rests_until = now + done.busy;
  }
}

/// Who was told to VACUUM and comes back has done so: what was read of the table before is old.
void BatchThrottle::note_vacuumed(Seat& seat) {
  if (!std::exchange(seat.vacuums, false)) {
    return;
  }
  seat.judges = true;
  seat.tried_at.reset();
  for (auto& [id, other] : seats_) {
    if (same_table(other.facts, seat.facts)) {
      other.table.reset();
    }
  }
}

/// The first reading after a VACUUM tells whether it helped. If not, something old needs the rows.
void BatchThrottle::judge_vacuum(Seat& seat, SteadyTime now) {
  if (!std::exchange(seat.judges, false)) {
    return;
  }
  const bool useless = has_too_many_dead(seat);
  for (auto& [id, other] : seats_) {
    if (same_table(other.facts, seat.facts)) {
      other.useless_at = useless ? std::optional(now) : std::nullopt;
    }
  }
}

bool BatchThrottle::has_too_many_dead(const Seat& seat) {
  return seat.table && seat.table->dead >= kFewDeadRows &&
         dead_share(*seat.table) >= seat.facts.vacuum_share;
}

bool BatchThrottle::somebody_vacuums(const Seat& seat) const {
  return std::any_of(seats_.begin(), seats_.end(), [&](const auto& other) {
    return other.second.vacuums && same_table(other.second.facts, seat.facts);
  });
}

bool BatchThrottle::take_cancelled(SeatId seat) {
  return std::exchange(seats_.at(seat).cancelled, false);
}

void BatchThrottle::begin_watch(SteadyTime now) {
  watched_since_ = now;
  for (Signal& signal : signals_) {
    signal.read_at.reset();
    signal.left_out = false;  // rights may have been given since
    signal.error.clear();
  }
  replicas_.clear();
  slots_.clear();
  autovacuums_.clear();
  archive_queue_ = 0;
  active_backends_ = 0;
}

void BatchThrottle::note_read(BatchSignal signal, SteadyTime now) {
  Signal& state = state_of(signal);
  state.read_at = now;
  state.ever_read = true;
  state.error.clear();
}

std::vector<BatchThrottle::SeatId> BatchThrottle::read_blocked(
    const std::vector<BlockedReading>& blocked, SteadyTime now) {
  note_read(BatchSignal::blocked, now);
  std::vector<SeatId> to_cancel;
  for (auto& [id, seat] : seats_) {
    for (const BlockedReading& victim : blocked) {
      if (victim.our_pid != seat.facts.backend_pid || victim.waited < limits_.blocked_soft) {
        continue;
      }
      const bool hard = victim.waited >= limits_.blocked;
      blocked_peak_ =
          std::max(blocked_peak_, hard ? WorkerZones::kHalveFrom : WorkerZones::kDropFrom);
      if (!hard) {
        continue;
      }
      seat.yields_until = now + kYield;
      seat.yields_to = fmt::format("session {} waited {} for what this batch had locked",
                                   victim.pid,
                                   in_seconds(victim.waited));
      // A request to cancel is on its way for a while, and must not hit what comes next.
      if (now >= seat.cancelled_at + limits_.blocked || seat.cancelled_at == SteadyTime::min()) {
        seat.cancelled_at = now;
        seat.cancelled = true;
        to_cancel.push_back(id);
      }
    }
  }
  return to_cancel;
}

void BatchThrottle::read_replicas(std::vector<ReplicaReading> replicas, SteadyTime now) {
  note_read(BatchSignal::replicas, now);
  replicas_ = std::move(replicas);
}

void BatchThrottle::read_slots(std::vector<SlotReading> slots, SteadyTime now) {
  note_read(BatchSignal::slots, now);
  slots_ = std::move(slots);
}

void BatchThrottle::read_archive(std::uint64_t queue, SteadyTime now) {
  note_read(BatchSignal::archive, now);
  archive_queue_ = queue;
}

void BatchThrottle::read_backends(std::uint64_t active, SteadyTime now) {
  note_read(BatchSignal::backends, now);
  active_backends_ = active;
}

void BatchThrottle::read_autovacuum(std::vector<AutovacuumReading> running, SteadyTime now) {
  note_read(BatchSignal::autovacuum, now);
  autovacuums_ = std::move(running);
}

void BatchThrottle::failed(BatchSignal signal, const std::string& error) {
  state_of(signal).error = error;
}

bool BatchThrottle::refused(BatchSignal signal, const std::string& error) {
  Signal& state = state_of(signal);
  state.error = error;
  if (state.ever_read) {
    return true;
  }
  state.left_out = true;
  std::string note =
      fmt::format("server {} is not watched for {}: {}", server_, described(signal), error);
  if (std::find(notes_.begin(), notes_.end(), note) == notes_.end()) {
    notes_.push_back(std::move(note));
  }
  return false;
}

bool BatchThrottle::is_left_out(BatchSignal signal) const {
  return signals_.at(static_cast<std::size_t>(signal)).left_out;
}

std::vector<BatchThrottle::SeatId> BatchThrottle::due(SteadyTime now) const {
  std::vector<SeatId> seats;
  for (const auto& [id, seat] : seats_) {
    const SteadyTime from = seat.facts.has_query ? seat.entered : seat.entered + kInterval;
    if (now >= from && (!seat.tried_at || now >= *seat.tried_at + kInterval)) {
      seats.push_back(id);
    }
  }
  return seats;
}

void BatchThrottle::read_table(SeatId id, const TableReading& table, SteadyTime now) {
  if (const auto seat = seats_.find(id); seat != seats_.end()) {
    seat->second.table = table;
    seat->second.tried_at = now;
    seat->second.read_at = now;
    seat->second.error.clear();
    judge_vacuum(seat->second, now);
  }
}

void BatchThrottle::read_query(SeatId id, bool waits) {
  if (const auto seat = seats_.find(id); seat != seats_.end()) {
    seat->second.query_waits = waits;
  }
}

void BatchThrottle::table_failed(SeatId id, const std::string& error, SteadyTime now) {
  if (const auto seat = seats_.find(id); seat != seats_.end()) {
    seat->second.tried_at = now;
    seat->second.error = error;
  }
}

double BatchThrottle::utilisation(SteadyTime now) {
  const double backends =
      static_cast<double>(active_backends_) / static_cast<double>(limits_.active_backends);
  const double commits = commit_ms_ / static_cast<double>(limits_.commit_latency.count());
  return std::max({blocked_peak_, backends, commits, wal_.utilisation(now)});
}

void BatchThrottle::observe(SteadyTime now) {
  if (zones_.observe(utilisation(now), now)) {
    blocked_peak_ = 0;
  }
}

const AutovacuumReading* BatchThrottle::autovacuum_on(const Seat& seat) const {
  const auto found =
      std::find_if(autovacuums_.begin(), autovacuums_.end(), [&](const AutovacuumReading& one) {
        return one.table_oid == seat.facts.table_oid && one.database == seat.facts.database;
      });
  return found == autovacuums_.end() ? nullptr : &*found;
}

std::optional<BatchLeave> BatchThrottle::check_switches(const Seat& /*seat*/, SteadyTime /*now*/) {
  if (limits_.window.is_on && !limits_.window.is_on()) {
    return wait(WaitReason::window, "batches run " + limits_.window.name + " only");
  }
  if (limits_.flag.is_on && limits_.flag.is_on()) {
    return wait(WaitReason::flag, "the flag file " + limits_.flag.name + " is there");
  }
  return std::nullopt;
}

/// Nobody begins before everything was read once, and goes on when it cannot be read any more.
std::optional<BatchLeave> BatchThrottle::check_signals(const Seat& /*seat*/, SteadyTime now) {
  if (watched_ == Watched::no) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < kBatchSignals; ++i) {
    const Signal& signal = signals_.at(i);
    if (signal.left_out) {
      continue;
    }
    const std::string_view name = kDescribed.at(i);
    if (!signal.read_at) {
      return wait(
          WaitReason::unobservable,
          fmt::format(
              "server {} has not yet told its {}{}", server_, name, after_colon(signal.error)),
          signal.error.empty() ? kAskAgainSoon : kAskAgain);
    }
    if (now - *signal.read_at >= limits_.unobservable) {
      return wait(WaitReason::unobservable,
                  fmt::format("server {} has not told its {} for {}{}",
                              server_,
                              name,
                              in_seconds(whole(now - *signal.read_at)),
                              after_colon(signal.error)));
    }
  }
  return std::nullopt;
}

/// A table may be worked on before its numbers are known, but not before the batch's own query has
/// answered.
std::optional<BatchLeave> BatchThrottle::check_table_signal(const Seat& seat, SteadyTime now) {
  if (watched_ == Watched::no) {
    return std::nullopt;
  }
  if (seat.facts.has_query && !seat.query_waits) {
    return wait(WaitReason::unobservable,
                "the batch's throttle query has not yet answered" + after_colon(seat.error),
                seat.error.empty() ? kAskAgainSoon : kAskAgain);
  }
  const SteadyTime::duration age = now - seat.read_at.value_or(seat.entered);
  if (age < limits_.unobservable) {
    return std::nullopt;
  }
  return wait(WaitReason::unobservable,
              fmt::format("{} in database {} could not be read for {}{}",
                          seat.facts.has_query ? "the throttle query" : "the table's statistics",
                          seat.facts.database,
                          in_seconds(whole(age)),
                          after_colon(seat.error)));
}

std::optional<BatchLeave> BatchThrottle::check_query(const Seat& seat, SteadyTime /*now*/) {
  if (!seat.query_waits.value_or(false)) {
    return std::nullopt;
  }
  return wait(WaitReason::query, "the batch's throttle query says wait");
}

std::optional<BatchLeave> BatchThrottle::check_replicas(const Seat& /*seat*/, SteadyTime /*now*/) {
  for (const ReplicaReading& replica : replicas_) {
    if (replica.lag && *replica.lag >= limits_.replica_lag) {
      return wait(WaitReason::replica_lag,
                  fmt::format("replica {} is {} behind, the limit is {}",
                              replica.name,
                              in_seconds(*replica.lag),
                              in_seconds(limits_.replica_lag)));
    }
    if (replica.bytes >= limits_.replica_bytes) {
      return wait(WaitReason::replica_lag,
                  fmt::format("replica {} is {} behind, the limit is {}",
                              replica.name,
                              megabytes(replica.bytes),
                              megabytes(limits_.replica_bytes)));
    }
  }
  return std::nullopt;
}

std::optional<BatchLeave> BatchThrottle::check_retention(const Seat& /*seat*/, SteadyTime /*now*/) {
  for (const SlotReading& slot : slots_) {
    const double limit = slot.limit ? static_cast<double>(*slot.limit) * limits_.slot_share
                                    : static_cast<double>(limits_.slot_bytes);
    if (limit > 0 && static_cast<double>(slot.retained) >= limit) {
      return wait(WaitReason::slot_retention,
                  fmt::format("slot {} keeps {} of WAL, the limit is {}",
                              slot.name,
                              megabytes(slot.retained),
                              megabytes(static_cast<std::uint64_t>(limit))));
    }
  }
  if (archive_queue_ >= limits_.archive_queue) {
    return wait(WaitReason::slot_retention,
                fmt::format("{} segments of WAL wait for the archive, the limit is {}",
                            archive_queue_,
                            limits_.archive_queue));
  }
  return std::nullopt;
}

std::optional<BatchLeave> BatchThrottle::check_blocked(const Seat& seat, SteadyTime now) {
  if (now >= seat.yields_until) {
    return std::nullopt;
  }
  return wait(WaitReason::blocked_sessions, seat.yields_to, whole(seat.yields_until - now));
}

/// Slow commits let one batch through each kInterval: only a commit can show that they are better.
std::optional<BatchLeave> BatchThrottle::check_load(const Seat& /*seat*/, SteadyTime now) {
  if (active_backends_ >= limits_.active_backends) {
    return wait(WaitReason::active_backends,
                fmt::format("{} other sessions are active, the limit is {}",
                            active_backends_,
                            limits_.active_backends));
  }
  const bool slow = commit_ms_ >= static_cast<double>(limits_.commit_latency.count());
  if (slow && now < committed_at_ + kInterval) {
    return wait(WaitReason::commit_latency,
                fmt::format("a commit takes {:.0f} ms, the limit is {} ms",
                            commit_ms_,
                            limits_.commit_latency.count()),
                whole(committed_at_ + kInterval - now));
  }
  return std::nullopt;
}

std::optional<BatchLeave> BatchThrottle::check_wal(const Seat& /*seat*/, SteadyTime now) {
  const Milliseconds debt = wal_.wait(now);
  if (debt == Milliseconds(0)) {
    return std::nullopt;
  }
  return wait(WaitReason::wal_budget,
              fmt::format("the server's {} of WAL a second are used up", megabytes(wal_.rate())),
              std::min(debt, kInterval));
}

std::optional<BatchLeave> BatchThrottle::check_autovacuum(const Seat& seat, SteadyTime now) {
  const AutovacuumReading* const running = autovacuum_on(seat);
  if (running == nullptr) {
    return std::nullopt;
  }
  if (running->against_wraparound) {
    return wait(WaitReason::autovacuum, "autovacuum works on the table against wraparound");
  }
  if (now >= seat.rests_until) {
    return std::nullopt;
  }
  return wait(WaitReason::autovacuum,
              "autovacuum works on the table: half speed",
              std::min(whole(seat.rests_until - now), kInterval));
}

std::optional<BatchLeave> BatchThrottle::check_dead_rows(const Seat& seat, SteadyTime now) {
  if (seat.judges) {
    return wait(WaitReason::dead_rows, "looking at what the VACUUM has left");
  }
  if (!has_too_many_dead(seat)) {
    return std::nullopt;
  }
  const TableReading& table = *seat.table;
  const bool useless = seat.useless_at && now - *seat.useless_at < kVacuumAgain;
  BatchLeave leave =
      wait(WaitReason::dead_rows,
           fmt::format("the table has {} dead rows for {} live ones, the limit is {:.0f} %{}",
                       table.dead,
                       table.live,
                       seat.facts.vacuum_share * 100,
                       useless ? "; a VACUUM has just not helped, something old needs them" : ""));
  leave.vacuum_first = !useless && !somebody_vacuums(seat);
  return leave;
}

}  // namespace drover::engine

/// How far a run is, for display: counts, rate, time to go, what is slow, what we wait for.
///
/// The coordinator feeds it and asks for snapshots; report/ and cli/ draw them. It decides nothing
/// (see schedule.h), has no clock and does no I/O.
///
/// Thread safety: none; snapshots are values.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/clock.h"
#include "orchestrator/outcome.h"
#include "orchestrator/schedule.h"

namespace drover::orchestrator {

/// Amounts per second, the last ten seconds or so counting most.
class Rate {
 public:
  explicit Rate(engine::SteadyTime start) noexcept : start_(start), at_(start) {}

  void add(double amount, engine::SteadyTime now) noexcept;
  double per_second(engine::SteadyTime now) const noexcept;

 private:
  double decayed(engine::SteadyTime now) const noexcept;

  engine::SteadyTime start_;
  engine::SteadyTime at_;
  double weight_ = 0;
};

struct TenantUnderWay {
  TenantId id;
  std::chrono::milliseconds age{0};
  int attempt = 1;
};

/// Backups that a run makes before its changes.
struct BackupProgress {
  std::size_t made = 0;
  std::size_t failed = 0;
  std::size_t planned = 0;  ///< As far as is known.
  std::size_t in_flight = 0;
  std::size_t urgent = 0;   ///< Of those not begun: their tenants wait.
  std::uint64_t bytes = 0;  ///< Written so far.
  double bytes_per_second = 0;
  std::optional<std::chrono::milliseconds> remaining;  ///< Nullopt: too early to say.
};

/// Batched changes of data that are under way.
struct BatchProgress {
  std::size_t tenants = 0;
  std::uint64_t rows_seen = 0;
  std::uint64_t estimated_rows = 0;  ///< Not fewer than were seen.
  double rows_per_second = 0;
  std::uint64_t parked = 0;
  std::map<std::string, std::size_t> waiting;  ///< Tenants by the reason for which they wait.
  std::optional<std::chrono::milliseconds> remaining;  ///< Nullopt: too early to say.
};

struct ProgressSnapshot {
  std::size_t total = 0;
  std::size_t done = 0;
  std::size_t in_flight = 0;
  std::map<Outcome, std::size_t> counts;
  std::chrono::milliseconds elapsed{0};
  double tenants_per_second = 0;
  std::optional<std::chrono::milliseconds> remaining;  ///< Nullopt: too early to say.
  std::vector<TenantUnderWay> slowest;                 ///< At most kSlowestShown, the oldest first.
  std::vector<PausedServer> paused;
  std::optional<BackupProgress> backups;  ///< Where any are wanted.
  std::optional<BatchProgress> batches;   ///< Where any are under way.
  std::string waiting_for;  ///< What the end of the run hangs on; empty while tenants wait in line.
};

class Progress {
 public:
  static constexpr std::size_t kSlowestShown = 5;

  /// Tenants are numbered as given, as in schedule.h.
  Progress(const std::vector<ScheduledTenant>& tenants, engine::SteadyTime now);

  void started(std::size_t tenant, int attempt, engine::SteadyTime now);

  /// Its attempt ended; it may be tried again.
  void returned(std::size_t tenant);
  void finished(std::size_t tenant, const TenantOutcome& outcome, engine::SteadyTime now);

  /// It had ended with `outcome`, and has another turn.
  void reopened(std::size_t tenant, const TenantOutcome& outcome);

  ProgressSnapshot snapshot(std::vector<PausedServer> paused, engine::SteadyTime now) const;

 private:
  struct Turn {
    engine::SteadyTime since;
    int attempt = 1;
  };

  double expected_ms(std::size_t tenant) const noexcept;
  std::optional<std::chrono::milliseconds> remaining(engine::SteadyTime now) const;
  std::vector<TenantUnderWay> slowest(engine::SteadyTime now) const;
  std::string waiting_for(const ProgressSnapshot& snapshot, engine::SteadyTime now) const;

  struct Known {
    TenantId id;
    std::optional<std::chrono::milliseconds> duration;
  };

  std::vector<Known> tenants_;
  engine::SteadyTime start_;
  std::map<std::size_t, Turn> under_way_;
  std::map<Outcome, std::size_t> counts_;
  std::size_t done_ = 0;
  double usual_ms_ = 1;  ///< What a tenant of unknown duration is taken for.
  double expected_left_ms_ = 0;
  Rate tenants_done_;
  Rate work_done_;  ///< Expected milliseconds of finished tenants.
};

}  // namespace drover::orchestrator

/// How many workers a server bears, and how much WAL a second: two small laws of batch_throttle.h.
///
/// Thread safety: none; whoever owns one guards it.

#pragma once

#include <cstdint>
#include <optional>

#include "engine/clock.h"

namespace drover::engine {

/// Adds and takes workers by the utilisation of a server, of which 1 is its limit. Below 0.4 one
/// more, from 0.7 one less, from 1 half as many; between them nothing changes. (Spirit's law,
/// batches.md 2.5 and 6.4.)
class WorkerZones {
 public:
  static constexpr double kAddBelow = 0.4;
  static constexpr double kDropFrom = 0.7;
  static constexpr double kHalveFrom = 1.0;
  static constexpr Milliseconds kTick{5'000};
  static constexpr Milliseconds kCooldown{15'000};  ///< For each direction.

  /// Notes the utilisation. Looks at it once a tick, and acts on what has lasted for two of them:
  /// on the milder zone of the two. A decrease also puts off the next increase.
  /// True: it was looked at.
  bool observe(double utilisation, SteadyTime now);

  /// How many of `wanted` workers the server bears, at least one. Begins with as many as anybody
  /// wants: who asks for four gets them until the server shows that it cannot bear them.
  unsigned workers_for(unsigned wanted);

 private:
  enum class Zone { add, hold, drop, halve };

  static Zone zone_of(double utilisation) noexcept;
  void act(Zone zone, SteadyTime now);

  std::optional<unsigned> cap_;  // none: nothing was ever taken away
  unsigned most_wanted_ = 1;
  std::optional<Zone> last_;
  SteadyTime next_tick_ = SteadyTime::min();
  SteadyTime no_increase_until_ = SteadyTime::min();
  SteadyTime no_decrease_until_ = SteadyTime::min();
};

/// So many bytes of WAL a second, for all who write on one server. What was written beyond it is a
/// debt that has to be waited off.
class WalBudget {
 public:
  /// A second of saving up: long enough for batches of any size to alternate with short rests,
  /// short enough that a server never sees a burst of more than that.
  static constexpr Milliseconds kBurst{1'000};

  /// 0 bytes: no budget, everything may be written.
  explicit WalBudget(std::uint64_t bytes_per_second) : rate_(bytes_per_second) {}

  void spend(std::uint64_t bytes, SteadyTime now);

  /// How long until something may be written again; 0: now.
  Milliseconds wait(SteadyTime now);

  /// 0 with all saved up, 0.7 with 30 % of it left (batches.md 6.4), 1 and no more in debt.
  double utilisation(SteadyTime now);

  std::uint64_t rate() const noexcept { return rate_; }

 private:
  double capacity() const noexcept;
  void refill(SteadyTime now);

  std::uint64_t rate_;
  double saved_ = 0;  // bytes; negative: debt
  std::optional<SteadyTime> filled_at_;
};

}  // namespace drover::engine

#include "engine/batch_pace.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace drover::engine {

WorkerZones::Zone WorkerZones::zone_of(double utilisation) noexcept {
  if (utilisation >= kHalveFrom) {
    return Zone::halve;
  }
  if (utilisation >= kDropFrom) {
    return Zone::drop;
  }
  return utilisation < kAddBelow ? Zone::add : Zone::hold;
}

bool WorkerZones::observe(double utilisation, SteadyTime now) {
  if (now < next_tick_) {
    return false;
  }
  const bool in_a_row = next_tick_ != SteadyTime::min() && now < next_tick_ + kTick;
  next_tick_ = now + kTick;
  const Zone zone = zone_of(utilisation);
  const Zone before = in_a_row ? last_.value_or(Zone::hold) : Zone::hold;
  last_ = zone;
  if (zone == Zone::add && before == Zone::add) {
    act(zone, now);
  } else if (zone >= Zone::drop && before >= Zone::drop) {
    act(std::min(zone, before), now);
  }
  return true;
}

void WorkerZones::act(Zone zone, SteadyTime now) {
  const unsigned workers = cap_.value_or(most_wanted_);
  if (zone == Zone::add) {
    if (now >= no_increase_until_ && workers < most_wanted_) {
      cap_ = workers + 1;
      no_increase_until_ = now + kCooldown;
    }
    return;
  }
  if (now >= no_decrease_until_ && workers > 1) {
    cap_ = zone == Zone::drop ? workers - 1 : workers / 2;
    no_decrease_until_ = now + kCooldown;
    no_increase_until_ = now + kCooldown;
  }
}

unsigned WorkerZones::workers_for(unsigned wanted) {
  most_wanted_ = std::max(most_wanted_, wanted);
  return std::max(1U, std::min(wanted, cap_.value_or(most_wanted_)));
}

double WalBudget::capacity() const noexcept {
  return static_cast<double>(rate_) * std::chrono::duration<double>(kBurst).count();
}

void WalBudget::refill(SteadyTime now) {
  if (!filled_at_) {
    saved_ = capacity();
  } else if (now > *filled_at_) {
    const double seconds = std::chrono::duration<double>(now - *filled_at_).count();
    saved_ = std::min(capacity(), saved_ + static_cast<double>(rate_) * seconds);
  }
  filled_at_ = std::max(now, filled_at_.value_or(now));
}

void WalBudget::spend(std::uint64_t bytes, SteadyTime now) {
  if (rate_ != 0) {
    refill(now);
    saved_ -= static_cast<double>(bytes);
  }
}

Milliseconds WalBudget::wait(SteadyTime now) {
  if (rate_ == 0) {
    return Milliseconds(0);
  }
  refill(now);
  if (saved_ > 0) {
    return Milliseconds(0);
  }
  // One more than the debt, so that something is there when the wait is over.
  const double milliseconds = -saved_ * 1000 / static_cast<double>(rate_);
  return Milliseconds(static_cast<Milliseconds::rep>(std::ceil(milliseconds)) + 1);
}

double WalBudget::utilisation(SteadyTime now) {
  if (rate_ == 0) {
    return 0;
  }
  refill(now);
  return std::clamp(1 - saved_ / capacity(), 0.0, 1.0);
}

}  // namespace drover::engine

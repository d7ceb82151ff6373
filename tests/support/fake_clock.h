/// A clock whose time moves when someone waits, so that a test of minutes takes none.
///
/// wait_until() jumps to the time that was waited for and notes it. Only a wait without an end
/// (SteadyTime::max()) really waits, for its stop token.
///
/// Thread safety: any thread, any function.

#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <vector>

#include "engine/clock.h"

namespace drover::test {

class FakeClock final : public engine::Clock {
 public:
  explicit FakeClock(engine::SteadyTime start = engine::SteadyTime{} + std::chrono::hours(1))
      : now_(start) {}

  engine::SteadyTime now() const override {
    const std::lock_guard lock(mutex_);
    return now_;
  }

  void wait_until(engine::SteadyTime until, const std::stop_token& stop) override {
    std::unique_lock lock(mutex_);
    if (stop.stop_requested()) {
      return;
    }
    if (until == engine::SteadyTime::max()) {
      stopped_.wait(lock, stop, [] { return false; });
      return;
    }
    if (until > now_) {
      waits_.push_back(std::chrono::duration_cast<engine::Milliseconds>(until - now_));
      now_ = until;
    }
  }

  void advance(engine::Milliseconds by) {
    const std::lock_guard lock(mutex_);
    now_ += by;
  }

  /// How long each wait was, in order; waits that were over at once are left out.
  std::vector<engine::Milliseconds> waits() const {
    const std::lock_guard lock(mutex_);
    return waits_;
  }

 private:
  mutable std::mutex mutex_;  // guards all below
  std::condition_variable_any stopped_;
  engine::SteadyTime now_;
  std::vector<engine::Milliseconds> waits_;
};

}  // namespace drover::test

#include "engine/base/system_clock.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>

namespace drover::engine::base {

SteadyTime SystemClock::now() const {
  return std::chrono::steady_clock::now();
}

void SystemClock::wait_until(SteadyTime until, const std::stop_token& stop) {
  std::mutex mutex;  // nobody else knows it: the stop token is all that can wake us
  std::condition_variable_any woken;
  std::unique_lock lock(mutex);
  // A time that the system cannot express would come back at once, so waits are taken in days.
  while (now() < until && !stop.stop_requested()) {
    const SteadyTime next =
        now() + std::min<SteadyTime::duration>(until - now(), std::chrono::hours(24));
    woken.wait_until(lock, stop, next, [] { return false; });
  }
}

}  // namespace drover::engine::base

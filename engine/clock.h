/// Time as the engine sees it, so that tests need no sleeping.
///
/// Implementations are thread safe. engine/base/system_clock.h is the real one, and
/// tests/support/fake_clock.h the one whose time moves when someone waits.

#pragma once

#include <chrono>
#include <stop_token>

namespace drover::engine {

using SteadyTime = std::chrono::steady_clock::time_point;
using Milliseconds = std::chrono::milliseconds;

class Clock {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;

  virtual SteadyTime now() const = 0;

  /// Returns at `until`, or as soon as `stop` is requested, whichever is first.
  virtual void wait_until(SteadyTime until, const std::stop_token& stop) = 0;
};

/// How long a caller is ready to wait, and how it says that it no longer is. Every blocking call
/// takes one.
struct Patience {
  SteadyTime deadline = SteadyTime::max();
  std::stop_token stop;

  /// Ends what `stop` lets come to its end, because cutting it short leaves something half-made
  /// behind: an invalid index, say.
  std::stop_token force = {};
};

}  // namespace drover::engine

/// The real Clock: std::chrono::steady_clock, and waits that a stop token ends at once.
///
/// Thread safety: any thread, any function; one object serves the whole program.

#pragma once

#include "engine/clock.h"

namespace drover::engine::base {

class SystemClock final : public Clock {
 public:
  SteadyTime now() const override;
  void wait_until(SteadyTime until, const std::stop_token& stop) override;
};

}  // namespace drover::engine::base

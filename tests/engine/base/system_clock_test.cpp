#include "engine/base/system_clock.h"

#include <stop_token>
#include <thread>

#include <catch2/catch.hpp>

using drover::engine::Milliseconds;
using drover::engine::SteadyTime;
using drover::engine::base::SystemClock;

TEST_CASE("a wait ends at its time, and not before") {
  SystemClock clock;
  const SteadyTime until = clock.now() + Milliseconds(10);
  clock.wait_until(until, {});
  REQUIRE(clock.now() >= until);
  clock.wait_until(SteadyTime::min(), {});  // long ago
}

TEST_CASE("a stop ends a wait that would have no end") {
  SystemClock clock;
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  clock.wait_until(SteadyTime::max(), stop.get_token());
  REQUIRE(stop.stop_requested());
}

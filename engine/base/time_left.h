/// How long a child may take: its own deadline, or what its caller's patience leaves of it.

#pragma once

#include <algorithm>
#include <chrono>

#include "engine/clock.h"

namespace drover::engine::base {

/// Not negative, and never so long that a sum with the present overflows.
inline std::chrono::milliseconds time_left(std::chrono::milliseconds deadline,
                                           const Patience& patience) {
  constexpr std::chrono::milliseconds kLongest = std::chrono::hours(24 * 365);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(patience.deadline -
                                                                 std::chrono::steady_clock::now());
  return std::clamp(std::min(deadline, left), std::chrono::milliseconds(0), kLongest);
}

/// For what has no deadline of its own.
inline std::chrono::milliseconds time_left(const Patience& patience) {
  return time_left(std::chrono::milliseconds::max(), patience);
}

}  // namespace drover::engine::base

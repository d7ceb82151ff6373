#include "engine/batch.h"

#include <algorithm>

namespace drover::engine {

std::uint64_t BatchStatus::rows_seen() const noexcept {
  std::uint64_t sum = 0;
  for (const BatchRange& range : ranges) {
    sum += range.rows_seen;
  }
  return sum;
}

bool BatchStatus::all_ranges_done() const noexcept {
  return std::all_of(
      ranges.begin(), ranges.end(), [](const BatchRange& range) { return range.done; });
}

}  // namespace drover::engine

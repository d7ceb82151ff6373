#include "engine/batch_sizer.h"

#include <algorithm>

namespace drover::engine {
namespace {

constexpr std::uint64_t kFirstSize = 1'000;
constexpr double kWeight = 0.75;    ///< Of all that was before.
constexpr double kGrowth = 1.5;     ///< At most, in one step,
constexpr double kShrink = 0.5;     ///< and at least.
constexpr int kPanic = 5;           ///< Times the target,
constexpr std::uint64_t kCut = 10;  ///< and what remains of the size then: a tenth.

}  // namespace

BatchSizer::BatchSizer(const BatchSizes& sizes, std::uint64_t start) : sizes_(sizes), size_(0) {
  set(start == 0 ? kFirstSize : start);
}

void BatchSizer::succeeded(std::uint64_t rows,
                           std::chrono::microseconds busy,
                           std::uint64_t wal_bytes) {
  if (busy > kPanic * sizes_.target) {
    rows_ = seconds_ = wal_ = 0;  // what was true before is no longer
    set(size_ / kCut);
    return;
  }
  rows_ = kWeight * rows_ + static_cast<double>(rows);
  seconds_ = kWeight * seconds_ + std::chrono::duration<double>(busy).count();
  wal_ = kWeight * wal_ + static_cast<double>(wal_bytes);
  const auto now = static_cast<double>(size_);
  set(static_cast<std::uint64_t>(
      std::clamp(static_cast<double>(wanted()), now * kShrink, now * kGrowth + 1)));
}

std::uint64_t BatchSizer::wanted() const noexcept {
  if (rows_ < 1 || seconds_ <= 0) {
    return size_;  // nothing was found in the range, which says nothing about time
  }
  double rows = rows_ / seconds_ * std::chrono::duration<double>(sizes_.target).count();
  if (sizes_.wal_bytes > 0 && wal_ > 0) {
    rows = std::min(rows, static_cast<double>(sizes_.wal_bytes) / (wal_ / rows_));
  }
  return static_cast<std::uint64_t>(std::min(rows, static_cast<double>(sizes_.most)));
}

void BatchSizer::halve() noexcept {
  set(size_ / 2);
}

void BatchSizer::retune(const BatchSizes& sizes) noexcept {
  sizes_ = sizes;
  set(size_);
}

void BatchSizer::set(std::uint64_t size) noexcept {
  size_ = std::clamp(size, sizes_.least, std::max(sizes_.least, sizes_.most));
}

}  // namespace drover::engine

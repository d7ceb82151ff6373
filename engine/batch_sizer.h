/// How many rows the next transaction of a batch should change, so that it takes the time wanted.
///
/// Decaying averages of rows and time, as pt-archiver's family keeps them (percona-toolkit,
/// WeightedAvgRate.pm: weight 0.75); growth of at most half as much again and the panic step of a
/// tenth are Spirit's (block/spirit, dynamic_chunk_sizer.go: 5 times the target). Only time in the
/// database counts: a batch that waited outside must not shrink (batches.md §6.3).
///
/// Thread safety: a value of one worker.

#pragma once

#include <cstdint>

#include "engine/clock.h"

namespace drover::engine {

struct BatchSizes {
  std::uint64_t least = 50;
  std::uint64_t most = 50'000;
  Milliseconds target{500};
  std::uint64_t wal_bytes = 16ULL << 20U;  ///< Of one transaction; 0: any number.
};

class BatchSizer {
 public:
  /// `start`: what an earlier process had come to; 0: nothing is known.
  BatchSizer(const BatchSizes& sizes, std::uint64_t start);

  /// Rows of the next batch.
  std::uint64_t size() const noexcept { return size_; }

  /// A transaction of `rows` rows took `busy` and wrote `wal_bytes` of WAL.
  void succeeded(std::uint64_t rows, std::chrono::microseconds busy, std::uint64_t wal_bytes);

  /// A lock, a timeout, a deadlock: half of it has a better chance.
  void halve() noexcept;

  /// People retune while it runs.
  void retune(const BatchSizes& sizes) noexcept;

  const BatchSizes& sizes() const noexcept { return sizes_; }

 private:
  std::uint64_t wanted() const noexcept;
  void set(std::uint64_t size) noexcept;

  BatchSizes sizes_;
  std::uint64_t size_;
  double rows_ = 0;  ///< Decaying sums.
  double seconds_ = 0;
  double wal_ = 0;
};

}  // namespace drover::engine

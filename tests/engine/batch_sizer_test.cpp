// Sizes of batches under loads that are steady, change at once, or wobble.

#include "engine/batch_sizer.h"

#include <random>

#include <catch2/catch.hpp>

namespace drover::engine {
namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;

/// One batch of the sizer's size in a database that needs `per_row` for each.
void work(BatchSizer& sizer, microseconds per_row, std::uint64_t wal_per_row = 0) {
  const std::uint64_t rows = sizer.size();
  sizer.succeeded(rows, static_cast<std::int64_t>(rows) * per_row, rows * wal_per_row);
}

}  // namespace

TEST_CASE("a batch grows to its target within ten batches and stays there", "[engine]") {
  BatchSizer sizer({}, 0);
  CHECK(sizer.size() == 1'000);
  for (int i = 0; i < 10; ++i) {
    work(sizer, 50us);  // 10,000 rows are the target
  }
  for (int i = 0; i < 50; ++i) {
    CHECK(sizer.size() >= 9'990);
    CHECK(sizer.size() <= 10'000);
    work(sizer, 50us);
  }
}

TEST_CASE("a load ten times as heavy gives one panic step, and settles within ten batches",
          "[engine]") {
  BatchSizer sizer({}, 10'000);
  for (int i = 0; i < 10; ++i) {
    work(sizer, 50us);
  }
  work(sizer, 500us);
  CHECK(sizer.size() == 1'000);
  for (int i = 0; i < 10; ++i) {
    work(sizer, 500us);
    CHECK(sizer.size() >= 900);
    CHECK(sizer.size() <= 1'100);
  }
}

TEST_CASE("a load that wobbles by a tenth makes the size wobble by less than a fifth", "[engine]") {
  BatchSizer sizer({}, 10'000);
  std::mt19937 random(1);
  std::uniform_int_distribution<int> percent(90, 110);
  for (int i = 0; i < 20; ++i) {
    work(sizer, 50us);
  }
  for (int i = 0; i < 500; ++i) {
    const std::uint64_t rows = sizer.size();
    sizer.succeeded(rows, static_cast<std::int64_t>(rows) * 50us * percent(random) / 100, 0);
    CHECK(sizer.size() > 8'000);
    CHECK(sizer.size() < 12'000);
  }
}

TEST_CASE("a batch obeys its limits of rows and of WAL", "[engine]") {
  BatchSizer small({100, 400, 500ms, 0}, 0);
  CHECK(small.size() == 400);
  for (int i = 0; i < 10; ++i) {
    small.halve();
  }
  CHECK(small.size() == 100);
  BatchSizer wal({50, 50'000, 500ms, 1'000'000}, 0);
  for (int i = 0; i < 20; ++i) {
    work(wal, 1us, 500);
  }
  CHECK(wal.size() == 2'000);
}

TEST_CASE("halving, and an empty stretch, leave a size to go on with", "[engine]") {
  BatchSizer sizer({}, 8'000);
  sizer.halve();
  CHECK(sizer.size() == 4'000);
  sizer.succeeded(0, 1ms, 0);
  CHECK(sizer.size() == 4'000);
}

TEST_CASE("what people retune holds at once", "[engine]") {
  BatchSizer sizer({}, 20'000);
  sizer.retune({50, 500, 500ms, 0});
  CHECK(sizer.size() == 500);
}

}  // namespace drover::engine

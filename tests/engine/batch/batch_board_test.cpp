// What workers share, without a database.

#include "engine/batch/batch_board.h"

#include <catch2/catch.hpp>

#include <thread>

namespace drover::engine::batch {
namespace {

BatchRange range_numbered(int number) {
  BatchRange range;
  range.number = number;
  range.end = {"9"};
  return range;
}

TenantFault fault_named(const std::string& kind) {
  TenantFault fault;
  fault.kind = kind;
  return fault;
}

TEST_CASE("of several faults the first is kept, and ends the work of all", "[batch]") {
  BatchBoard board({range_numbered(1)}, {});
  board.fail(fault_named("the first of the faults, which is not short"));
  board.fail(fault_named("the second"));
  REQUIRE(board.fault());
  CHECK(board.fault()->kind == "the first of the faults, which is not short");
  CHECK(board.stop().stop_requested());
  CHECK_FALSE(board.take(0));
}

TEST_CASE("a worker without a range asks for half of another's", "[batch]") {
  BatchBoard board({range_numbered(1)}, {});
  board.allow(2);
  std::optional<BatchRange> lower = board.take(0);
  REQUIRE(lower);
  CHECK_FALSE(board.split_wanted(1));
  std::optional<BatchRange> upper;
  std::jthread second([&] { upper = board.take(1); });
  while (!board.split_wanted(1)) {
    std::this_thread::yield();
  }
  BatchRange half = range_numbered(board.new_number());
  lower->end = {"5"};
  board.split(*lower, half);
  second.join();
  REQUIRE(upper);
  CHECK(upper->number == 2);
  CHECK_FALSE(board.split_wanted(1));
  lower->done = half.done = true;
  board.leave(*lower);
  board.leave(half);
  CHECK(board.all_done());
  CHECK_FALSE(board.take(0));
}

TEST_CASE("a worker beyond those that are allowed waits", "[batch]") {
  BatchBoard board({range_numbered(1), range_numbered(2)}, {});
  CHECK(board.take(0));
  std::optional<BatchRange> second;
  std::jthread waiting([&] { second = board.take(1); });
  CHECK_FALSE(board.may_work(1));
  board.allow(2);
  waiting.join();
  REQUIRE(second);
  CHECK(second->number == 2);
}

}  // namespace
}  // namespace drover::engine::batch

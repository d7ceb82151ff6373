/// A governor that does what a test says, and a rig whose batches ask it.

#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "tests/engine/batch/batch_rig.h"

namespace drover::engine::test {

class StagedGovernor final : public BatchGovernor {
 public:
  std::unique_ptr<Seat> enter(const Target& /*target*/, BatchSeatFacts facts) override {
    const std::lock_guard lock(mutex_);
    cancel_ = std::move(facts.cancel);
    return std::make_unique<StagedSeat>(*this);
  }
  unsigned workers_for(const Target& /*target*/, unsigned wanted) override { return wanted; }

  /// Cancels what the last worker that came runs now.
  void cancel() {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    cancel_();
  }

  /// Rows of each batch that was reported, in order.
  std::vector<std::uint64_t> rows() const {
    const std::lock_guard lock(mutex_);
    return rows_;
  }

  /// Says what the answer is the n-th time that somebody asks, from 1. Absent: go.
  std::function<BatchLeave(int)> on_ask;

  static BatchLeave hold() {
    return {false, WaitReason::active_backends, "the test says so", Milliseconds(10), false};
  }

 private:
  class StagedSeat final : public Seat {
   public:
    explicit StagedSeat(StagedGovernor& governor) : governor_(governor) {}
    BatchLeave ask(const BatchWork& done) override { return governor_.answer(done); }
    bool was_cancelled() override { return governor_.cancelled_.exchange(false); }
    void moved(std::int64_t /*backend_pid*/) override {}

   private:
    StagedGovernor& governor_;
  };

  BatchLeave answer(const BatchWork& done) {
    int time = 0;
    {
      const std::lock_guard lock(mutex_);
      time = ++asked_;
      if (done.rows > 0) {
        rows_.push_back(done.rows);
      }
    }
    return on_ask ? on_ask(time) : BatchLeave{};
  }

  mutable std::mutex mutex_;  ///< Guards all but the flag.
  std::function<void()> cancel_;
  std::vector<std::uint64_t> rows_;
  int asked_ = 0;
  std::atomic<bool> cancelled_ = false;
};

/// Looks around often, so that a test need not wait for it.
struct StagedRig : Rig {
  StagedRig() { options.batches = &runner; }

  StagedGovernor governor;
  batch::BatchRunner runner{
      sessions, real_clock, governor, {Milliseconds(20), Milliseconds(20), Milliseconds(30'000)}};
};

/// An upgrade on a thread of its own.
class Running {
 public:
  Running(StagedRig& rig, const Target& target, const MigrationSet& set, std::string to = "heads")
      : thread_([this, &rig, &target, &set, to = std::move(to)] {
          outcome_ = rig.up(target, set, to);
          over_ = true;
        }) {}

  bool over() const { return over_; }
  const ApplyOutcome& outcome() {
    if (thread_.joinable()) {
      thread_.join();
    }
    return outcome_;
  }

 private:
  ApplyOutcome outcome_;
  std::atomic<bool> over_ = false;
  std::jthread thread_;
};

}  // namespace drover::engine::test

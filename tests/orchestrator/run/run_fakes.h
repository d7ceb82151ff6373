/// What the suites of this room run on: workers, probes and clocks that do as a test says.

#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "engine/clock.h"
#include "orchestrator/dispatcher.h"
#include "orchestrator/run/run_plan.h"

namespace drover::test {

inline orchestrator::TenantOutcome ended(orchestrator::Outcome outcome) {
  orchestrator::TenantOutcome result;
  result.outcome = outcome;
  result.attempts = 1;
  return result;
}

inline orchestrator::TenantOutcome ended(orchestrator::Outcome outcome,
                                         engine::FaultClass fault_class,
                                         std::string kind = "some_kind") {
  orchestrator::TenantOutcome result = ended(outcome);
  result.fault = engine::TenantFault{};
  result.fault->fault_class = fault_class;
  result.fault->kind = std::move(kind);
  result.fault->message = "it broke";
  result.fault->hint = "Mend it.";
  return result;
}

/// `count` tenants "t0", "t1" ... spread evenly over `servers` servers "db0", "db1" ...
inline std::vector<orchestrator::Tenant> fleet_of(std::size_t count, std::size_t servers = 1) {
  std::vector<orchestrator::Tenant> fleet(count);
  for (std::size_t i = 0; i < count; ++i) {
    fleet[i].id = orchestrator::TenantId{"t" + std::to_string(i)};
    fleet[i].target.server = "db" + std::to_string(i % servers);
  }
  return fleet;
}

class FakeWorker final : public orchestrator::TenantWorker {
 public:
  using Work = std::function<orchestrator::TenantOutcome(
      const orchestrator::Tenant&, int attempt, const engine::Patience&)>;

  explicit FakeWorker(Work work) : work_(std::move(work)) {}

  orchestrator::TenantOutcome work(const orchestrator::Tenant& tenant,
                                   int attempt,
                                   const engine::Patience& patience) override {
    return work_(tenant, attempt, patience);
  }

  void worker_idle() override {
    const std::lock_guard lock(mutex_);
    ++idle_;
  }

  int times_idle() const {
    const std::lock_guard lock(mutex_);
    return idle_;
  }

 private:
  Work work_;
  mutable std::mutex mutex_;  // guards idle_
  int idle_ = 0;
};

class FakeProbe final : public orchestrator::ServerProbe {
 public:
  using Probe = std::function<std::optional<engine::SqlError>(const orchestrator::Tenant&)>;

  explicit FakeProbe(
      Probe probe = [](const auto&) { return std::nullopt; },
      std::optional<std::size_t> free = std::nullopt)
      : probe_(std::move(probe)), free_(free) {}

  std::optional<engine::SqlError> probe(const orchestrator::Tenant& tenant,
                                        const engine::Patience& /*patience*/) override {
    return probe_(tenant);
  }

  std::optional<std::size_t> free_connections(const orchestrator::Tenant& /*tenant*/,
                                              const engine::Patience& /*patience*/) override {
    return free_;
  }

 private:
  Probe probe_;
  std::optional<std::size_t> free_;
};

/// Does everything at once, on the thread that asks: with a StepClock a run is then deterministic.
class InlineDispatcher final : public orchestrator::Dispatcher {
 public:
  explicit InlineDispatcher(orchestrator::TenantWorker& worker) : worker_(worker) {}

  void start(orchestrator::Assignment assignment, Done done) override {
    done(worker_.work(*assignment.tenant, assignment.attempt, assignment.patience));
  }
  void run_aside(std::function<void()> task) override { task(); }

 private:
  orchestrator::TenantWorker& worker_;
};

/// Time stands still until all of `threads` wait; then it jumps to the first moment waited for.
class StepClock final : public engine::Clock {
 public:
  explicit StepClock(std::size_t threads) : threads_(threads) {}

  engine::SteadyTime now() const override {
    const std::lock_guard lock(mutex_);
    return now_;
  }

  void wait_until(engine::SteadyTime until, const std::stop_token& stop) override {
    std::unique_lock lock(mutex_);
    const auto waiting = waits_.insert(until);
    if (waits_.size() == threads_ && !stop.stop_requested()) {
      now_ = std::max(now_, *waits_.begin());
      moved_.notify_all();
    }
    moved_.wait(lock, stop, [&] { return now_ >= until; });
    waits_.erase(waiting);
  }

 private:
  const std::size_t threads_;
  mutable std::mutex mutex_;  // guards all below
  std::condition_variable_any moved_;
  engine::SteadyTime now_{std::chrono::hours(1)};
  std::multiset<engine::SteadyTime> waits_;
};

/// Keeps what it is told. Read it after the run.
class RecordingObserver final : public orchestrator::run::RunObserver {
 public:
  void on_progress(const orchestrator::ProgressSnapshot& snapshot) override {
    snapshots.push_back(snapshot);
  }
  void on_tenant(const orchestrator::TenantOutcome& outcome) override {
    tenants.push_back(outcome.id.value);
  }
  void on_stage(const std::string& name, orchestrator::StageMoved::To to) override {
    constexpr const char* kWords[] = {"begins", "is at its gate", "has passed"};
    stages.push_back(name + " " + kWords[static_cast<std::size_t>(to)]);
  }
  void on_event(const std::string& text) override { events.push_back(text); }

  std::vector<orchestrator::ProgressSnapshot> snapshots;
  std::vector<std::string> tenants;
  std::vector<std::string> events;
  std::vector<std::string> stages;
};

/// Holds whoever waits until it is opened.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
    --waiting_;
  }

  /// Returns when `count` are held.
  void await(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ >= count; });
  }

 private:
  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  bool open_ = false;
  int waiting_ = 0;
};

}  // namespace drover::test

/// The Dispatcher of this process: one thread per tenant in flight.
///
/// Threads come from a boost::asio::thread_pool and are made as they are needed, so that a run of
/// three tenants has three. The next tenant goes to the thread that became free last: it still
/// holds a session that may serve again, and a lowered limit leaves the others idle. A thread that
/// was idle for a second tells the worker so.
///
/// Thread safety: any thread, any function. The destructor waits for everything that was started.

#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <boost/asio/thread_pool.hpp>

#include "orchestrator/dispatcher.h"

namespace drover::orchestrator::run {

class PoolDispatcher final : public Dispatcher {
 public:
  /// Threads beside those for tenants, so that a probe never waits for a tenant.
  static constexpr std::size_t kThreadsAside = 8;

  /// `in_flight` is how many tenants there will be at once. `worker` must outlive this.
  PoolDispatcher(TenantWorker& worker, std::size_t in_flight);
  ~PoolDispatcher() override;

  void start(Assignment assignment, Done done) override;
  void run_aside(std::function<void()> task) override;

 private:
  struct Turn {
    Assignment assignment;
    Done done;
  };

  /// A thread that serves tenants, on that thread's stack.
  struct Seat {
    std::optional<Turn> next;
    std::condition_variable handed;
  };

  void serve(Turn first);
  bool wait_for_turn(Seat& seat);
  void make_room();

  TenantWorker& worker_;
  const std::size_t most_threads_;

  std::mutex seats_mutex_;   // guards everything below but the pool
  std::vector<Seat*> idle_;  ///< The one that became free last is at the back.
  std::size_t busy_ = 0;     ///< Functions given to the pool that have not returned.
  bool leaving_ = false;

  boost::asio::thread_pool pool_;
  std::vector<std::jthread> threads_;
};

}  // namespace drover::orchestrator::run

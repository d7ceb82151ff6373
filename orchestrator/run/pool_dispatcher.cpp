#include "orchestrator/run/pool_dispatcher.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/post.hpp>

namespace drover::orchestrator::run {
namespace {

constexpr std::chrono::seconds kIdleAfter{1};

Error no_threads(const std::system_error& cause) {
  return {ErrorCode::storage,
          "no_threads",
          fmt::format("no thread can be started: {}", cause.code().message()),
          "Raise the limit of processes for this user, or lower limits.in_flight."};
}

}  // namespace

PoolDispatcher::PoolDispatcher(TenantWorker& worker, std::size_t in_flight)
    : worker_(worker), most_threads_(in_flight + kThreadsAside), pool_(0) {}

PoolDispatcher::~PoolDispatcher() {
  {
    const std::lock_guard lock(seats_mutex_);
    leaving_ = true;
    for (Seat* const seat : idle_) {
      seat->handed.notify_one();
    }
  }
  pool_.wait();  // from here on the threads leave as soon as there is nothing to do
}

void PoolDispatcher::start(Assignment assignment, Done done) {
  Turn turn{std::move(assignment), std::move(done)};
  const std::lock_guard lock(seats_mutex_);
  if (!idle_.empty()) {
    Seat& seat = *idle_.back();
    idle_.pop_back();
    seat.next = std::move(turn);
    seat.handed.notify_one();
    return;
  }
  make_room();
  boost::asio::post(pool_, [this, turn = std::move(turn)]() mutable { serve(std::move(turn)); });
}

void PoolDispatcher::run_aside(std::function<void()> task) {
  const std::lock_guard lock(seats_mutex_);
  make_room();
  boost::asio::post(pool_, [this, task = std::move(task)] {
    task();
    const std::lock_guard end(seats_mutex_);
    --busy_;
  });
}

/// One more function is given to the pool: adds a thread unless one is free for it. When the system
/// has no more threads, what there are do the work one after the other.
void PoolDispatcher::make_room() {
  if (busy_ >= threads_.size() && threads_.size() < most_threads_) {
    try {
      threads_.emplace_back([this] { pool_.attach(); });
    } catch (const std::system_error& error) {
      if (threads_.empty()) {
        throw no_threads(error);
      }
    }
  }
  ++busy_;
}

void PoolDispatcher::serve(Turn first) {
  Seat seat;
  seat.next = std::move(first);
  do {
    const Turn turn = *std::exchange(seat.next, std::nullopt);
    TenantOutcome outcome =
        worker_.work(*turn.assignment.tenant, turn.assignment.attempt, turn.assignment.patience);
    {
      // Free before anyone hears of it: the answer may be the next tenant.
      const std::lock_guard lock(seats_mutex_);
      idle_.push_back(&seat);
    }
    turn.done(std::move(outcome));
  } while (wait_for_turn(seat));
  worker_.worker_idle();
  const std::lock_guard lock(seats_mutex_);
  --busy_;
}

/// False when there is none: nobody wanted this thread for a while, or all is over.
bool PoolDispatcher::wait_for_turn(Seat& seat) {
  std::unique_lock lock(seats_mutex_);
  seat.handed.wait_for(lock, kIdleAfter, [&] { return seat.next || leaving_; });
  if (seat.next) {
    return true;
  }
  idle_.erase(std::find(idle_.begin(), idle_.end(), &seat));
  return false;
}

}  // namespace drover::orchestrator::run

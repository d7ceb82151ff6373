#include "engine/sqlite/sqlite_watch.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "engine/sqlite/sqlite_handles.h"

namespace drover::engine::sqlite {

namespace {

/// Steps of the virtual machine between two looks at the clock: some tens of microseconds.
constexpr int kStepsPerLook = 2000;

/// How long to wait before the lock is tried again, by the number of tries before.
Milliseconds pause_before_try(int calls) {
  return Milliseconds(std::min(1 + calls * 2, 25));
}

}  // namespace

Watch::Watch(sqlite3* database, Milliseconds lock_timeout)
    : database_(database), lock_timeout_(lock_timeout) {
  sqlite3_progress_handler(database_, kStepsPerLook, &Watch::on_progress, this);
  sqlite3_busy_handler(database_, &Watch::on_busy, this);
}

Watch::~Watch() {
  release();
  sqlite3_progress_handler(database_, 0, nullptr, nullptr);
  sqlite3_busy_handler(database_, nullptr, nullptr);
}

void Watch::heed(const Patience& patience) {
  release();
  patience_ = patience;
  on_stop_.emplace(patience_.stop, Interrupt{database_});
}

void Watch::release() {
  on_stop_.reset();
  patience_ = Patience();
}

std::optional<SqlError> Watch::impatience() const {
  SqlError error;
  if (patience_.stop.stop_requested()) {
    error.origin = SqlError::Origin::stopped;
    error.message = "stopped during a statement";
    return error;
  }
  if (patience_.deadline != SteadyTime::max() &&
      std::chrono::steady_clock::now() >= patience_.deadline) {
    error.origin = SqlError::Origin::deadline;
    error.message = "the deadline passed during a statement";
    return error;
  }
  return std::nullopt;
}

int Watch::on_progress(void* self) noexcept {
  return static_cast<const Watch*>(self)->impatience() ? 1 : 0;
}

int Watch::on_busy(void* self, int calls) noexcept {
  return static_cast<Watch*>(self)->wait_for_lock(calls) ? 1 : 0;
}

/// False: give up, which SQLite reports as SQLITE_BUSY.
bool Watch::wait_for_lock(int calls) {
  const SteadyTime now = std::chrono::steady_clock::now();
  if (calls == 0) {
    busy_since_ = now;
  }
  const SteadyTime limit = std::min(busy_since_ + lock_timeout_, patience_.deadline);
  if (now >= limit || impatience()) {
    return false;
  }
  std::mutex mutex;  // nobody else knows it: the stop token is all that can wake us
  std::condition_variable_any woken;
  std::unique_lock lock(mutex);
  woken.wait_until(
      lock, patience_.stop, std::min(limit, now + pause_before_try(calls)), [] { return false; });
  return true;
}

}  // namespace drover::engine::sqlite

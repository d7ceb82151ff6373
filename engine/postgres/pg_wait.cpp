#include "engine/postgres/pg_wait.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <system_error>

namespace drover::engine::postgres {

namespace {

constexpr Milliseconds kLongestPoll{24L * 60 * 60 * 1000};

short events_of(Interest interest) noexcept {
  switch (interest) {
    case Interest::read:
      return POLLIN;
    case Interest::write:
      return POLLOUT;
    case Interest::read_and_write:
      return POLLIN | POLLOUT;
  }
  return POLLIN;
}

}  // namespace

void PatientWait::Wake::operator()() const noexcept {
  const std::uint64_t one = 1;
  // An eventfd that nobody reads can only be full, and then poll() sees it anyway.
  [[maybe_unused]] const ssize_t ignored = ::write(event, &one, sizeof(one));
}

PatientWait::PatientWait(const Patience& patience)
    : deadline_(patience.deadline), stop_(patience.stop) {
  if (!patience.stop.stop_possible()) {
    return;
  }
  event_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event_ < 0) {
    throw std::system_error(errno, std::generic_category(), "cannot make an eventfd");
  }
  on_stop_.emplace(patience.stop, Wake{event_});
}

PatientWait::~PatientWait() {
  on_stop_.reset();  // waits for a callback that is running, so that it never writes elsewhere
  if (event_ >= 0) {
    close(event_);
  }
}

Waited PatientWait::check() const {
  if (stop_.stop_requested()) {
    return Waited::stopped;
  }
  const bool late = deadline_ != SteadyTime::max() && std::chrono::steady_clock::now() >= deadline_;
  return late ? Waited::deadline : Waited::ready;
}

Waited PatientWait::wait(int socket, Interest interest) const {
  pollfd waiting[2] = {{socket, events_of(interest), 0}, {event_, POLLIN, 0}};
  while (true) {
    int timeout = -1;
    if (deadline_ != SteadyTime::max()) {
      const SteadyTime now = std::chrono::steady_clock::now();
      if (now >= deadline_) {
        return Waited::deadline;
      }
      const auto left = std::chrono::ceil<Milliseconds>(deadline_ - now);
      timeout = static_cast<int>(std::min(left, kLongestPoll).count());
    }
    if (poll(waiting, 2, timeout) <= 0) {
      continue;  // the time is over, or a signal came
    }
    if (waiting[1].revents != 0) {
      return Waited::stopped;
    }
    return Waited::ready;
  }
}

}  // namespace drover::engine::postgres

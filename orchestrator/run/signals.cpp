#include "orchestrator/run/signals.h"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include "engine/error.h"

namespace drover::orchestrator::run {
namespace {

constexpr int kNobody = -1;
constexpr unsigned char kEnd = 0;  // no signal has this number
constexpr int kSignalsHandled = 2;
constexpr int kSignalExit = 128;

/// The pipe of the one living watch. A global, because a signal handler is given nothing else; an
/// atomic, because it may run on any thread at any moment.
std::atomic<int> write_end_of_watch{kNobody};
static_assert(std::atomic<int>::is_always_lock_free);

extern "C" void pass_on(int signal) {
  const int saved = errno;
  const auto byte = static_cast<unsigned char>(signal);
  // A full pipe already holds more signals than anyone acts upon.
  [[maybe_unused]] const ssize_t written = write(write_end_of_watch.load(), &byte, sizeof byte);
  errno = saved;
}

Error second_watch() {
  return {ErrorCode::internal,
          "second_signal_watch",
          "the signals of this process are watched already",
          "Run one watch at a time in a process."};
}

Error no_pipe(int cause) {
  return {ErrorCode::storage,
          "no_pipe",
          fmt::format("no pipe can be made: {}", std::generic_category().message(cause)),
          "Raise the limit of open files."};
}

}  // namespace

int SignalWatch::exit_status_of(int signal) noexcept {
  return kSignalExit + (signal == SIGHUP ? SIGTERM : signal);
}

SignalWatch::SignalWatch(Callback callback) : callback_(std::move(callback)) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw no_pipe(errno);
  }
  read_end_ = ends[0];
  write_end_ = ends[1];
  fcntl(write_end_, F_SETFL, O_NONBLOCK);  // a handler must not block
  int nobody = kNobody;
  if (!write_end_of_watch.compare_exchange_strong(nobody, write_end_)) {
    close(read_end_);
    close(write_end_);
    throw second_watch();
  }
  remember();
  thread_ = std::jthread([this] { listen(); });
  install();
}

SignalWatch::~SignalWatch() {
  restore();
  write_end_of_watch.store(kNobody);
  [[maybe_unused]] const ssize_t written = write(write_end_, &kEnd, sizeof kEnd);
  thread_.join();
  close(read_end_);
  close(write_end_);
}

/// Which handlers there are to replace, and later to put back.
void SignalWatch::remember() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    struct sigaction before {};
    sigaction(kSignals.at(i), nullptr, &before);
    if (before.sa_handler != SIG_IGN) {
      before_.at(i) = before;
    }
  }
}

void SignalWatch::install() {
  struct sigaction action {};
  action.sa_handler = pass_on;
  action.sa_flags = SA_RESTART;
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    if (before_.at(i)) {
      sigaction(kSignals.at(i), &action, nullptr);
    }
  }
}

void SignalWatch::restore() noexcept {
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    if (before_.at(i)) {
      sigaction(kSignals.at(i), &*before_.at(i), nullptr);
    }
  }
}

void SignalWatch::listen() {
  for (int count = 1;;) {
    unsigned char byte = kEnd;
    const ssize_t got = read(read_end_, &byte, sizeof byte);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0 || byte == kEnd) {
      return;
    }
    if (count == kSignalsHandled) {
      restore();
    }
    if (count <= kSignalsHandled) {
      callback_(byte, count);
      ++count;
    }
  }
}

}  // namespace drover::orchestrator::run

#include "orchestrator/run/signals.h"

#include <condition_variable>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>
#include <csignal>

#include <catch2/catch.hpp>

#include "engine/error.h"

using drover::Error;
using drover::orchestrator::run::SignalWatch;

namespace {

class Calls {
 public:
  void add(int signal, int count) {
    const std::lock_guard lock(mutex_);
    calls_.emplace_back(signal, count);
    changed_.notify_all();
  }

  std::vector<std::pair<int, int>> await(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return calls_.size() >= count; });
    return calls_;
  }

 private:
  std::mutex mutex_;  // guards calls_
  std::condition_variable changed_;
  std::vector<std::pair<int, int>> calls_;
};

using Handler = void (*)(int);

Handler handler_of(int signal) {
  struct sigaction action {};
  sigaction(signal, nullptr, &action);
  return action.sa_handler;
}

/// Sets what a signal does for one test.
class Disposition {
 public:
  Disposition(int signal, Handler handler)
      : signal_(signal), before_(std::signal(signal, handler)) {}
  Disposition(const Disposition&) = delete;
  Disposition& operator=(const Disposition&) = delete;
  ~Disposition() { static_cast<void>(std::signal(signal_, before_)); }

 private:
  int signal_;
  Handler before_;
};

void do_nothing(int /*signal*/) {}

}  // namespace

TEST_CASE("the first and the second signal are told apart, and then the old handlers are back") {
  const Disposition interrupt(SIGINT, do_nothing);
  const Disposition terminate(SIGTERM, do_nothing);
  Calls calls;
  const SignalWatch watch([&](int signal, int count) { calls.add(signal, count); });
  CHECK(handler_of(SIGINT) != do_nothing);
  kill(getpid(), SIGINT);
  CHECK(calls.await(1) == std::vector<std::pair<int, int>>{{SIGINT, 1}});
  kill(getpid(), SIGTERM);
  CHECK(calls.await(2) == std::vector<std::pair<int, int>>{{SIGINT, 1}, {SIGTERM, 2}});
  CHECK(handler_of(SIGINT) == do_nothing);
  CHECK(handler_of(SIGTERM) == do_nothing);
}

TEST_CASE("a watch that ends puts the old handlers back, and another one may follow") {
  const Disposition interrupt(SIGINT, do_nothing);
  for (int i = 0; i < 3; ++i) {
    Calls calls;
    {
      const SignalWatch watch([&](int signal, int count) { calls.add(signal, count); });
      kill(getpid(), SIGINT);
      CHECK(calls.await(1).size() == 1);
    }
    CHECK(handler_of(SIGINT) == do_nothing);
  }
}

TEST_CASE("a signal that was ignored stays ignored") {
  const Disposition hangup(SIGHUP, SIG_IGN);
  const SignalWatch watch([](int, int) {});
  CHECK(handler_of(SIGHUP) == SIG_IGN);
}

TEST_CASE("there is one watch at a time") {
  const SignalWatch watch([](int, int) {});
  try {
    const SignalWatch second([](int, int) {});
    FAIL("a second watch was made");
  } catch (const Error& error) {
    CHECK(error.kind_name() == "second_signal_watch");
    CHECK(std::string(error.what()) == "the signals of this process are watched already");
  }
}

TEST_CASE("the exit status says which signal it was, and a hangup counts as a termination") {
  CHECK(SignalWatch::exit_status_of(SIGINT) == 130);
  CHECK(SignalWatch::exit_status_of(SIGTERM) == 143);
  CHECK(SignalWatch::exit_status_of(SIGHUP) == 143);
}

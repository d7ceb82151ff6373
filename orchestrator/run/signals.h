/// SIGINT, SIGTERM and SIGHUP as calls on an ordinary thread.
///
/// The first one is meant to drain a run, the second to cancel it; after the second the signals do
/// what they did before, so that a third ends a process that hangs. A signal that was ignored when
/// the watch began (nohup) stays ignored. What the calls do is up to whoever made the watch.
///
/// Thread safety: one watch at a time per process, since a process has one set of handlers. The
/// callback runs on the watch's own thread and must not destroy the watch.

#pragma once

#include <array>
#include <functional>
#include <optional>
#include <thread>

#include <csignal>

namespace drover::orchestrator::run {

class SignalWatch {
 public:
  /// `count` is 1 for the first signal, 2 for the second.
  using Callback = std::function<void(int signal, int count)>;

  /// Throws Error internal: second_signal_watch; storage: no_pipe.
  explicit SignalWatch(Callback callback);
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// Puts back the handlers that were there before.
  ~SignalWatch();

  /// 130 for SIGINT, 143 for SIGTERM and for SIGHUP, which is treated alike.
  static int exit_status_of(int signal) noexcept;

 private:
  static constexpr std::array<int, 3> kSignals = {SIGINT, SIGTERM, SIGHUP};

  void remember();
  void install();
  void restore() noexcept;
  void listen();

  Callback callback_;
  int read_end_ = -1;
  int write_end_ = -1;
  std::array<std::optional<struct sigaction>, kSignals.size()> before_;  ///< Of those replaced.
  std::jthread thread_;
};

}  // namespace drover::orchestrator::run

/// Waiting for a socket, a deadline and a stop token at the same time.
///
/// Thread safety: one thread at a time; the stop may be requested from any.
/// Errors: std::system_error when the system has no file descriptor left.

#pragma once

#include <optional>
#include <stop_token>

#include "engine/clock.h"

namespace drover::engine::postgres {

enum class Waited { ready, deadline, stopped };

/// What a socket is waited for.
enum class Interest { read, write, read_and_write };

/// Lives as long as one blocking call: turns the call's Patience into something poll() sees.
class PatientWait {
 public:
  explicit PatientWait(const Patience& patience);
  PatientWait(const PatientWait&) = delete;
  PatientWait& operator=(const PatientWait&) = delete;
  ~PatientWait();

  /// Whether the patience is over already.
  Waited check() const;

  /// Returns when `socket` is ready (or in error), at the deadline, or at the stop.
  Waited wait(int socket, Interest interest) const;

 private:
  struct Wake {
    int event;
    void operator()() const noexcept;
  };

  SteadyTime deadline_;
  std::stop_token stop_;
  int event_ = -1;  // an eventfd; -1 where no stop is possible
  std::optional<std::stop_callback<Wake>> on_stop_;
};

}  // namespace drover::engine::postgres

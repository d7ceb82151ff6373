/// A session of a governor, which is opened when it is needed and opened again after it broke.
///
/// Thread safety: one thread.
/// Errors: values; see session.h.

#pragma once

#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>

#include "engine/session.h"

namespace drover::engine::batch {

class WatchSession {
 public:
  /// How long one question, and connecting for it, may take: others are waiting. (As for the watch
  /// of blockers; well below the 15 s after which nobody may work.)
  static constexpr Milliseconds kAskLimit{2'000};
  /// The server's own limit, which ends a slow throttle query and leaves the session usable.
  static constexpr Milliseconds kStatementLimit{1'500};
  /// Between two attempts to connect: doubles from the first to the second. (Our own choice; the
  /// second lets a server that is back be seen before anybody's 15 s are over.)
  static constexpr Milliseconds kFirstPause{200};
  static constexpr Milliseconds kLongestPause{3'000};

  WatchSession(SessionFactory& sessions, const Clock& clock) : sessions_(sessions), clock_(clock) {}

  /// The session with `target`; null while there is none, and error() says why.
  Session* get(const Target& target, const std::stop_token& stop);

  /// Only while it is open. Closes what the question broke.
  Exchange ask(std::span<const Statement> statements, const std::stop_token& stop);

  bool is_open() const noexcept { return session_ != nullptr; }
  int server_version() const noexcept { return session_->info().server_version; }
  const std::string& error() const noexcept { return error_; }

 private:
  SessionFactory& sessions_;
  const Clock& clock_;
  std::unique_ptr<Session> session_;
  std::string error_;
  Milliseconds pause_ = kFirstPause;
  SteadyTime not_before_ = SteadyTime::min();
};

}  // namespace drover::engine::batch

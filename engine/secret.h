/// A value that must never be printed: a password.
///
/// It has no stream operator and no formatter, so that putting one into a message, a log line or a
/// report does not compile. Whoever hands it to a driver says so by calling reveal().

#pragma once

#include <string>
#include <utility>

namespace drover::engine {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}

  /// The value in clear, for the one call that needs it. Do not keep a copy.
  const std::string& reveal() const noexcept { return value_; }
  bool empty() const noexcept { return value_.empty(); }

  bool operator==(const Secret&) const = default;

 private:
  std::string value_;
};

}  // namespace drover::engine

/// How many tenants of one server may be under way at once.
///
/// Never more than the configured cap, nor than what the server has room for as it said itself.
/// Below that the limit follows the server: it halves when the server refuses connections, shrinks
/// by a quarter when tenants take several times as long as they used to, and grows by one after
/// kSuccessesToGrow tenants that went well in a row. When to ask the server for its room is decided
/// in schedule.h.
///
/// Thread safety: a value; one thread at a time.

#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

namespace drover::orchestrator {

class AdaptiveLimit {
 public:
  static constexpr std::size_t kSuccessesToGrow = 8;

  /// How much is allowed before the server was asked for its room.
  static constexpr std::size_t kBeforeAsked = 4;

  /// Connections left alone in a server's room: a probe, the watch for blockers, and one for an
  /// application.
  static constexpr std::size_t kSparedConnections = 3;

  /// Slower than this many times the usual duration is a server under strain.
  static constexpr double kStrain = 3.0;

  explicit AdaptiveLimit(std::size_t cap) noexcept : cap_(cap), adapted_(cap) {}

  /// At least 1.
  std::size_t value() const noexcept;

  /// The server has `free` connections left beside `ours` of this run; nullopt: it does not count.
  void learn_room(std::optional<std::size_t> free, std::size_t ours) noexcept;

  /// The server refused a connection because there are too many.
  void refuse() noexcept;

  /// A tenant went well. `took` is zero when nothing was written, which says nothing about strain.
  void succeed(std::chrono::milliseconds took) noexcept;

  /// A tenant did not go well: the row of successes starts again.
  void fail() noexcept { successes_ = 0; }

 private:
  void observe(double took) noexcept;
  bool strained() const noexcept;

  std::size_t cap_;
  std::size_t adapted_;
  std::optional<std::size_t> room_ = kBeforeAsked;
  std::size_t successes_ = 0;

  std::size_t observed_ = 0;  ///< Durations since the limit last shrank for strain.
  bool has_usual_ = false;
  double usual_ms_ = 0;   ///< Moving average over many tenants.
  double recent_ms_ = 0;  ///< Moving average over few.
};

}  // namespace drover::orchestrator

/// Is a server well, is it being looked at, or is it paused, and when is it to be probed next?
///
/// A paused server is probed after 1 s, then less and less often up to every 30 s, until it answers
/// or the patience configured for it is used up; then it is given up for the rest of the run. A
/// server under suspicion is probed once. There are never more than two probes a second, and never
/// two at once. Who sends probes, and what a tenant's fault means for the server, is decided in
/// schedule.h.
///
/// Thread safety: a value; one thread at a time. Time and randomness come in as arguments.

#pragma once

#include <chrono>
#include <optional>

#include "engine/clock.h"
#include "engine/fault.h"

namespace drover::orchestrator {

class ServerHealth {
 public:
  static constexpr std::chrono::milliseconds kFirstProbe{1'000};
  static constexpr std::chrono::milliseconds kSlowestProbe{30'000};
  static constexpr std::chrono::milliseconds kBetweenProbes{500};

  enum class State {
    well,
    suspected,  ///< A probe is due or under way; nothing new is started.
    paused,     ///< Down; probed until it answers.
    given_up,   ///< Down for longer than we wait.
  };

  /// May tenants be started while a suspicion is looked into?
  enum class Meanwhile { go_on, hold };

  /// `patience` is how long the server may be paused in total, until it does something well again.
  explicit ServerHealth(std::chrono::milliseconds patience) noexcept : patience_(patience) {}

  State state() const noexcept { return state_; }
  bool may_start() const noexcept { return state_ == State::well; }

  /// Why it was paused last.
  const std::optional<engine::TenantFault>& fault() const noexcept { return fault_; }
  engine::SteadyTime paused_since() const noexcept { return paused_since_; }

  /// When it last came back: what was started earlier tells nothing about it as it is now.
  engine::SteadyTime resumed_at() const noexcept { return resumed_at_; }

  /// Wants one probe. Nothing when it is paused or given up anyway.
  void suspect(Meanwhile meanwhile) noexcept;

  /// Pauses it. `jitter` is from [0, 1).
  void pause(engine::TenantFault fault, engine::SteadyTime now, double jitter);

  /// When the next probe is to be sent; nullopt while none is wanted, or one is under way.
  std::optional<engine::SteadyTime> probe_due() const noexcept;
  void probe_sent(engine::SteadyTime now) noexcept;

  /// A probe came back well: it is well again, unless it was given up.
  void answered(engine::SteadyTime now) noexcept;

  /// A probe came back with `fault`: pauses it, or goes on pausing.
  void not_answered(engine::TenantFault fault, engine::SteadyTime now, double jitter);

  /// A tenant that was started at `started` did well: what was held against it is forgotten.
  void did_well(engine::SteadyTime started) noexcept;

  /// When a paused server is given up; nullopt for one that is not paused.
  std::optional<engine::SteadyTime> gives_up_at() const noexcept;
  void give_up() noexcept { state_ = State::given_up; }

 private:
  void schedule_probe(engine::SteadyTime now, double jitter) noexcept;

  std::chrono::milliseconds patience_;
  State state_ = State::well;
  bool probe_wanted_ = false;
  bool probe_under_way_ = false;
  engine::SteadyTime probe_at_ = engine::SteadyTime::min();
  std::chrono::milliseconds back_off_ = kFirstProbe;
  std::chrono::milliseconds paused_before_{0};  ///< Pauses that are over, since it last did well.
  engine::SteadyTime paused_since_ = engine::SteadyTime::min();
  engine::SteadyTime resumed_at_ = engine::SteadyTime::min();
  std::optional<engine::TenantFault> fault_;
};

}  // namespace drover::orchestrator

/// Renews the lease of a run as long as it lives, and hears what people at other terminals want of
/// it, on a thread of its own.
///
/// A lease is trusted from the moment before the call that renewed it, and for a margin less than
/// it lasts: the store dates the renewal later than we do, so nobody takes over while we still
/// trust it. What follows from a lease that ran out is decided by whoever hears of it.
///
/// Thread safety: the callback runs on the keeper's thread. The destructor waits for a renewal
/// that is under way.

#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <thread>

#include "engine/clock.h"
#include "orchestrator/journal.h"
#include "orchestrator/run/inbox.h"

namespace drover::orchestrator::run {

/// When a lease that was renewed by a call begun at `asked` is no longer to be trusted.
engine::SteadyTime trusted_until(engine::SteadyTime asked, std::chrono::milliseconds lease);

/// Five seconds, or a third of a lease that is short.
std::chrono::milliseconds renewal_interval(std::chrono::milliseconds lease);

class LeaseKeeper {
 public:
  /// LeaseRenewed, LeaseNotRenewed, ControlWanted, or HaltWanted when it is lost; then nothing
  /// more.
  using Tell = std::function<void(Message)>;

  /// References must outlive the keeper.
  LeaseKeeper(Journal& journal, engine::Clock& clock, RunId run, Owner owner, Tell tell);

 private:
  enum class Next { renew_on_time, renew_soon, give_up };

  void keep(const std::stop_token& stop);
  Next renew(engine::SteadyTime asked);
  void hear_controls();

  Journal& journal_;
  engine::Clock& clock_;
  const RunId run_;
  const Owner owner_;
  const Tell tell_;
  std::jthread thread_;
};

}  // namespace drover::orchestrator::run

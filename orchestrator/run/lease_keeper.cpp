#include "orchestrator/run/lease_keeper.h"

#include <algorithm>
#include <utility>

namespace drover::orchestrator::run {
namespace {

using engine::SteadyTime;
using std::chrono::milliseconds;

constexpr milliseconds kInterval{5'000};
constexpr milliseconds kMargin{2'000};
constexpr milliseconds kBetweenControls{1'000};

}  // namespace

SteadyTime trusted_until(SteadyTime asked, milliseconds lease) {
  return asked + lease - std::min(kMargin, lease / 5);
}

milliseconds renewal_interval(milliseconds lease) {
  return std::min(kInterval, lease / 3);
}

LeaseKeeper::LeaseKeeper(Journal& journal, engine::Clock& clock, RunId run, Owner owner, Tell tell)
    : journal_(journal),
      clock_(clock),
      run_(std::move(run)),
      owner_(std::move(owner)),
      tell_(std::move(tell)),
      thread_([this](const std::stop_token& stop) { keep(stop); }) {}

void LeaseKeeper::keep(const std::stop_token& stop) {
  const milliseconds interval = renewal_interval(journal_.lease());
  SteadyTime at = clock_.now() + interval;
  for (;;) {
    clock_.wait_until(std::min(at, clock_.now() + kBetweenControls), stop);
    if (stop.stop_requested()) {
      return;
    }
    hear_controls();
    const SteadyTime asked = clock_.now();
    if (asked < at) {
      continue;
    }
    const Next next = renew(asked);
    if (next == Next::give_up) {
      return;
    }
    at = asked + (next == Next::renew_on_time ? interval : interval / 5);
  }
}

/// A store that cannot be read is told by the renewal.
void LeaseKeeper::hear_controls() {
  try {
    for (Control& control : journal_.take_controls(run_)) {
      tell_(ControlWanted{std::move(control)});
    }
  } catch (const Error&) {
    return;
  }
}

LeaseKeeper::Next LeaseKeeper::renew(SteadyTime asked) {
  try {
    if (journal_.heartbeat(run_, owner_)) {
      tell_(LeaseRenewed{trusted_until(asked, journal_.lease())});
      return Next::renew_on_time;
    }
    tell_(HaltWanted{halt_for(lease_lost(run_))});
    return Next::give_up;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::busy) {
      tell_(HaltWanted{halt_for(error)});
      return Next::give_up;
    }
    tell_(LeaseNotRenewed{halt_for(error)});
    return Next::renew_soon;
  }
}

}  // namespace drover::orchestrator::run

#include "orchestrator/server_health.h"

#include <algorithm>
#include <utility>

namespace drover::orchestrator {
namespace {

using engine::SteadyTime;

/// How much of a delay chance may add to it, so that servers are not probed in step.
constexpr double kJitter = 0.25;

}  // namespace

void ServerHealth::suspect(Meanwhile meanwhile) noexcept {
  if (state_ == State::paused || state_ == State::given_up) {
    return;
  }
  probe_wanted_ = true;
  if (meanwhile == Meanwhile::hold) {
    state_ = State::suspected;
  }
}

void ServerHealth::pause(engine::TenantFault fault, SteadyTime now, double jitter) {
  if (state_ == State::given_up) {
    return;
  }
  fault_ = std::move(fault);
  if (state_ == State::paused) {
    return;
  }
  state_ = State::paused;
  paused_since_ = now;
  schedule_probe(now, jitter);
}

void ServerHealth::schedule_probe(SteadyTime now, double jitter) noexcept {
  const auto delay =
      std::chrono::duration_cast<std::chrono::milliseconds>(back_off_ * (1.0 + kJitter * jitter));
  probe_wanted_ = true;
  probe_at_ = std::max(probe_at_, now + std::min(delay, kSlowestProbe));
  back_off_ = std::min(back_off_ * 2, kSlowestProbe);
}

std::optional<SteadyTime> ServerHealth::probe_due() const noexcept {
  if (!probe_wanted_ || probe_under_way_ || state_ == State::given_up) {
    return std::nullopt;
  }
  return probe_at_;
}

void ServerHealth::probe_sent(SteadyTime now) noexcept {
  probe_wanted_ = false;
  probe_under_way_ = true;
  probe_at_ = now + kBetweenProbes;
}

void ServerHealth::answered(SteadyTime now) noexcept {
  probe_under_way_ = false;
  if (state_ == State::paused) {
    paused_before_ += std::chrono::duration_cast<std::chrono::milliseconds>(now - paused_since_);
    resumed_at_ = now;
    probe_wanted_ = false;
    state_ = State::well;
  } else if (state_ == State::suspected && !probe_wanted_) {
    state_ = State::well;  // else it was suspected again while this probe was under way
  }
}

void ServerHealth::not_answered(engine::TenantFault fault, SteadyTime now, double jitter) {
  probe_under_way_ = false;
  if (state_ == State::paused) {
    fault_ = std::move(fault);
    schedule_probe(now, jitter);
    return;
  }
  pause(std::move(fault), now, jitter);
}

void ServerHealth::did_well(SteadyTime started) noexcept {
  if (state_ == State::well && started >= resumed_at_) {
    back_off_ = kFirstProbe;
    paused_before_ = std::chrono::milliseconds::zero();
  }
}

std::optional<SteadyTime> ServerHealth::gives_up_at() const noexcept {
  if (state_ != State::paused) {
    return std::nullopt;
  }
  return paused_since_ + std::max(patience_ - paused_before_, std::chrono::milliseconds::zero());
}

}  // namespace drover::orchestrator

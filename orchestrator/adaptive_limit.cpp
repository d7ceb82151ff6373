#include "orchestrator/adaptive_limit.h"

#include <algorithm>

namespace drover::orchestrator {
namespace {

constexpr double kUsualWeight = 0.02;   // of the newest duration in the usual one: about 50 tenants
constexpr double kRecentWeight = 0.25;  // about 4 tenants
constexpr double kOutlier = 10.0;       // one giant tenant counts as so many usual ones at most

/// Differences below this are noise, whatever their ratio.
constexpr double kNoiseMs = 20.0;

/// Durations to see before strain is judged, at the start and again after the limit shrank.
constexpr std::size_t kObservedToJudge = 8;

}  // namespace

std::size_t AdaptiveLimit::value() const noexcept {
  return std::max<std::size_t>(1, std::min({cap_, adapted_, room_.value_or(cap_)}));
}

void AdaptiveLimit::learn_room(std::optional<std::size_t> free, std::size_t ours) noexcept {
  if (!free) {
    room_ = std::nullopt;
    return;
  }
  const std::size_t all = *free + ours;
  room_ = all > kSparedConnections ? all - kSparedConnections : 0;
}

void AdaptiveLimit::refuse() noexcept {
  adapted_ = std::max<std::size_t>(1, value() / 2);
  successes_ = 0;
}

void AdaptiveLimit::succeed(std::chrono::milliseconds took) noexcept {
  if (took > std::chrono::milliseconds::zero()) {
    observe(static_cast<double>(took.count()));
  }
  if (strained()) {
    successes_ = 0;
    if (observed_ >= kObservedToJudge) {
      adapted_ = std::max<std::size_t>(1, std::min(adapted_, value()) * 3 / 4);
      observed_ = 0;
    }
    return;
  }
  if (++successes_ >= kSuccessesToGrow) {
    adapted_ = std::min(cap_, adapted_ + 1);
    successes_ = 0;
  }
}

void AdaptiveLimit::observe(double took) noexcept {
  ++observed_;
  if (!has_usual_) {
    has_usual_ = true;
    usual_ms_ = took;
    recent_ms_ = took;
    return;
  }
  const double clamped = std::min(took, kOutlier * std::max(usual_ms_, kNoiseMs));
  usual_ms_ += kUsualWeight * (clamped - usual_ms_);
  recent_ms_ += kRecentWeight * (clamped - recent_ms_);
}

bool AdaptiveLimit::strained() const noexcept {
  return recent_ms_ > kStrain * usual_ms_ && recent_ms_ > usual_ms_ + kNoiseMs;
}

}  // namespace drover::orchestrator

#include "orchestrator/progress.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace drover::orchestrator {
namespace {

using engine::SteadyTime;
using std::chrono::milliseconds;

/// After so many seconds an amount counts 1/e of what it did.
constexpr double kMemorySeconds = 10.0;

/// Before this much is known, a time to go would be a guess.
constexpr std::size_t kDoneToForecast = 3;

constexpr double kNoPace = 1e-6;
constexpr double kMsPerSecond = 1000.0;

double seconds(SteadyTime::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

milliseconds whole(SteadyTime::duration duration) {
  return std::chrono::duration_cast<milliseconds>(duration);
}

/// The mean of the known durations; where none is known, every tenant counts the same.
double usual_duration(const std::vector<ScheduledTenant>& tenants) {
  double sum = 0;
  std::size_t known = 0;
  for (const ScheduledTenant& tenant : tenants) {
    if (tenant.known_duration) {
      sum += static_cast<double>(tenant.known_duration->count());
      ++known;
    }
  }
  return known == 0 ? 1.0 : std::max(1.0, sum / static_cast<double>(known));
}

}  // namespace

void Rate::add(double amount, SteadyTime now) noexcept {
  weight_ = decayed(now) + amount;
  at_ = now;
}

double Rate::decayed(SteadyTime now) const noexcept {
  return weight_ * std::exp(-seconds(now - at_) / kMemorySeconds);
}

double Rate::per_second(SteadyTime now) const noexcept {
  const double age = seconds(now - start_);
  if (age <= 0) {
    return 0;
  }
  // A young rate has not yet seen all that it can remember.
  return decayed(now) / (kMemorySeconds * (1.0 - std::exp(-age / kMemorySeconds)));
}

Progress::Progress(const std::vector<ScheduledTenant>& tenants, SteadyTime now)
    : start_(now), usual_ms_(usual_duration(tenants)), tenants_done_(now), work_done_(now) {
  tenants_.reserve(tenants.size());
  for (const ScheduledTenant& tenant : tenants) {
    tenants_.push_back({tenant.id, tenant.known_duration});
    expected_left_ms_ += expected_ms(tenants_.size() - 1);
  }
}

double Progress::expected_ms(std::size_t tenant) const noexcept {
  const std::optional<milliseconds>& known = tenants_[tenant].duration;
  return known ? std::max(1.0, static_cast<double>(known->count())) : usual_ms_;
}

void Progress::started(std::size_t tenant, int attempt, SteadyTime now) {
  under_way_[tenant] = {now, attempt};
}

void Progress::returned(std::size_t tenant) {
  under_way_.erase(tenant);
}

void Progress::finished(std::size_t tenant, const TenantOutcome& outcome, SteadyTime now) {
  under_way_.erase(tenant);
  ++done_;
  ++counts_[outcome.outcome];
  const double expected = expected_ms(tenant);
  expected_left_ms_ = std::max(0.0, expected_left_ms_ - expected);
  tenants_done_.add(1, now);
  work_done_.add(expected, now);
}

void Progress::reopened(std::size_t tenant, const TenantOutcome& outcome) {
  --done_;
  --counts_[outcome.outcome];
  expected_left_ms_ += expected_ms(tenant);
}

ProgressSnapshot Progress::snapshot(std::vector<PausedServer> paused, SteadyTime now) const {
  ProgressSnapshot result;
  result.total = tenants_.size();
  result.done = done_;
  result.in_flight = under_way_.size();
  result.counts = counts_;
  result.elapsed = whole(now - start_);
  result.tenants_per_second = tenants_done_.per_second(now);
  result.remaining = remaining(now);
  result.slowest = slowest(now);
  result.paused = std::move(paused);
  result.waiting_for = waiting_for(result, now);
  return result;
}

/// What is left at the pace of late; at least what the slowest tenant under way still needs.
std::optional<milliseconds> Progress::remaining(SteadyTime now) const {
  if (done_ == tenants_.size()) {
    return milliseconds::zero();
  }
  const double pace = work_done_.per_second(now);
  if (done_ < kDoneToForecast || pace < kNoPace) {
    return std::nullopt;
  }
  double left = expected_left_ms_ / pace * kMsPerSecond;
  for (const auto& [tenant, turn] : under_way_) {
    if (tenants_[tenant].duration) {
      left = std::max(left, expected_ms(tenant) - seconds(now - turn.since) * kMsPerSecond);
    }
  }
  return milliseconds(static_cast<milliseconds::rep>(left));
}

std::vector<TenantUnderWay> Progress::slowest(SteadyTime now) const {
  std::vector<std::pair<std::size_t, Turn>> turns(under_way_.begin(), under_way_.end());
  const std::size_t shown = std::min(kSlowestShown, turns.size());
  const auto end = turns.begin() + static_cast<std::ptrdiff_t>(shown);
  std::partial_sort(turns.begin(), end, turns.end(), [](const auto& a, const auto& b) {
    return std::pair(a.second.since, a.first) < std::pair(b.second.since, b.first);
  });
  std::vector<TenantUnderWay> result;
  for (auto turn = turns.begin(); turn != end; ++turn) {
    result.push_back(
        {tenants_[turn->first].id, whole(now - turn->second.since), turn->second.attempt});
  }
  return result;
}

std::string Progress::waiting_for(const ProgressSnapshot& snapshot, SteadyTime now) const {
  if (snapshot.done == snapshot.total) {
    return {};
  }
  if (snapshot.in_flight == 0 && !snapshot.paused.empty()) {
    const PausedServer& first = snapshot.paused.front();
    const std::string others =
        snapshot.paused.size() == 1 ? "" : fmt::format(" and {} more", snapshot.paused.size() - 1);
    return fmt::format("server '{}'{} to come back, paused for {} s",
                       first.server,
                       others,
                       static_cast<long long>(seconds(now - first.since)));
  }
  if (snapshot.in_flight == snapshot.total - snapshot.done && !snapshot.slowest.empty()) {
    const TenantUnderWay& oldest = snapshot.slowest.front();
    const std::string others =
        snapshot.in_flight == 1 ? "" : fmt::format(" and {} more", snapshot.in_flight - 1);
    return fmt::format(
        "tenant '{}'{}, under way for {} s", oldest.id.value, others, oldest.age.count() / 1000);
  }
  return {};
}

}  // namespace drover::orchestrator

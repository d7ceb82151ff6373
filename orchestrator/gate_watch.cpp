#include "orchestrator/gate_watch.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace drover::orchestrator {

using engine::SteadyTime;
using What = GateWatch::Verdict::What;

GateWatch::GateWatch(GateRules rules, StageTally tally, SteadyTime now)
    : rules_(std::move(rules)), tally_(std::move(tally)), soaked_at_(now + rules_.soak) {}

std::optional<GateWatch::Verdict> GateWatch::success_verdict() const {
  if (!rules_.success_percent ||
      tally_.went_well * 100 >= *rules_.success_percent * tally_.planned) {
    return std::nullopt;
  }
  return Verdict{What::fail,
                 0,
                 fmt::format("{} of {} tenants went well, and {} percent are asked for",
                             tally_.went_well,
                             tally_.planned,
                             *rules_.success_percent)};
}

GateWatch::Verdict GateWatch::look(SteadyTime now) {
  if (auto verdict = success_verdict()) {
    return *verdict;
  }
  if (soak_left_ || now < soaked_at_) {
    return {};
  }
  if (auto verdict = check_verdict(now)) {
    return *verdict;
  }
  if (tally_.approved_by.size() < rules_.approvals) {
    return {
        What::unapproved,
        0,
        fmt::format("{} of {} approvals are there", tally_.approved_by.size(), rules_.approvals)};
  }
  return {What::pass, 0, ""};
}

/// Nullopt when every check has passed.
std::optional<GateWatch::Verdict> GateWatch::check_verdict(SteadyTime now) {
  if (check_ == rules_.checks.size()) {
    return std::nullopt;
  }
  if (tries_ > rules_.checks[check_].retries) {
    return Verdict{last_ == Answer::fail ? What::fail : What::inconclusive, check_, text_};
  }
  if (asked_ || now < ask_at_) {
    return Verdict{};
  }
  asked_ = true;
  return Verdict{What::ask, check_, ""};
}

void GateWatch::answered(Answer answer, std::string text, SteadyTime now) {
  const GateRules::CheckRules& rules = rules_.checks.at(check_);
  asked_ = false;
  last_ = answer;
  text_ = std::move(text);
  ask_at_ = now + rules.interval;
  if (answer != Answer::pass) {
    passes_ = 0;
    ++tries_;
    return;
  }
  if (++passes_ >= rules.passes) {
    ++check_;
    passes_ = tries_ = 0;
    ask_at_ = now;
  }
}

void GateWatch::pause(SteadyTime now) {
  if (!soak_left_) {
    soak_left_ = soak_left(now);
  }
}

void GateWatch::go_on(SteadyTime now) {
  if (soak_left_) {
    soaked_at_ = now + *std::exchange(soak_left_, std::nullopt);
  }
}

std::optional<SteadyTime> GateWatch::wake_at() const noexcept {
  if (soak_left_ || asked_) {
    return std::nullopt;
  }
  return std::max(soaked_at_, check_ < rules_.checks.size() ? ask_at_ : SteadyTime::min());
}

std::chrono::milliseconds GateWatch::soak_left(SteadyTime now) const noexcept {
  using std::chrono::milliseconds;
  if (soak_left_) {
    return *soak_left_;
  }
  return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(soaked_at_ - now));
}

}  // namespace drover::orchestrator

#include "orchestrator/outcome.h"

#include <algorithm>
#include <array>
#include <utility>

namespace drover::orchestrator {
namespace {

/// In the order of the enumerators.
constexpr std::array<std::string_view, 10> kOutcomeNames = {"applied",
                                                            "current",
                                                            "failed",
                                                            "partial",
                                                            "in_doubt",
                                                            "not_started",
                                                            "skipped",
                                                            "held",
                                                            "unreachable",
                                                            "vanished"};
static_assert(static_cast<std::size_t>(Outcome::vanished) + 1 == kOutcomeNames.size());

constexpr std::size_t kTenantsNamedInGroup = 20;

bool is_well(Outcome outcome) noexcept {
  return outcome == Outcome::applied || outcome == Outcome::current;
}

/// What a tenant that is not well has in the way, as an exit status.
ErrorCode cause_of(const TenantOutcome& outcome) noexcept {
  if (outcome.fault) {
    return outcome.fault->code;
  }
  return outcome.outcome == Outcome::unreachable ? ErrorCode::unreachable : ErrorCode::incomplete;
}

}  // namespace

std::string_view name_of(Outcome outcome) noexcept {
  return kOutcomeNames.at(static_cast<std::size_t>(outcome));
}

std::optional<Outcome> outcome_named(std::string_view name) noexcept {
  const auto* const found = std::find(kOutcomeNames.begin(), kOutcomeNames.end(), name);
  if (found == kOutcomeNames.end()) {
    return std::nullopt;
  }
  return static_cast<Outcome>(found - kOutcomeNames.begin());
}

bool went_well(const TenantOutcome& outcome) noexcept {
  return outcome.outcome == Outcome::applied || outcome.outcome == Outcome::current;
}

bool was_left_out(const TenantOutcome& outcome) noexcept {
  return outcome.outcome == Outcome::skipped || outcome.outcome == Outcome::held ||
         outcome.outcome == Outcome::vanished;
}

TenantOutcome untouched(const TenantId& id,
                        const std::string& server,
                        Outcome outcome,
                        const std::string& reason) {
  TenantOutcome result;
  result.id = id;
  result.server = server;
  result.outcome = outcome;
  result.reason = reason;
  return result;
}

void RunSummary::add(const TenantOutcome& outcome) {
  ++total_;
  ++counts_[outcome.outcome];
  if (outcome.outcome == Outcome::held) {
    return;
  }
  if (!is_well(outcome.outcome)) {
    ++causes_[cause_of(outcome)];
  }
  if (!outcome.fault) {
    return;
  }
  const std::string fingerprint = engine::fingerprint_of(*outcome.fault);
  FaultGroup& group =
      groups_.try_emplace(fingerprint, FaultGroup{fingerprint, *outcome.fault, 0, {}})
          .first->second;
  ++group.count;
  if (group.tenants.size() < kTenantsNamedInGroup) {
    group.tenants.push_back(outcome.id);
  }
}

std::size_t RunSummary::count(Outcome outcome) const noexcept {
  const auto found = counts_.find(outcome);
  return found == counts_.end() ? 0 : found->second;
}

std::vector<FaultGroup> RunSummary::fault_groups() const {
  std::vector<FaultGroup> groups;
  groups.reserve(groups_.size());
  for (const auto& [fingerprint, group] : groups_) {
    groups.push_back(group);
  }
  std::stable_sort(groups.begin(), groups.end(), [](const FaultGroup& a, const FaultGroup& b) {
    return a.count > b.count;
  });
  return groups;
}

int RunSummary::exit_status() const noexcept {
  if (causes_.empty()) {
    return 0;
  }
  if (causes_.contains(ErrorCode::verification)) {
    return static_cast<int>(ErrorCode::verification);
  }
  const std::size_t concerned = total_ - count(Outcome::held);
  for (const ErrorCode code : {ErrorCode::busy, ErrorCode::unreachable}) {
    const auto found = causes_.find(code);
    if (found != causes_.end() && found->second == concerned) {
      return static_cast<int>(code);
    }
  }
  return static_cast<int>(ErrorCode::incomplete);
}

}  // namespace drover::orchestrator

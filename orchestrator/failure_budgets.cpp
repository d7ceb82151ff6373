#include "orchestrator/failure_budgets.h"

#include <fmt/format.h>

namespace drover::orchestrator {
namespace {

constexpr const char* kHint = "Mend what they have in common, then resume the run.";

bool is_over(const std::optional<std::size_t>& budget, std::size_t failures) {
  return budget && failures > *budget;
}

std::string tolerated(std::size_t budget) {
  return fmt::format("{} {} tolerated", budget, budget == 1 ? "is" : "are");
}

}  // namespace

std::optional<Halt> FailureBudgets::add(const TenantOutcome& failure) {
  ++failures_;
  const std::size_t on_server = ++by_server_[failure.server];
  if (failure.fault) {
    const std::size_t alike = ++by_fingerprint_[engine::fingerprint_of(*failure.fault)];
    if (is_over(rules_.fingerprint, alike)) {
      return Halt{ErrorCode::halted,
                  "fingerprint_budget_exhausted",
                  fmt::format("{} tenants failed of one cause, and {}: {}",
                              alike,
                              tolerated(*rules_.fingerprint),
                              failure.fault->message),
                  kHint};
    }
  }
  if (is_over(rules_.server, on_server)) {
    return Halt{ErrorCode::halted,
                "server_budget_exhausted",
                fmt::format("{} tenants of server '{}' failed, and {}",
                            on_server,
                            failure.server,
                            tolerated(*rules_.server)),
                kHint};
  }
  if (is_over(rules_.run, failures_)) {
    return Halt{
        ErrorCode::halted,
        "run_budget_exhausted",
        fmt::format("{} tenants of the run failed, and {}", failures_, tolerated(*rules_.run)),
        kHint};
  }
  return std::nullopt;
}

void FailureBudgets::forgive(const TenantOutcome& failure) {
  --failures_;
  --by_server_[failure.server];
  if (failure.fault) {
    --by_fingerprint_[engine::fingerprint_of(*failure.fault)];
  }
}

}  // namespace drover::orchestrator

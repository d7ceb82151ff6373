#include "orchestrator/turn.h"

#include <utility>

#include "orchestrator/hook.h"

namespace drover::orchestrator {

bool is_open(const TenantOutcome& outcome) noexcept {
  return outcome.outcome == Outcome::partial || outcome.outcome == Outcome::in_doubt;
}

bool has_looked(const TenantOutcome& outcome) noexcept {
  using engine::FaultClass;
  if (outcome.outcome == Outcome::unreachable || outcome.outcome == Outcome::not_started) {
    return false;
  }
  if (outcome.reason == kHookReason && outcome.attempts == 0) {
    return false;  // its hook kept everybody away from it
  }
  if (outcome.outcome != Outcome::failed || !outcome.fault) {
    return true;
  }
  const FaultClass fault_class = outcome.fault->fault_class;
  return fault_class == FaultClass::permanent || fault_class == FaultClass::transient ||
         fault_class == FaultClass::server_suspect || fault_class == FaultClass::fatal;
}

bool is_interrupted(const TenantOutcome& outcome) noexcept {
  return outcome.fault && outcome.fault->kind == "interrupted";
}

TenantOutcome merged(const TenantOutcome& earlier, TenantOutcome later) {
  const bool was_changed = is_open(earlier) || earlier.from != earlier.to;
  if (!was_changed) {
    return later;
  }
  if (!has_looked(later)) {
    if (is_open(earlier)) {
      return earlier;
    }
    later.to = earlier.to;
  }
  later.from = earlier.from;
  if (later.outcome == Outcome::current && later.from != later.to) {
    later.outcome = Outcome::applied;
    later.duration = earlier.duration;
  }
  return later;
}

TenantOutcome ended_short(TenantOutcome outcome) {
  if (!is_open(outcome)) {
    outcome.outcome = Outcome::not_started;
  }
  return outcome;
}

TenantOutcome ended_unreachable(TenantOutcome outcome, engine::TenantFault fault) {
  if (!is_open(outcome)) {
    outcome.outcome = Outcome::unreachable;
    outcome.fault = std::move(fault);
  }
  return outcome;
}

bool counts_as_failure(const TenantOutcome& outcome) noexcept {
  if (is_interrupted(outcome)) {
    return false;
  }
  return outcome.outcome == Outcome::failed || outcome.outcome == Outcome::unreachable ||
         is_open(outcome);
}

}  // namespace drover::orchestrator

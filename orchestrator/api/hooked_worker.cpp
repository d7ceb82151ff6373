#include "orchestrator/api/hooked_worker.h"

#include <utility>

namespace drover::orchestrator {
namespace {

engine::TenantFault fault_of(const Halt& halt, std::string hint) {
  engine::TenantFault fault;
  fault.kind = halt.kind;
  fault.message = halt.message;
  fault.hint = std::move(hint);
  return fault;
}

/// Of a tenant that was not connected to.
TenantOutcome left_alone(const Tenant& tenant, const Halt& why, const engine::Patience& patience) {
  TenantOutcome outcome =
      untouched(tenant.id, tenant.target.server, Outcome::failed, std::string(kHookReason));
  if (patience.stop.stop_requested()) {
    outcome.fault = fault_of(why, "Resume the run to go on.");
    outcome.fault->code = ErrorCode::halted;
    outcome.fault->kind = "interrupted";
    return outcome;
  }
  outcome.fault = fault_of(
      why, "Mend what it found, then retry: nothing was changed, and the hook is called again.");
  return outcome;
}

}  // namespace

TenantOutcome HookedWorker::work(const Tenant& tenant,
                                 int attempt,
                                 const engine::Patience& patience) {
  HookFacts facts;
  facts.tenant = &tenant;
  facts.attempt = attempt;
  TenantOutcome outcome = work_if_hooks_let(facts, patience);
  facts.event = HookEvent::after_tenant;
  if (!hooks_.wants(facts)) {
    return outcome;
  }
  facts.outcome = outcome;
  const std::optional<Halt> failed = hooks_.run(facts, {engine::SteadyTime::max(), patience.force});
  if (failed && went_well(outcome)) {
    outcome.outcome = Outcome::failed;
    outcome.reason = std::string(kHookReason);
    outcome.fault = fault_of(
        *failed, "The tenant is where it should be; mend what the hook found, then retry.");
  }
  return outcome;
}

TenantOutcome HookedWorker::work_if_hooks_let(const HookFacts& facts,
                                              const engine::Patience& patience) {
  HookFacts before = facts;
  before.event = HookEvent::before_tenant;
  if (hooks_.wants(before)) {
    const std::optional<Halt> failed =
        hooks_.run(before, {patience.deadline, patience.stop, patience.force});
    if (failed) {
      return left_alone(*facts.tenant, *failed, patience);
    }
  }
  return inner_.work(*facts.tenant, facts.attempt, patience);
}

}  // namespace drover::orchestrator

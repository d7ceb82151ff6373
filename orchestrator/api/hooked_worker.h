/// A TenantWorker that has hooks called before and after each tenant.
///
/// A tenant whose before_tenant hook failed is not connected to. Once a before_tenant hook was
/// called, after_tenant is called as well, whatever came in between: what was drained is undrained.
/// It is also called when the run is being cancelled; only Patience::force ends it then.
///
/// Thread safety: as TenantWorker. Nothing throws.

#pragma once

#include "orchestrator/dispatcher.h"
#include "orchestrator/run_hooks.h"

namespace drover::orchestrator {

class HookedWorker final : public TenantWorker {
 public:
  /// Both must outlive it.
  HookedWorker(TenantWorker& inner, RunHooks& hooks) : inner_(inner), hooks_(hooks) {}

  TenantOutcome work(const Tenant& tenant, int attempt, const engine::Patience& patience) override;
  void worker_idle() override { inner_.worker_idle(); }

 private:
  TenantOutcome work_if_hooks_let(const HookFacts& facts, const engine::Patience& patience);

  TenantWorker& inner_;
  RunHooks& hooks_;
};

}  // namespace drover::orchestrator

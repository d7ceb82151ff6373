#include "orchestrator/run/run_plan.h"

namespace drover::orchestrator::run {

std::map<TenantId, int> crashed_starts(const std::vector<JournalTenant>& tenants) {
  std::map<TenantId, int> result;
  for (const JournalTenant& tenant : tenants) {
    if (tenant.started && !tenant.finished) {
      result.emplace(tenant.outcome.id, tenant.outcome.attempts);
    }
  }
  return result;
}

int RunResult::exit_status() const noexcept {
  if (halt && halt->code == ErrorCode::storage) {
    return static_cast<int>(ErrorCode::storage);
  }
  if (interrupted) {
    return *interrupted;
  }
  return halt ? static_cast<int>(halt->code) : summary.exit_status();
}

}  // namespace drover::orchestrator::run

#include "orchestrator/run/run_plan.h"

#include <algorithm>

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
  const int status = halt ? static_cast<int>(halt->code) : summary.exit_status();
  return failed_hooks > 0 ? std::max(status, static_cast<int>(ErrorCode::incomplete)) : status;
}

}  // namespace drover::orchestrator::run

/// What a hook is told of what happened.
///
/// Thread safety: plain values.

#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "orchestrator/hook.h"
#include "orchestrator/outcome.h"
#include "orchestrator/schedule.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator {

/// Whoever says that something happened fills in what it knows; the run's own names are added by
/// api/.
struct HookFacts {
  HookEvent event = HookEvent::run_start;
  std::string run = {};
  std::string environment = {};
  std::string verb = {};  ///< "upgrade", "downgrade", "rollback"
  bool resumed = false;
  std::string stage = {};
  const Tenant* tenant = nullptr;  ///< Null: of the run as a whole.
  int attempt = 0;
  std::optional<TenantOutcome> outcome = {};  ///< Of the tenant.
  std::optional<Halt> halt = {};              ///< Why the run stopped, or stands still.
  std::optional<int> exit_status = {};
  std::map<Outcome, std::size_t> counts = {};  ///< Of run_end: how many tenants ended how.
};

}  // namespace drover::orchestrator

/// Where one tenant stands, as status reports it.
///
/// Thread safety: plain values.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/fault.h"
#include "engine/tenant_status.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator {

struct TenantStanding {
  TenantId id;
  std::string server;
  Labels labels;
  engine::TenantState state = engine::TenantState::unreachable;
  std::vector<engine::RevisionId> current;  ///< Heads.
  std::vector<engine::RevisionId> pending;  ///< In the order to run them.
  std::string progress;  ///< Of a partial tenant: "1 of 3 units of revision '0004' done".
  std::string uid;       ///< Empty: it has no history.
  std::int64_t epoch = 0;
  std::optional<std::uint64_t> bytes = {};  ///< Of its data, where the preflight asked.
  std::optional<engine::TenantFault> fault;
  std::vector<engine::RevisionId> of_run;  ///< What it has from the run that was asked for.
};

}  // namespace drover::orchestrator

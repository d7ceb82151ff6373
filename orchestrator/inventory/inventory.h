/// The fleet of an environment, as its tenant sources list it now.
///
/// Nothing here connects to a tenant; sources are asked in the order of the configuration, and the
/// answer is all or nothing: one bad row, one source without tenants or one that cannot be asked,
/// and there is an error and no fleet. Whatever names a source delivers are data.
///
/// Thread safety: one call is one thread's; calls are independent.
/// Errors: Error usage with the place of the source, or of the row in a file: those of
/// check_fleet(), invalid_target, and source_empty, source_failed, source_malformed. Error
/// unreachable: source_unreachable.

#pragma once

#include <functional>
#include <stop_token>
#include <string_view>
#include <vector>

#include "engine/target.h"
#include "orchestrator/options.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator::inventory {

/// Whose words a target is.
enum class TargetTrust {
  configuration,  ///< The operator's: any connection keyword.
  source,         ///< Data: only those that cannot do harm.
};

/// Makes a Target of a PostgreSQL URL or keyword string. Throws Error usage, without a place,
/// naming the keyword that is wrong.
using TargetParser = std::function<engine::Target(std::string_view text, TargetTrust trust)>;

/// What the inventory needs from rooms that it does not know.
struct InventoryAdapters {
  TargetParser parse_target;
  std::stop_token stop;  ///< Ends a `command` source.
};

/// Every tenant of `environment`, in the order of its sources, checked by check_fleet().
std::vector<Tenant> list_tenants(const Environment& environment, const InventoryAdapters& adapters);

}  // namespace drover::orchestrator::inventory

/// Visits many tenants at once, those of one database together.
///
/// For what reads from a fleet outside of a run: status, preflight. Never more at a time than the
/// limits allow, in total and on each server.
///
/// Thread safety: one call is one caller's; it uses threads of its own.

#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "orchestrator/options.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator {

/// Tenants that are visited together: one, or schemas of one database.
struct Errand {
  std::vector<std::size_t> tenants;  ///< Indexes; at least one.
  std::string server;
};

/// An errand for each tenant of `tenants` that `is_meant`, or for up to `most` of one PostgreSQL
/// database. The order is that of their first tenants.
std::vector<Errand> errands_by_database(const std::vector<Tenant>& tenants,
                                        std::size_t most,
                                        const std::function<bool(std::size_t)>& is_meant);

/// Calls `visit` once for each errand, on several threads, and returns when all are done. What it
/// throws is thrown again here, after the others have ended.
void carry_out(const std::vector<Errand>& errands,
               const Limits& limits,
               const std::function<void(const Errand&)>& visit);

}  // namespace drover::orchestrator

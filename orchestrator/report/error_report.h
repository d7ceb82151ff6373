/// An error as machines and as people are shown it.
///
/// Thread safety: pure functions.

#pragma once

#include <string>

#include "engine/error.h"
#include "engine/fault.h"
#include "orchestrator/report/value.h"

namespace drover::orchestrator::report {

/// {code, kind, sqlstate, message, hint, file, line, column, blocker}; what is not known is null.
Value error_value(const Error& error);
Value error_value(const engine::TenantFault& fault);

/// "lock_timeout (55P03) at 0004_x.sql:12:3: revision '0004': ..."
std::string fault_line(const engine::TenantFault& fault);

/// "blocked by pid 4711, app 'billing', user app, idle in transaction for 00:04:11"; empty without
/// a blocker.
std::string blocker_line(const engine::TenantFault& fault);

}  // namespace drover::orchestrator::report

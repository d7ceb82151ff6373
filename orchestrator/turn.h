/// What several attempts at one tenant amount to.
///
/// An attempt may end without an answer (connection lost, server down) after an earlier one had
/// left the tenant half-way; then what is known stays what the earlier one said. Whether there is
/// another attempt is decided in schedule.h.
///
/// Thread safety: pure functions.

#pragma once

#include "engine/fault.h"
#include "orchestrator/outcome.h"

namespace drover::orchestrator {

/// True for partial and in_doubt: the tenant may be between two revisions, or past one.
bool is_open(const TenantOutcome& outcome) noexcept;

/// True when the attempt got to read the tenant's history and so knows where the tenant is.
bool has_looked(const TenantOutcome& outcome) noexcept;

/// True when the attempt ended because the run was cancelled.
bool is_interrupted(const TenantOutcome& outcome) noexcept;

/// What is known after `earlier` and then `later`: changes of both are told as one, a doubt stays
/// until someone has looked, and a change that turned out to be committed counts as applied.
TenantOutcome merged(const TenantOutcome& earlier, TenantOutcome later);

/// `outcome` of a tenant that would be tried again, if the run did not end here: what is open stays
/// open, everything else was not done.
TenantOutcome ended_short(TenantOutcome outcome);

/// `outcome` of a tenant whose server was given up because of `fault`.
TenantOutcome ended_unreachable(TenantOutcome outcome, engine::TenantFault fault);

/// True when a failure budget counts it. The caller leaves out what a server is to blame for.
bool counts_as_failure(const TenantOutcome& outcome) noexcept;

}  // namespace drover::orchestrator

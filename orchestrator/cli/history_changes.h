/// stamp, repair and mark, over several tenants: show what would change, ask, do it.
///
/// Thread safety: one invocation, one thread.

#pragma once

#include <functional>
#include <string>

#include "engine/administration.h"
#include "orchestrator/api/workspace.h"
#include "orchestrator/cli/verb.h"

namespace drover::orchestrator::cli {

/// What is done to one tenant; called first with Commit::no and then, if people agree, with yes.
using HistoryAct = std::function<engine::AdministrationResult(const Tenant& tenant,
                                                              engine::TenantSession& session,
                                                              const engine::Provenance& by,
                                                              engine::Commit commit)>;

/// Applies `act` to every chosen tenant. The exit status: 0, or that of the faults.
int change_histories(Workspace& workspace,
                     Invocation& invocation,
                     const std::string& verb,
                     const std::string& confirm,
                     const HistoryAct& act);

}  // namespace drover::orchestrator::cli

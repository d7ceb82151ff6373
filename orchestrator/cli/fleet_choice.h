/// Which tenants a fleet verb is for, and the words that say so before anything happens.
///
/// Thread safety: one invocation, one thread.
/// Errors: Error usage: those of Selector and of Workspace.

#pragma once

#include <string>
#include <vector>

#include "orchestrator/api/workspace.h"
#include "orchestrator/cli/verb.h"
#include "orchestrator/standing.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator::cli {

/// The tenants that the invocation's selectors pick; with --status, those that stand so now.
std::vector<Tenant> chosen_tenants(Workspace& workspace, Invocation& invocation);

/// Whether the command line chooses tenants at all.
bool chose_tenants(const Globals& globals);

/// Asks `tenants` where they stand, with a live count on a terminal.
std::vector<TenantStanding> standings_of(Workspace& workspace,
                                         Invocation& invocation,
                                         const std::vector<Tenant>& tenants,
                                         const std::string& target);

/// "environment production: 400 tenants on 3 servers"; for a single target its name.
std::string describe_fleet(Workspace& workspace, const std::vector<Tenant>& tenants);

/// The one tenant that --tenant names; the only one of the fleet when it was not given.
///
/// Throws Error usage: one_tenant_needed.
Tenant only_tenant(Workspace& workspace, Invocation& invocation);

/// Asks before production is changed: its name has to be typed, or given with --confirm.
void confirm_change(Workspace& workspace,
                    Invocation& invocation,
                    const std::string& what,
                    const std::string& confirm);

}  // namespace drover::orchestrator::cli

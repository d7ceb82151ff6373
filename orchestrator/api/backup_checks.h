/// What a plan says of the backups that its run will make: how many, how much room they need, and
/// whether the tools for them fit the servers.
///
/// The size is that of the tenants as they are, which a compressed dump hardly ever reaches.
///
///     backups              how many, by what, where to, and how much room there is
///     little_backup_space  less is free there than the backups may need
///
/// Thread safety: free functions. Errors: Error usage: those of pg_tools.h, history_outside_backup,
/// copy_of_schema.

#pragma once

#include <map>
#include <string>
#include <vector>

#include "orchestrator/options.h"
#include "orchestrator/plan.h"
#include "orchestrator/standing.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator {

struct BackupLook {
  const Environment& environment;
  const std::vector<Tenant>& tenants;
  const std::vector<bool>& is_to_change;              ///< Of each of the tenants.
  const std::vector<TenantStanding>& standings;       ///< As above.
  const std::map<std::string, int>& server_versions;  ///< See PreflightResult.
};

/// Empty where no stage makes backups, or nobody is to be changed. Refuses tools that are missing,
/// or older than a server that they are to save.
std::vector<PlanFinding> look_at_backups(const BackupLook& look);

}  // namespace drover::orchestrator

/// The table of verbs. Each family of verbs has a file; this gathers them in the order that the
/// help shows.

#pragma once

#include <span>
#include <vector>

#include "orchestrator/cli/verb.h"

namespace drover::orchestrator::cli {

/// All of them.
std::span<const VerbSpec> all_verbs();

// One per file.
VerbSpec init_verb();
VerbSpec create_verb();
VerbSpec merge_verb();
VerbSpec validate_verb();
VerbSpec history_verb();
VerbSpec heads_verb();
VerbSpec branches_verb();
VerbSpec show_verb();
VerbSpec status_verb();
VerbSpec current_verb();
VerbSpec tenants_verb();
VerbSpec fleet_version_verb();
VerbSpec upgrade_verb();
VerbSpec downgrade_verb();
VerbSpec plan_verb();
VerbSpec plan_show_verb();
VerbSpec apply_verb();
VerbSpec rollback_verb();
VerbSpec approve_verb();
VerbSpec resume_verb();
VerbSpec retry_verb();
VerbSpec pause_verb();
VerbSpec halt_verb();
VerbSpec throttle_verb();
VerbSpec skip_verb();
VerbSpec hold_add_verb();
VerbSpec hold_list_verb();
VerbSpec hold_remove_verb();
VerbSpec lock_show_verb();
VerbSpec lock_release_verb();
VerbSpec runs_verb();
VerbSpec backup_verb();
VerbSpec batches_list_verb();
VerbSpec batches_show_verb();
VerbSpec batches_pause_verb();
VerbSpec batches_resume_verb();
VerbSpec batches_set_verb();
VerbSpec batches_run_verb();
VerbSpec backups_list_verb();
VerbSpec backups_verify_verb();
VerbSpec backups_prune_verb();
VerbSpec restore_verb();
VerbSpec stamp_verb();
VerbSpec repair_verb();
VerbSpec mark_verb();
VerbSpec reset_verb();
VerbSpec shell_verb();
VerbSpec ready_verb();
VerbSpec doctor_verb();
VerbSpec config_show_verb();
VerbSpec version_verb();

}  // namespace drover::orchestrator::cli

#include "orchestrator/cli/verbs.h"

namespace drover::orchestrator::cli {

std::span<const VerbSpec> all_verbs() {
  static const std::vector<VerbSpec> kVerbs{
      init_verb(),         create_verb(),         merge_verb(),         validate_verb(),
      history_verb(),      heads_verb(),          branches_verb(),      show_verb(),
      status_verb(),       current_verb(),        tenants_verb(),       fleet_version_verb(),
      upgrade_verb(),      downgrade_verb(),      plan_verb(),          plan_show_verb(),
      apply_verb(),        rollback_verb(),       approve_verb(),       resume_verb(),
      retry_verb(),        pause_verb(),          halt_verb(),          throttle_verb(),
      skip_verb(),         hold_add_verb(),       hold_list_verb(),     hold_remove_verb(),
      lock_show_verb(),    lock_release_verb(),   runs_verb(),          backup_verb(),
      backups_list_verb(), backups_verify_verb(), backups_prune_verb(), restore_verb(),
      batches_list_verb(), batches_show_verb(),   batches_pause_verb(), batches_resume_verb(),
      batches_set_verb(),  batches_run_verb(),    stamp_verb(),         repair_verb(),
      mark_verb(),         reset_verb(),          shell_verb(),         ready_verb(),
      doctor_verb(),       config_show_verb(),    version_verb()};
  return kVerbs;
}

}  // namespace drover::orchestrator::cli

/// Puts tenants back from their backups, as a run: under limits, with an entry in the journal, the
/// environment's lease and an outcome for every tenant.
///
/// What is put back how is backup_desk.h. A restore that was cut short is not resumed as a run; the
/// same command again goes on with each tenant where it was.
///
/// Thread safety: one thread; drain() and cancel() from any.
/// Errors: Error usage: no_backup, foreign_backup, unknown_backup, unknown_tenant, order_stale.
/// RunInProgress when a living run is in the way. Error storage from the journal.

#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "orchestrator/api/backup_desk.h"
#include "orchestrator/api/workspace.h"
#include "orchestrator/restore_order.h"
#include "orchestrator/run/run_plan.h"
#include "orchestrator/run/run_stop.h"

namespace drover::orchestrator {

struct PlannedRestore {
  Tenant tenant;
  Backup backup;
};

/// Which backup of each tenant.
struct RestoreChoice {
  std::optional<std::string> run = {};     ///< That of this run,
  std::optional<std::string> backup = {};  ///< ... or this one, of one tenant; neither: the newest.
  bool all_must_have_one = true;           ///< Otherwise tenants without are left out.
};

/// One of each of `tenants`, in their order. Throws Error usage: no_backup, foreign_backup.
std::vector<PlannedRestore> choose_backups(const BackupDesk& desk,
                                           const std::vector<Tenant>& tenants,
                                           const RestoreChoice& choice);

/// `restores` as an order of `author` made now.
RestoreOrder order_of(const std::vector<PlannedRestore>& restores,
                      const std::string& environment,
                      const std::string& author);

/// What `order` says, with the tenants of `fleet`. Throws Error usage: unknown_tenant,
/// unknown_backup; Error verification: order_stale when a backup is not the one that was meant.
std::vector<PlannedRestore> take_order(const RestoreOrder& order,
                                       const BackupDesk& desk,
                                       const std::vector<Tenant>& fleet);

class FleetRestore {
 public:
  /// Begins nothing. Both references must outlive the object.
  FleetRestore(Workspace& workspace, BackupDesk& desk, std::vector<PlannedRestore> restores);

  /// `what` is what a person asked for: "run 20261122T...", "newest". Every tenant has an outcome:
  /// applied, from the heads that it had to those of the backup, or why not.
  run::RunResult run(const std::string& what,
                     const std::vector<std::string>& approvals,
                     run::RunObserver& observer,
                     engine::SteadyTime deadline = engine::SteadyTime::max());

  /// Known once run() has begun it; empty for a target without a journal.
  const RunId& id() const noexcept { return id_; }

  void drain(int exit_status) { stop_.drain(exit_status); }
  void cancel(int exit_status) { stop_.cancel(exit_status); }

 private:
  Workspace& workspace_;
  BackupDesk& desk_;
  const std::vector<PlannedRestore> restores_;
  RunId id_;
  run::RunStop stop_;
};

}  // namespace drover::orchestrator

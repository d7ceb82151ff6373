/// One run over a fleet, from the question "what will happen" to the last outcome.
///
/// Brings together what the run room, the store and the engine each know a part of: begins or takes
/// over the run in the journal with a sealed copy of the migrations, lets current tenants of a
/// shared database pass without a session each, gives the rest to the coordinator, and answers with
/// an outcome for every tenant.
///
/// Thread safety: one thread; drain() and cancel() from any.
/// Errors: Error usage, before anything is begun: GraphError for a target that makes no sense,
/// batch_not_supported, unknown_run, run_finished, migrations_changed and
/// strategy_changed for a plan that no longer fits, late_joiners. RunInProgress when a
/// living run is in the way. Error storage from the journal.

#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/executor.h"
#include "orchestrator/api/workspace.h"
#include "orchestrator/outcome.h"
#include "orchestrator/plan.h"
#include "orchestrator/run/run_plan.h"
#include "orchestrator/run/run_stop.h"
#include "orchestrator/standing.h"

namespace drover::orchestrator {

class BackupDesk;
class RunBackups;

/// What a person asked for.
struct FleetRunRequest {
  engine::Goal goal;
  std::vector<Tenant> tenants;
  engine::TransactionMode transaction = engine::TransactionMode::per_revision;
  engine::Chaining chaining = engine::Chaining::on;
  bool create_files = false;
  std::optional<std::size_t> in_flight;   ///< Lower than the environment's limit, never above.
  std::optional<std::size_t> per_server;  ///< As above.
  bool whole_fleet = true;                ///< `tenants` is no selection.
  /// A run whose tenants go back to where they were; then `goal` and `tenants` follow from it.
  std::optional<std::string> rollback_of = {};
  /// What is to be done exactly; then `goal` and `tenants` are its.
  std::optional<Plan> plan = {};
  std::vector<std::string> approvals = {};  ///< Of the plan, who and when; kept in the journal.
};

/// What a run will do, read from the tenants; for the question before it.
struct RunForecast {
  std::size_t total = 0;
  std::size_t to_change = 0;
  std::size_t unfit = 0;  ///< Unreachable, edited, diverged ...: the run will say why.
  std::map<engine::RevisionId, std::size_t> revisions;  ///< How many tenants each goes to.
};

/// A tenant whose steps were tried and taken back.
struct TenantRehearsal {
  TenantId id;
  engine::RehearsalOutcome outcome;
};

/// Whether a run that is gone on with tries those again that failed. Of one that halted because too
/// many failed, they always are.
enum class RetryFailed { no, yes };

/// Refuses what is only for runs of migrations. Throws Error usage: run_is_restore.
void refuse_restore(const RunRecord& run);

class FleetRun {
 public:
  /// Begins nothing yet. `workspace` must outlive the run.
  FleetRun(Workspace& workspace, FleetRunRequest request);

  /// Takes up a run that was cut short: `id` (or a prefix), else the newest of the environment. To
  /// retry failures it may have ended as well, but nothing may have come after it.
  FleetRun(Workspace& workspace,
           const std::optional<std::string>& id,
           RetryFailed retry = RetryFailed::no);
  ~FleetRun();

  /// Refuses what can be refused without a connection. Throws Error usage.
  void check();

  /// Reads where the tenants stand; changes nothing.
  RunForecast forecast(const engine::Patience& patience = {});

  /// Tries on each tenant what run() would do, as far as one transaction goes, and takes it back:
  /// see Executor::rehearse(). Under the limits of the run, without stages. In the tenants' order.
  std::vector<TenantRehearsal> rehearse(const engine::Patience& patience = {});

  /// What run() would do now, frozen. Changes nothing.
  Plan make_plan(engine::SteadyTime deadline = engine::SteadyTime::max());

  /// Does all that comes before the first change: looks for what cannot be undone, for what the
  /// rest of the fleet lacks, and plans where there are stages. Returns the plan that run() will
  /// carry out, null for a run without one. run() calls it by itself; who wants to see the plan
  /// first calls it before. Throws Error usage: irreversible, fleet_behind; those of
  /// assign_waves().
  const Plan* prepare(engine::SteadyTime deadline = engine::SteadyTime::max());

  /// Runs to the end. Every tenant of the request has an outcome in the result, those of an earlier
  /// try included. Throws as said above.
  run::RunResult run(run::RunObserver& observer,
                     engine::SteadyTime deadline = engine::SteadyTime::max());

  /// Known once run() has begun it; empty for a target without a journal.
  const RunId& id() const noexcept { return id_; }
  bool resumed() const noexcept { return resumed_; }
  const std::string& digest() const noexcept { return digest_; }

  /// Tenants that joined the fleet after the plan was made, and take no part.
  const std::vector<TenantId>& late_joiners_left_alone() const noexcept { return ignored_; }

  /// "upgrade", "downgrade", "rollback"
  std::string verb() const;
  const FleetRunRequest& request() const noexcept { return request_; }

  void drain(int exit_status) { stop_.drain(exit_status); }
  void cancel(int exit_status) { stop_.cancel(exit_status); }

 private:
  void take_plan();
  void take_rollback();
  bool find_target(const TenantStanding& standing);
  void take_targets_of_plan();
  void leave_changed_since_run(std::vector<TenantStanding>& standings);
  void check_fleet_requirements(engine::SteadyTime deadline);
  void check_plan() const;
  void plan_stages(engine::SteadyTime deadline);
  void settle_held(Journal& journal, run::RunObserver& observer);
  std::vector<TenantStanding> standings(const std::vector<Tenant>& tenants,
                                        const std::string& target,
                                        const engine::Patience& patience);
  std::string usual_target() const;
  std::vector<PlanFinding> look_before(std::vector<TenantStanding>& found,
                                       const engine::Patience& patience);
  void check_strategy() const;
  void take_starts();
  RolloutRules stages_for(Journal& journal, const std::vector<Tenant>& rest);
  void refuse_irreversible(engine::SteadyTime deadline);
  Journal& journal();
  std::optional<RunRecord> record_to_go_on_with(Journal& store,
                                                const std::optional<std::string>& id);
  void begin(Journal& journal);
  bool take_up_equal_run(Journal& journal, const RunRequest& wanted);
  bool has_our_stages(Journal& journal, const RunRecord& run) const;
  void adopt(Journal& journal, const RunRecord& record);
  RunRequest run_request() const;
  std::vector<Tenant> settle_current(Journal& journal,
                                     run::RunObserver& observer,
                                     engine::SteadyTime deadline);
  std::vector<std::pair<Tenant, TenantStanding>> with_standings(std::vector<Tenant>& rest,
                                                                engine::SteadyTime deadline);
  void forget_old_runs(Journal& journal, run::RunObserver& observer);
  void settle(Journal& journal, run::RunObserver& observer, TenantOutcome outcome);
  Limits limits() const;
  engine::ExecutorOptions executor_options() const;
  std::unique_ptr<RunBackups> backups_for(Journal& journal);
  run::RunResult coordinate(Journal& journal,
                            std::vector<Tenant> rest,
                            run::RunObserver& observer,
                            engine::SteadyTime deadline);

  Workspace& workspace_;
  FleetRunRequest request_;
  RetryFailed retry_ = RetryFailed::no;
  std::shared_ptr<const engine::MigrationSet> migrations_;
  std::string digest_;
  RunId id_;
  Owner owner_;
  std::map<TenantId, std::string> targets_;  ///< Of a rollback: where each tenant was before,
  std::map<TenantId, std::vector<engine::RevisionId>> left_at_;  ///< ... and after the run.
  std::vector<TenantId> ignored_;
  std::set<TenantId> unsure_;  ///< Of a rollback: the tenant's own history must tell.
  std::optional<Plan> plan_;   ///< Of a run in stages, or of one that applies a plan.
  bool resumed_ = false;
  bool prepared_ = false;
  std::map<TenantId, TenantStanding> planned_from_;  ///< What a plan of our own was made from,
  engine::SteadyTime planned_at_;                    ///< ... and when that was asked.
  engine::SteadyTime lease_taken_;
  std::map<TenantId, int> crashed_starts_;
  std::set<TenantId> untouched_;        ///< Of a resumed run: nobody has started them.
  std::vector<TenantOutcome> settled_;  ///< Outcomes that need no coordinator.
  std::unique_ptr<Journal> no_journal_;
  std::unique_ptr<BackupDesk> desk_;  ///< Where the run has to do with backups.
  run::RunStop stop_;
};

}  // namespace drover::orchestrator

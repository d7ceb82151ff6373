#include "orchestrator/api/fleet_restore.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "engine/api/engine_means.h"
#include "orchestrator/api/fleet_status.h"
#include "orchestrator/api/fleet_worker.h"
#include "orchestrator/api/no_journal.h"
#include "orchestrator/api/this_process.h"
#include "orchestrator/plan/restore_file.h"
#include "orchestrator/plan/utc_time.h"
#include "orchestrator/run/coordinator.h"
#include "orchestrator/run/pool_dispatcher.h"

namespace drover::orchestrator {
namespace {

Error no_backup(const TenantId& tenant, const RestoreChoice& choice) {
  return {ErrorCode::usage,
          "no_backup",
          fmt::format("tenant '{}' has no backup{}",
                      tenant.value,
                      choice.run ? fmt::format(" of run {}", *choice.run) : ""),
          "See drover backups list for what there is."};
}

Error foreign_backup(const Backup& backup, const TenantId& tenant) {
  return {ErrorCode::usage,
          "foreign_backup",
          fmt::format("backup {} is of tenant '{}', not of '{}'",
                      backup.id.value,
                      backup.tenant.value,
                      tenant.value),
          "See drover backups list for those of the tenant."};
}

/// Puts one tenant back as its turn in a run.
class RestoreWorker final : public TenantWorker {
 public:
  RestoreWorker(Workspace& workspace,
                BackupDesk& desk,
                const std::vector<PlannedRestore>& restores,
                Journal& journal,
                const RunId& run)
      : clock_(workspace.clock()), desk_(desk), journal_(journal), run_(run) {
    for (const PlannedRestore& restore : restores) {
      backups_.emplace(restore.tenant.id, &restore.backup);
    }
  }

  /// Where each tenant was before, for its outcome.
  void take_standings(const std::vector<TenantStanding>& standings) {
    for (const TenantStanding& standing : standings) {
      heads_.emplace(standing.id, standing.current);
    }
  }

  TenantOutcome work(const Tenant& tenant, int, const engine::Patience& patience) override {
    const engine::SteadyTime start = clock_.now();
    const Backup& backup = *backups_.at(tenant.id);
    TenantOutcome outcome;
    outcome.id = tenant.id;
    outcome.server = tenant.target.server;
    outcome.attempts = 1;
    outcome.from = outcome.to = heads_.at(tenant.id);
    try {
      PutBack done = desk_.put_back(
          backup,
          tenant,
          outcome.from,
          [&](std::string_view step) { note(tenant, "restore_step", step); },
          patience);
      outcome.fault = std::move(done.fault);
      if (!done.kept.empty()) {
        note(tenant, "restore_kept", fmt::format("what it held before is kept: {}", done.kept));
      }
    } catch (const std::exception& error) {
      outcome.fault = engine::fault_from(error);
    }
    outcome.outcome = outcome.fault ? Outcome::failed : Outcome::applied;
    outcome.reason = outcome.fault ? "" : "restored";
    outcome.to = outcome.fault ? outcome.to : backup.heads;
    outcome.duration = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - start);
    return outcome;
  }

 private:
  void note(const Tenant& tenant, std::string kind, std::string_view text) {
    journal_.record(RunEvent{run_, tenant.id.value, std::move(kind), std::string(text)});
  }

  engine::Clock& clock_;
  BackupDesk& desk_;
  Journal& journal_;
  const RunId& run_;
  std::map<TenantId, const Backup*> backups_;
  std::map<TenantId, std::vector<engine::RevisionId>> heads_;
};

std::vector<Tenant> tenants_of(const std::vector<PlannedRestore>& restores) {
  std::vector<Tenant> tenants;
  tenants.reserve(restores.size());
  for (const PlannedRestore& restore : restores) {
    tenants.push_back(restore.tenant);
  }
  return tenants;
}

}  // namespace

std::vector<PlannedRestore> choose_backups(const BackupDesk& desk,
                                           const std::vector<Tenant>& tenants,
                                           const RestoreChoice& choice) {
  std::vector<PlannedRestore> chosen;
  if (choice.backup) {
    Backup backup = desk.find(*choice.backup);
    if (tenants.size() != 1 || tenants.front().id != backup.tenant) {
      throw foreign_backup(backup, tenants.front().id);
    }
    chosen.push_back({tenants.front(), std::move(backup)});
    return chosen;
  }
  std::map<TenantId, Backup> newest;  // of those that are meant
  for (Backup& backup : desk.all()) {
    if (choice.run ? backup.run == *choice.run : !backup.aside) {
      newest.insert_or_assign(backup.tenant, std::move(backup));
    }
  }
  for (const Tenant& tenant : tenants) {
    const auto found = newest.find(tenant.id);
    if (found != newest.end()) {
      chosen.push_back({tenant, found->second});
    } else if (choice.all_must_have_one) {
      throw no_backup(tenant.id, choice);
    }
  }
  if (chosen.empty()) {
    throw no_backup(tenants.front().id, choice);
  }
  return chosen;
}

RestoreOrder order_of(const std::vector<PlannedRestore>& restores,
                      const std::string& environment,
                      const std::string& author) {
  RestoreOrder order{environment, author, plan::to_utc_text(std::chrono::system_clock::now()), {}};
  for (const auto& [tenant, backup] : restores) {
    order.restores.push_back({tenant.id, backup.id, backup.uid, backup.sha256});
  }
  return order;
}

std::vector<PlannedRestore> take_order(const RestoreOrder& order,
                                       const BackupDesk& desk,
                                       const std::vector<Tenant>& fleet) {
  std::vector<PlannedRestore> restores;
  for (const OrderedRestore& ordered : order.restores) {
    const auto tenant = std::find_if(
        fleet.begin(), fleet.end(), [&](const Tenant& one) { return one.id == ordered.tenant; });
    if (tenant == fleet.end()) {
      throw Error(ErrorCode::usage,
                  "unknown_tenant",
                  fmt::format("tenant '{}' of the order is not in the fleet", ordered.tenant.value),
                  "Make a new order.");
    }
    Backup backup = desk.find(ordered.backup.value);
    if (backup.tenant != ordered.tenant || backup.uid != ordered.uid ||
        backup.sha256 != ordered.sha256) {
      throw Error(ErrorCode::verification,
                  "order_stale",
                  fmt::format("backup {} is not the one that the order means", backup.id.value),
                  "Make a new order, and look at who has written to the backups.");
    }
    restores.push_back({*tenant, std::move(backup)});
  }
  return restores;
}

FleetRestore::FleetRestore(Workspace& workspace,
                           BackupDesk& desk,
                           std::vector<PlannedRestore> restores)
    : workspace_(workspace), desk_(desk), restores_(std::move(restores)) {}

run::RunResult FleetRestore::run(const std::string& what,
                                 const std::vector<std::string>& approvals,
                                 run::RunObserver& observer,
                                 engine::SteadyTime deadline) {
  const Environment& environment = workspace_.environment();
  NoJournal no_journal;
  Journal& journal = workspace_.journal() == nullptr ? no_journal : *workspace_.journal();
  run::RunPlan plan;
  plan.tenants = tenants_of(restores_);
  plan.owner = this_process();
  plan.lease_taken = workspace_.clock().now();
  RunRequest request;
  request.environment = environment.name;
  request.verb = "restore";
  request.target = what;
  for (const Tenant& tenant : plan.tenants) {
    request.tenants.push_back(tenant.id);
  }
  if (const auto old = journal.resumable(environment.name)) {
    journal.finish_run(old->id, RunState::abandoned, old->exit_status);
  }
  id_ = plan.run = journal.begin_run(request, plan.owner);
  for (const std::string& approval : approvals) {
    journal.record(RunEvent{id_, {}, "order_approved", approval});
  }
  plan.limits = environment.limits;
  plan.limits.in_flight = desk_.options().in_flight;
  plan.limits.per_server = desk_.options().per_server;
  plan.failure_budget = default_failure_budget(plan.tenants.size());
  plan.probe_timeout = environment.timeouts.connect;
  RestoreWorker worker(workspace_, desk_, restores_, journal, id_);
  worker.take_standings(read_fleet_status({workspace_.sessions(),
                                           workspace_.clock(),
                                           *workspace_.migrations(),
                                           workspace_.approach(),
                                           environment.limits,
                                           "heads",
                                           {},
                                           {}},
                                          plan.tenants,
                                          {deadline, {}}));
  FleetProbe probe(workspace_.sessions(), environment.timeouts.connect);
  run::PoolDispatcher dispatcher(worker, std::min(plan.limits.in_flight, plan.tenants.size()));
  run::Coordinator coordinator(workspace_.clock(), dispatcher, probe, journal, observer);
  const run::RunStop::Reach reach(stop_, coordinator);
  return coordinator.run(plan, {deadline, {}});
}

}  // namespace drover::orchestrator

#include "orchestrator/api/fleet.h"

#include <stop_token>
#include <utility>

#include "engine/executor.h"
#include "engine/postgres/pg_blocker_watch.h"
#include "orchestrator/api/fleet_run.h"
#include "orchestrator/api/fleet_status.h"
#include "orchestrator/api/fleet_worker.h"
#include "orchestrator/api/run_batches.h"
#include "orchestrator/api/workspace.h"

namespace drover {
namespace {

namespace fleet = orchestrator;

std::vector<std::string> names(const std::vector<engine::RevisionId>& ids) {
  std::vector<std::string> result;
  result.reserve(ids.size());
  for (const engine::RevisionId& id : ids) {
    result.push_back(id.value);
  }
  return result;
}

std::optional<DatabaseProblem> problem_of(const std::optional<engine::TenantFault>& fault) {
  if (!fault) {
    return std::nullopt;
  }
  return DatabaseProblem{fault->code,
                         fault->kind,
                         fault->sqlstate,
                         fault->message,
                         fault->hint,
                         fault->revision,
                         fault->place};
}

FleetTenantResult result_of(const fleet::TenantOutcome& outcome) {
  return {outcome.id.value,
          std::string(fleet::name_of(outcome.outcome)),
          names(outcome.from),
          names(outcome.to),
          outcome.attempts,
          problem_of(outcome.fault)};
}

/// Hands a run's events to the application.
class Listener final : public fleet::run::RunObserver {
 public:
  explicit Listener(const std::function<void(const FleetTenantResult&)>& on_tenant)
      : on_tenant_(on_tenant) {}

  void on_progress(const fleet::ProgressSnapshot& /*snapshot*/) override {}
  void on_stage(const std::string& /*name*/, orchestrator::StageMoved::To /*to*/) override {}
  void on_event(const std::string& /*text*/) override {}
  void on_tenant(const fleet::TenantOutcome& outcome) override {
    if (on_tenant_) {
      on_tenant_(result_of(outcome));
    }
  }

 private:
  const std::function<void(const FleetTenantResult&)>& on_tenant_;
};

}  // namespace

/// What every call starts from. Each makes a Workspace of its own, so calls share nothing that
/// changes.
struct Fleet::State {
  explicit State(FleetOptions given) : options(std::move(given)) {
    fleet::Workspace probe = workspace();
    probe.environment();
    probe.migrations();
  }

  fleet::Workspace workspace() const {
    fleet::WorkspaceRequest request;
    request.config = options.config;
    request.environment = options.environment;
    request.variables = options.variables;
    request.working_directory = std::filesystem::current_path();
    return fleet::Workspace(std::move(request));
  }

  const FleetOptions options;
};

Fleet::Fleet(FleetOptions options) : state_(std::make_shared<State>(std::move(options))) {}
Fleet::Fleet(Fleet&&) noexcept = default;
Fleet& Fleet::operator=(Fleet&&) noexcept = default;
Fleet::~Fleet() = default;

std::vector<FleetTenant> Fleet::status(const CallLimits& limits) const {
  fleet::Workspace workspace = state_->workspace();
  const auto migrations = workspace.migrations();
  const fleet::FleetStatusRequest request{workspace.sessions(),
                                          workspace.clock(),
                                          *migrations,
                                          workspace.approach(),
                                          workspace.environment().limits};
  std::vector<FleetTenant> tenants;
  for (const fleet::TenantStanding& standing :
       fleet::read_fleet_status(request, workspace.fleet(), {limits.deadline, limits.stop})) {
    tenants.push_back({standing.id.value,
                       standing.server,
                       standing.labels,
                       std::string(engine::name_of(standing.state)),
                       names(standing.current),
                       names(standing.pending),
                       problem_of(standing.fault)});
  }
  return tenants;
}

std::future<std::vector<FleetTenant>> Fleet::status_async(CallLimits limits) const {
  return std::async(std::launch::async, [self = Fleet(state_), limits = std::move(limits)] {
    return self.status(limits);
  });
}

FleetPlan Fleet::plan(const std::string& target, const CallLimits& limits) const {
  fleet::Workspace workspace = state_->workspace();
  fleet::FleetRunRequest request;
  request.goal.target = target;
  request.tenants = workspace.fleet();
  fleet::FleetRun run(workspace, std::move(request));
  run.check();
  const fleet::RunForecast forecast = run.forecast({limits.deadline, limits.stop});
  FleetPlan plan{target, forecast.total, forecast.to_change, forecast.unfit, {}};
  for (const auto& [id, count] : forecast.revisions) {
    plan.revisions.emplace(id.value, count);
  }
  return plan;
}

FleetResult Fleet::apply(const FleetPlan& plan,
                         const CallLimits& limits,
                         const std::function<void(const FleetTenantResult&)>& on_tenant) const {
  fleet::Workspace workspace = state_->workspace();
  fleet::FleetRunRequest request;
  request.goal.target = plan.target;
  request.tenants = workspace.fleet();
  fleet::FleetRun run(workspace, std::move(request));
  run.check();
  const std::stop_callback stop(limits.stop,
                                [&run] { run.drain(static_cast<int>(ErrorCode::halted)); });
  Listener listener(on_tenant);
  const fleet::run::RunResult finished = run.run(listener, limits.deadline);
  FleetResult result;
  result.run = run.id().value;
  result.exit_status = finished.exit_status();
  for (const fleet::TenantOutcome& outcome : finished.tenants) {
    result.tenants.push_back(result_of(outcome));
  }
  return result;
}

std::future<FleetResult> Fleet::apply_async(FleetPlan plan, CallLimits limits) const {
  return std::async(std::launch::async,
                    [self = Fleet(state_), plan = std::move(plan), limits = std::move(limits)] {
                      return self.apply(plan, limits);
                    });
}

std::future<FleetPlan> Fleet::plan_async(std::string target, CallLimits limits) const {
  return std::async(std::launch::async,
                    [self = Fleet(state_), target = std::move(target), limits = std::move(limits)] {
                      return self.plan(target, limits);
                    });
}

/// Approached just as a run approaches its tenants: with the environment's mark, its timeouts and
/// its place for histories. Otherwise a later run would not find what was done here.
MigrationOutcome Fleet::provision(const std::string& id,
                                  const std::string& url,
                                  const CallLimits& limits) const {
  fleet::Workspace workspace = state_->workspace();
  const fleet::Tenant tenant{{id}, engine::api::parse_target(url), {}, "provision()"};
  fleet::check_fleet({tenant});
  engine::ExecutorOptions options;
  options.approach = workspace.approach();
  options.approach.create_files = true;
  options.by.who = engine::api::who_we_are();
  options.concurrent_timeout = workspace.environment().timeouts.concurrent;
  const auto migrations = workspace.migrations();
  engine::postgres::PgBlockerWatch watch(workspace.sessions());
  engine::OpenDdlGate gate;
  fleet::RunBatches batches(
      workspace.sessions(), workspace.clock(), workspace.environment().batches);
  options.batches = &batches;
  const engine::Executor executor(
      workspace.sessions(), workspace.clock(), *migrations, options, watch, gate);
  const engine::ApplyOutcome applied =
      executor.apply(tenant.target,
                     fleet::facts_of(tenant),
                     {engine::Direction::up, "heads", engine::FromPartial::no},
                     {limits.deadline, limits.stop});
  return {std::string(fleet::name_of(fleet::outcome_of(tenant, applied).outcome)),
          names(applied.from),
          names(applied.to),
          names(applied.done),
          problem_of(applied.fault)};
}

std::future<MigrationOutcome> Fleet::provision_async(std::string id,
                                                     std::string url,
                                                     CallLimits limits) const {
  return std::async(
      std::launch::async,
      [self = Fleet(state_), id = std::move(id), url = std::move(url), limits = std::move(limits)] {
        return self.provision(id, url, limits);
      });
}

}  // namespace drover

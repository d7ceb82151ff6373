// A run that follows a plan: one that it is given, or makes because the environment has stages.

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "engine/base/sha256.h"
#include "orchestrator/api/backup_checks.h"
#include "orchestrator/api/backup_desk.h"
#include "orchestrator/api/batch_outlook.h"
#include "orchestrator/api/fleet_plan.h"
#include "orchestrator/api/fleet_preflight.h"
#include "orchestrator/api/fleet_run.h"
#include "orchestrator/api/fleet_status.h"
#include "orchestrator/api/run_backups.h"
#include "orchestrator/gates/window.h"
#include "orchestrator/plan/plan_file.h"
#include "orchestrator/rollout_resume.h"
#include "orchestrator/strategy.h"

namespace drover::orchestrator {
namespace {

using engine::SteadyTime;

/// When stages may start tenants, by the wall. Nothing starts in the last `margin` of a window, so
/// that what was started can end in it.
class WindowCalendar {
 public:
  WindowCalendar(RolloutOptions rollout, std::chrono::milliseconds margin)
      : rollout_(std::move(rollout)), margin_(margin) {}

  OpenBetween operator()(std::size_t stage, SteadyTime now) const {
    const Window& window = *rollout_.stages.at(std::min(stage, rollout_.stages.size() - 1)).window;
    const WallTime wall = std::chrono::system_clock::now();
    gates::OpenSpan span = gates::span_at_or_after(window, wall);
    if (span.closes - margin_ <= wall) {
      span = gates::span_at_or_after(window, span.closes);
    }
    const auto steady = [&](WallTime at) {
      return now + std::chrono::duration_cast<SteadyTime::duration>(at - wall);
    };
    return {steady(span.opens), std::max(steady(span.closes - margin_), steady(span.opens))};
  }

 private:
  RolloutOptions rollout_;
  std::chrono::milliseconds margin_;
};

}  // namespace

/// The tenants of the plan that are still in the fleet, in its order.
void FleetRun::take_plan() {
  plan_ = request_.plan;
  request_.goal.direction = plan_->direction;
  request_.goal.target = plan_->target;
  check_plan();
  std::map<TenantId, const Tenant*> fleet;
  for (const Tenant& tenant : workspace_.fleet()) {
    fleet.emplace(tenant.id, &tenant);
  }
  request_.tenants.clear();
  for (const PlannedTenant& planned : plan_->tenants) {
    const auto found = fleet.find(planned.id);
    if (found != fleet.end() && planned.unfit.empty()) {
      request_.tenants.push_back(*found->second);
    } else {
      const bool gone = found == fleet.end();
      settled_.push_back(untouched(planned.id,
                                   planned.server,
                                   gone ? Outcome::vanished : Outcome::skipped,
                                   gone ? "not_in_fleet" : "unfit_when_planned"));
    }
    fleet.erase(planned.id);
  }
  const LateJoiners policy = workspace_.environment().rollout
                                 ? workspace_.environment().rollout->late_joiners
                                 : LateJoiners::ignore;
  if (fleet.empty() || !plan_->whole_fleet) {
    return;
  }
  if (policy == LateJoiners::ignore) {
    for (const auto& [id, tenant] : fleet) {
      ignored_.push_back(id);
    }
    return;
  }
  if (policy == LateJoiners::stop) {
    throw Error(ErrorCode::usage,
                "late_joiners",
                fmt::format("{} tenants have joined the fleet since it was planned, the first is "
                            "'{}'",
                            fleet.size(),
                            fleet.begin()->first.value),
                "Make a new plan.");
  }
  for (const auto& [id, tenant] : fleet) {
    request_.tenants.push_back(*tenant);
  }
}

/// Exactly what was planned, or nothing.
void FleetRun::check_plan() const {
  const Environment& environment = workspace_.environment();
  if (plan_->environment != environment.name) {
    throw Error(ErrorCode::usage,
                "foreign_plan",
                fmt::format("the plan is for environment '{}', and this is '{}'",
                            plan_->environment,
                            environment.name),
                fmt::format("Say -e {}.", plan_->environment));
  }
  if (plan_->migrations_digest != digest_) {
    for (const PlannedRevision& revision : plan_->revisions) {
      const engine::Migration* const now = migrations_->find(revision.id);
      if (now == nullptr || engine::base::sha256_hex(*now->text) != revision.sha256) {
        throw Error(ErrorCode::verification,
                    "migrations_changed",
                    fmt::format("revision '{}' {} since the plan was made",
                                revision.id.value,
                                now == nullptr ? "is gone" : "has changed"),
                    "Restore the file, or make a new plan.",
                    {revision.file, 0, 0});
      }
    }
    throw Error(ErrorCode::verification,
                "migrations_changed",
                "the migration files are not those that the plan was made from",
                "Restore them, or make a new plan.");
  }
  check_strategy();
}

void FleetRun::check_strategy() const {
  const RolloutOptions now = rollout_of(workspace_.environment());
  if (plan_->strategy != strategy_text(now)) {
    throw Error(ErrorCode::verification,
                "strategy_changed",
                "the rollout of the configuration is not the one that the plan was made for",
                "Restore it, or make a new plan.",
                now.place);
  }
}

/// Whether `run` goes through the stages that are configured now; after a change it does not.
bool FleetRun::has_our_stages(Journal& journal, const RunRecord& run) const {
  const std::string text = journal.plan_of(run.id);
  if (text.empty() || !plan_) {
    return text.empty() && !plan_;
  }
  const Plan plan = plan::from_text(text, fmt::format("the plan of run {}", run.id.value));
  return plan.strategy == plan_->strategy;
}

std::vector<TenantStanding> FleetRun::standings(const std::vector<Tenant>& tenants,
                                                const std::string& target,
                                                const engine::Patience& patience) {
  const FleetStatusRequest question{workspace_.sessions(),
                                    workspace_.clock(),
                                    *migrations_,
                                    workspace_.approach(),
                                    limits(),
                                    target,
                                    {},
                                    request_.rollback_of.value_or(id_.value)};
  return read_fleet_status(question, tenants, patience);
}

/// What status is asked for: one who goes down is asked for nothing but where it is.
std::string FleetRun::usual_target() const {
  return request_.goal.direction == engine::Direction::up && !request_.rollback_of
             ? request_.goal.target
             : "heads";
}

Plan FleetRun::make_plan(SteadyTime deadline) {
  planned_at_ = workspace_.clock().now();
  std::vector<TenantStanding> found = standings(request_.tenants, usual_target(), {deadline, {}});
  leave_changed_since_run(found);
  std::vector<PlanFinding> findings = look_before(found, {deadline, {}});
  Plan plan = orchestrator::make_plan({workspace_.environment(),
                                       *migrations_,
                                       request_.goal,
                                       workspace_.fleet(),
                                       request_.tenants,
                                       found,
                                       engine::api::who_we_are(),
                                       std::chrono::system_clock::now(),
                                       request_.whole_fleet,
                                       targets_,
                                       std::move(findings)});
  for (TenantStanding& standing : found) {
    const TenantId id = standing.id;
    planned_from_.insert_or_assign(id, std::move(standing));
  }
  return plan;
}

/// One that goes down, or back, may have steps that its standing does not tell.
std::vector<PlanFinding> FleetRun::look_before(std::vector<TenantStanding>& found,
                                               const engine::Patience& patience) {
  const bool goes_up = request_.goal.direction == engine::Direction::up && targets_.empty();
  std::vector<bool> is_to_change;
  is_to_change.reserve(found.size());
  for (const TenantStanding& standing : found) {
    is_to_change.push_back(!standing.fault && (!goes_up || !standing.pending.empty()));
  }
  const PreflightRequest request{workspace_.sessions(),
                                 workspace_.clock(),
                                 workspace_.approach(),
                                 limits(),
                                 asks_for_sizes(rollout_of(workspace_.environment()))};
  PreflightResult seen = preflight(request, request_.tenants, is_to_change, found, patience);
  std::vector<PlanFinding> of_backups = look_at_backups(
      {workspace_.environment(), request_.tenants, is_to_change, found, seen.server_versions});
  std::move(of_backups.begin(), of_backups.end(), std::back_inserter(seen.findings));
  if (goes_up) {
    std::vector<PlanFinding> of_batches = look_at_batches(
        {workspace_.sessions(), workspace_.clock(), workspace_.approach(), limits(), *migrations_},
        request_.tenants,
        found,
        patience);
    std::move(of_batches.begin(), of_batches.end(), std::back_inserter(seen.findings));
  }
  return std::move(seen.findings);
}

/// An environment with stages or backups has its runs planned, also when nobody asked for a plan.
void FleetRun::plan_stages(SteadyTime deadline) {
  const Environment& environment = workspace_.environment();
  const bool staged = environment.rollout.has_value() || request_.rollback_of ||
                      needs_guard(backup_rules(environment));
  if (!plan_ && staged && !workspace_.single_target()) {
    plan_ = make_plan(deadline);
  }
}

/// A contract step waits until the whole fleet has what it stands on, whoever is to be changed now.
void FleetRun::check_fleet_requirements(SteadyTime deadline) {
  const engine::Goal& goal = request_.goal;
  if (goal.direction == engine::Direction::down || goal.relative() || request_.rollback_of) {
    return;
  }
  const engine::RevisionGraph& graph = migrations_->graph();
  const engine::RevisionSet on_the_way =
      graph.closure(engine::resolve_upgrade(graph, goal.target, {}));
  std::vector<const engine::Migration*> contracts;
  for (const engine::Migration& migration : migrations_->in_order()) {
    if (migration.requires_fleet && on_the_way.contains(migration.id)) {
      contracts.push_back(&migration);
    }
  }
  if (contracts.empty()) {
    return;
  }
  std::set<TenantId> held;
  for (const Hold& hold : journal().holds(workspace_.environment().name)) {
    held.insert(hold.tenant);
  }
  const std::vector<TenantStanding> everybody =
      standings(workspace_.fleet(), "heads", {deadline, {}});
  for (const engine::Migration* contract : contracts) {
    std::vector<std::string> behind;
    std::size_t done = 0;
    for (const TenantStanding& tenant : everybody) {
      const engine::RevisionSet applied = graph.closure(tenant.current);
      done += applied.contains(contract->id) ? 1U : 0U;
      const bool has = !tenant.fault && applied.contains(*contract->requires_fleet);
      if (!has && !held.contains(tenant.id)) {
        behind.push_back(tenant.id.value);
      }
    }
    if (!behind.empty() && done < everybody.size()) {
      throw Error(
          ErrorCode::usage,
          "fleet_behind",
          fmt::format("revision '{}' starts only when every tenant has '{}', and {} of {} do "
                      "not, the first is '{}'",
                      contract->id.value,
                      contract->requires_fleet->value,
                      behind.size(),
                      everybody.size(),
                      behind.front()),
          fmt::format("Take the fleet to '{}' first, or hold those tenants.",
                      contract->requires_fleet->value),
          {contract->source.generic_string(), 0, 0});
    }
  }
}

/// What each tenant must still be for its steps to be those of the plan. One that a process of this
/// run has begun with is no longer what it was.
void FleetRun::take_starts() {
  if (!plan_) {
    return;
  }
  std::map<TenantId, const PlannedTenant*> planned;
  for (const PlannedTenant& tenant : plan_->tenants) {
    planned.emplace(tenant.id, &tenant);
  }
  for (Tenant& tenant : request_.tenants) {
    const auto found = planned.find(tenant.id);
    const bool begun = resumed_ && !untouched_.contains(tenant.id);
    if (found != planned.end() && !begun) {
      tenant.target.planned = planned_start(*found->second);
    }
  }
}

/// Tenants that somebody keeps out of runs.
void FleetRun::settle_held(Journal& journal, run::RunObserver& observer) {
  std::map<TenantId, Hold> holds;
  for (Hold& hold : journal.holds(workspace_.environment().name)) {
    holds.emplace(hold.tenant, std::move(hold));
  }
  if (holds.empty()) {
    return;
  }
  std::vector<Tenant> rest;
  for (Tenant& tenant : request_.tenants) {
    const auto found = holds.find(tenant.id);
    if (found == holds.end()) {
      rest.push_back(std::move(tenant));
      continue;
    }
    settle(journal,
           observer,
           untouched(tenant.id,
                     tenant.target.server,
                     Outcome::held,
                     fmt::format("{} ({})", found->second.reason, found->second.owner)));
  }
  request_.tenants = std::move(rest);
}

/// The stages with what is left to do in them. `rest` are the tenants of the run, settled ones come
/// after them in the numbering, and leave their stages.
RolloutRules FleetRun::stages_for(Journal& journal, const std::vector<Tenant>& rest) {
  std::vector<Tenant> everybody = rest;
  RunSoFar so_far;
  so_far.settled.resize(rest.size());
  for (const TenantOutcome& outcome : settled_) {
    Tenant& tenant = everybody.emplace_back();
    tenant.id = outcome.id;
    tenant.target.server = outcome.server;
    so_far.settled.emplace_back(outcome);
  }
  if (resumed_) {
    for (const EventRecord& event : journal.events_of(id_)) {
      if (event.kind == run::kStagePassed) {
        so_far.passed.insert(event.text);
      }
    }
    so_far.approved_by = journal.stage_approvals(id_);
  }
  const Environment& environment = workspace_.environment();
  RolloutRules rules = rollout_rules(
      *plan_, everybody, {environment, limits(), 0, request_.rollback_of.has_value()});
  if (environment.rollout && !request_.rollback_of) {
    rules.calendar = WindowCalendar(*environment.rollout, environment.timeouts.statement);
  }
  return continued(std::move(rules), so_far);
}

/// Null where the run has nothing to do with backups.
std::unique_ptr<RunBackups> FleetRun::backups_for(Journal& journal) {
  const Environment& environment = workspace_.environment();
  if (!needs_guard(backup_rules(environment))) {
    return nullptr;
  }
  RunBackupsRequest request{workspace_.clock(),
                            journal,
                            environment,
                            *migrations_,
                            id_,
                            resumed_,
                            plan_ ? &*plan_ : nullptr,
                            extents_of(workspace_.fleet()),
                            {},
                            {}};
  if (environment.backup) {
    desk_ = std::make_unique<BackupDesk>(workspace_);
    request.means = desk_->means();
    request.put_back = [desk = desk_.get()](const Backup& backup,
                                            const Tenant& tenant,
                                            const engine::Patience& patience) {
      return desk->put_back(backup, tenant, {}, {}, patience).fault;
    };
  }
  return std::make_unique<RunBackups>(std::move(request));
}

}  // namespace drover::orchestrator

// A run that undoes another one.

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "orchestrator/api/fleet_run.h"

namespace drover::orchestrator {
namespace {

std::vector<engine::RevisionId> sorted_heads(std::vector<engine::RevisionId> heads) {
  std::sort(heads.begin(), heads.end());
  return heads;
}

/// One head, or none: several have no name that a tenant could be sent to.
std::string place_before(const TenantId& tenant,
                         const std::vector<engine::RevisionId>& heads,
                         const std::string& run) {
  if (heads.size() > 1) {
    throw Error(ErrorCode::usage,
                "rollback_ambiguous",
                fmt::format("tenant '{}' had {} heads before run {}, and there is no way back to "
                            "several at once",
                            tenant.value,
                            heads.size(),
                            run),
                "Take it back by drover downgrade.");
  }
  return heads.empty() ? "base" : heads.front().value;
}

/// The journal of a process that was killed may know less than the tenant: only one that was looked
/// at, to the end, has surely told what happened to it.
bool is_told(const JournalTenant& tenant) {
  constexpr Outcome kLooked[] = {
      Outcome::applied, Outcome::current, Outcome::failed, Outcome::partial};
  return tenant.finished &&
         std::find(std::begin(kLooked), std::end(kLooked), tenant.outcome.outcome) !=
             std::end(kLooked);
}

Error nothing_to_roll_back(const std::string& run) {
  return {ErrorCode::usage,
          "nothing_to_roll_back",
          fmt::format("run {} changed no tenant that is in the fleet", run),
          "See drover runs for what it did."};
}

}  // namespace

/// Back to where they were: the tenants that a run changed.
void FleetRun::take_rollback() {
  Journal& store = journal();
  const RunRecord undone = store.run(*request_.rollback_of);
  refuse_restore(undone);
  if (undone.lease_alive) {
    throw run_in_progress(undone);
  }
  request_.rollback_of = request_.goal.target = undone.id.value;
  request_.goal.direction =
      undone.request.verb == "upgrade" ? engine::Direction::down : engine::Direction::up;
  request_.whole_fleet = false;
  migrations_ = std::make_shared<const engine::MigrationSet>(
      engine::api::load_migrations(store.texts_of(undone.id)));
  digest_ = migrations_->digest();
  std::map<TenantId, const Tenant*> fleet;
  for (const Tenant& tenant : workspace_.fleet()) {
    fleet.emplace(tenant.id, &tenant);
  }
  request_.tenants.clear();
  settled_.clear();
  for (const JournalTenant& tenant : store.tenants_of(undone.id)) {
    const TenantOutcome& was = tenant.outcome;
    const bool changed = tenant.finished && sorted_heads(was.from) != sorted_heads(was.to);
    const bool unsure = !changed && !is_told(tenant) && undone.request.verb == "upgrade";
    const auto found = fleet.find(was.id);
    if (changed) {
      targets_[was.id] = place_before(was.id, was.from, undone.id.value);
      left_at_[was.id] = was.to;
    } else if (unsure) {
      unsure_.insert(was.id);
    }
    if ((changed || unsure) && found != fleet.end()) {
      request_.tenants.push_back(*found->second);
    } else if (changed) {
      settled_.push_back(untouched(was.id, was.server, Outcome::vanished, "not_in_fleet"));
    }
  }
  if (request_.tenants.empty()) {
    throw nothing_to_roll_back(undone.id.value);
  }
}

/// Where a tenant is to go that the journal does not tell, by its own history. False: nowhere.
bool FleetRun::find_target(const TenantStanding& standing) {
  const std::vector<engine::RevisionId>& ours = standing.of_run;
  if (standing.fault) {
    settled_.push_back(untouched(standing.id, standing.server, Outcome::unreachable, ""));
    settled_.back().fault = standing.fault;
  }
  if (standing.fault || ours.empty()) {
    return false;
  }
  engine::RevisionSet before = migrations_->graph().closure(standing.current);
  for (const engine::RevisionId& id : ours) {
    before.erase(id);
  }
  targets_[standing.id] =
      place_before(standing.id, migrations_->graph().current_heads(before), *request_.rollback_of);
  const bool ends_with_ours =
      std::all_of(standing.current.begin(), standing.current.end(), [&](const auto& head) {
        return std::find(ours.begin(), ours.end(), head) != ours.end();
      });
  left_at_[standing.id] = ends_with_ours ? standing.current : ours;
  return true;
}

/// What its run did is undone, and nothing that came after.
void FleetRun::leave_changed_since_run(std::vector<TenantStanding>& standings) {
  if (!request_.rollback_of) {
    return;
  }
  std::vector<Tenant> tenants;
  std::vector<TenantStanding> kept;
  for (std::size_t i = 0; i < request_.tenants.size(); ++i) {
    if (unsure_.contains(request_.tenants[i].id) && !find_target(standings[i])) {
      continue;
    }
    const auto left = left_at_.find(request_.tenants[i].id);
    const bool moved = !standings[i].fault && left != left_at_.end() &&
                       sorted_heads(standings[i].current) != sorted_heads(left->second);
    if (moved) {
      settled_.push_back(
          untouched(standings[i].id, standings[i].server, Outcome::skipped, "changed_since_run"));
      settled_.back().from = settled_.back().to = standings[i].current;
    } else {
      tenants.push_back(std::move(request_.tenants[i]));
      kept.push_back(std::move(standings[i]));
    }
  }
  request_.tenants = std::move(tenants);
  standings = std::move(kept);
  if (request_.tenants.empty() && settled_.empty()) {
    throw nothing_to_roll_back(*request_.rollback_of);
  }
}

/// Of a rollback that goes on: what the tenants' histories told the process that planned it.
void FleetRun::take_targets_of_plan() {
  const engine::RevisionGraph& graph = migrations_->graph();
  for (const PlannedTenant& tenant : plan_->tenants) {
    if (tenant.unfit.empty() && !targets_.contains(tenant.id)) {
      engine::RevisionSet before = graph.closure(tenant.from);
      for (const engine::RevisionId& id : plan_->step_lists.at(tenant.steps)) {
        before.erase(id);
      }
      targets_[tenant.id] =
          place_before(tenant.id, graph.current_heads(before), *request_.rollback_of);
    }
  }
}

}  // namespace drover::orchestrator

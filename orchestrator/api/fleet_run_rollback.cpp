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
std::string place_before(const TenantOutcome& was, const RunId& run) {
  if (was.from.size() > 1) {
    throw Error(ErrorCode::usage,
                "rollback_ambiguous",
                fmt::format("tenant '{}' had {} heads before run {}, and there is no way back to "
                            "several at once",
                            was.id.value,
                            was.from.size(),
                            run.value),
                "Take it back by drover downgrade.");
  }
  return was.from.empty() ? "base" : was.from.front().value;
}

}  // namespace

/// Back to where they were: the tenants that a run changed.
void FleetRun::take_rollback() {
  Journal& store = journal();
  const RunRecord undone = store.run(*request_.rollback_of);
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
    if (!tenant.finished || sorted_heads(was.from) == sorted_heads(was.to)) {
      continue;
    }
    targets_[was.id] = place_before(was, undone.id);
    left_at_[was.id] = was.to;
    const auto found = fleet.find(was.id);
    if (found != fleet.end()) {
      request_.tenants.push_back(*found->second);
    } else {
      settled_.push_back(untouched(was.id, was.server, Outcome::vanished, "not_in_fleet"));
    }
  }
  if (request_.tenants.empty()) {
    throw Error(ErrorCode::usage,
                "nothing_to_roll_back",
                fmt::format("run {} changed no tenant that is in the fleet", undone.id.value),
                "See drover runs for what it did.");
  }
}

/// What its run did is undone, and nothing that came after.
void FleetRun::leave_changed_since_run(std::vector<TenantStanding>& standings) {
  if (left_at_.empty()) {
    return;
  }
  std::vector<Tenant> tenants;
  std::vector<TenantStanding> kept;
  for (std::size_t i = 0; i < request_.tenants.size(); ++i) {
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
}

/// Named before anything is undone.
void FleetRun::refuse_irreversible_steps() const {
  if (!plan_ || plan_->direction == engine::Direction::up) {
    return;
  }
  for (const PlannedRevision& revision : plan_->revisions) {
    const engine::Migration* const migration = migrations_->find(revision.id);
    if (migration != nullptr && migration->irreversible) {
      throw Error(
          ErrorCode::usage,
          "irreversible",
          fmt::format(
              "revision '{}' cannot be undone: {}", revision.id.value, *migration->irreversible),
          "Go down only to a revision after it, or restore a backup.",
          {revision.file, 0, 0});
    }
  }
}

}  // namespace drover::orchestrator

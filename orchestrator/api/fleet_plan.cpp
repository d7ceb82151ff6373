#include "orchestrator/api/fleet_plan.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "engine/base/sha256.h"
#include "engine/parse/statement_locks.h"
#include "orchestrator/plan/utc_time.h"
#include "orchestrator/schedule.h"
#include "orchestrator/strategy.h"
#include "orchestrator/utf8.h"
#include "orchestrator/waves.h"

namespace drover::orchestrator {
namespace {

std::vector<std::string> sorted_names(const std::vector<engine::RevisionId>& ids) {
  std::vector<std::string> names;
  names.reserve(ids.size());
  for (const engine::RevisionId& id : ids) {
    names.push_back(id.value);
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// A server's message may be in any encoding.
std::string clean(std::string text) {
  text.resize(valid_utf8_prefix(text));
  return text;
}

/// What `migration` locks on the dialects of the fleet, as PlannedRevision::locks has it.
std::vector<std::string> locks_told(const engine::Migration& migration,
                                    engine::Direction direction,
                                    const std::set<engine::Dialect>& dialects) {
  std::vector<std::string> told;
  if (dialects.contains(engine::Dialect::postgres)) {
    for (const engine::parse::TableLock& lock :
         engine::parse::locks_of(direction == engine::Direction::up
                                     ? engine::up_units(migration, engine::Dialect::postgres)
                                     : engine::down_units(migration, engine::Dialect::postgres))) {
      told.push_back(clean(engine::parse::to_string(lock)));
    }
  }
  if (dialects.contains(engine::Dialect::sqlite)) {
    told.emplace_back(kWholeFileLock);
  }
  return told;
}

class PlanMaker {
 public:
  explicit PlanMaker(const FleetPlanRequest& request)
      : request_(request), rollout_(rollout_of(request.environment)) {}

  Plan make() {
    plan_.environment = request_.environment.name;
    plan_.production = request_.environment.production;
    plan_.whole_fleet = request_.whole_fleet;
    plan_.direction = request_.goal.direction;
    plan_.target = request_.goal.target;
    plan_.author = request_.author;
    plan_.created = plan::to_utc_text(request_.now);
    plan_.migrations_digest = request_.migrations.digest();
    plan_.strategy = strategy_text(rollout_);
    for (const Stage& stage : rollout_.stages) {
      plan_.waves.push_back({stage.name, 0});
    }
    add_tenants();
    add_revisions();
    for (const PlanFinding& finding : request_.findings) {
      plan_.findings.push_back({finding.kind, clean(finding.about), clean(finding.text)});
    }
    return std::move(plan_);
  }

 private:
  void add_tenants() {
    const std::map<TenantId, WavePlace> places = places_in_fleet();
    plan_.tenants.reserve(request_.tenants.size());
    for (std::size_t i = 0; i < request_.tenants.size(); ++i) {
      const TenantStanding& standing = request_.standings[i];
      PlannedTenant& tenant = plan_.tenants.emplace_back();
      tenant.id = request_.tenants[i].id;
      tenant.server = request_.tenants[i].target.server;
      const WavePlace& place = places.at(tenant.id);
      tenant.wave = place.stage;
      tenant.rule = place.rule;
      tenant.from = standing.current;
      tenant.epoch = standing.epoch;
      tenant.uid = standing.uid;
      tenant.bytes = static_cast<std::int64_t>(standing.bytes.value_or(0));
      if (standing.fault) {
        tenant.unfit = clean(fmt::format("{}: {}", standing.fault->kind, standing.fault->message));
      } else {
        tenant.steps = step_list(steps_of(standing));
      }
      ++plan_.waves[tenant.wave].tenants;
    }
  }

  std::map<TenantId, WavePlace> places_in_fleet() const {
    std::map<TenantId, std::string> versions;
    std::map<TenantId, std::uint64_t> bytes;
    for (const TenantStanding& standing : request_.standings) {
      versions[standing.id] = fmt::format("{}", fmt::join(sorted_names(standing.current), ","));
      if (standing.bytes) {
        bytes[standing.id] = *standing.bytes;
      }
    }
    std::vector<WaveCandidate> candidates;
    candidates.reserve(request_.fleet.size());
    for (const Tenant& tenant : request_.fleet) {
      const auto size = bytes.find(tenant.id);
      candidates.push_back({&tenant,
                            versions[tenant.id],
                            size == bytes.end() ? std::nullopt : std::optional(size->second)});
    }
    const std::vector<WavePlace> places = assign_waves(rollout_.stages, candidates);
    std::map<TenantId, WavePlace> by_id;
    for (std::size_t i = 0; i < places.size(); ++i) {
      by_id.emplace(request_.fleet[i].id, places[i]);
    }
    return by_id;
  }

  std::vector<engine::RevisionId> steps_of(const TenantStanding& standing) const {
    const auto own = request_.targets.find(standing.id);
    if (request_.goal.direction == engine::Direction::up && own == request_.targets.end()) {
      return standing.pending;
    }
    engine::Goal goal = request_.goal;
    goal.target = own == request_.targets.end() ? goal.target : own->second;
    const engine::RevisionSet applied = request_.migrations.graph().closure(standing.current);
    return engine::itinerary_for(request_.migrations, applied, goal).revisions;
  }

  /// The number of the list that says the same.
  std::size_t step_list(std::vector<engine::RevisionId> steps) {
    const auto [found, is_new] = lists_.try_emplace(std::move(steps), plan_.step_lists.size());
    if (is_new) {
      plan_.step_lists.push_back(found->first);
    }
    return found->second;
  }

  void add_revisions() {
    std::set<engine::RevisionId> named;
    for (const std::vector<engine::RevisionId>& steps : plan_.step_lists) {
      named.insert(steps.begin(), steps.end());
    }
    std::set<engine::Dialect> dialects;
    for (const Tenant& tenant : request_.tenants) {
      dialects.insert(tenant.target.dialect);
    }
    for (const engine::Migration& migration : request_.migrations.in_order()) {
      if (!named.contains(migration.id)) {
        continue;
      }
      PlannedRevision& revision = plan_.revisions.emplace_back();
      revision.id = migration.id;
      revision.file = migration.source.filename().string();
      revision.sha256 = engine::base::sha256_hex(*migration.text);
      revision.irreversible = migration.irreversible.has_value();
      revision.locks = locks_told(migration, request_.goal.direction, dialects);
      revision.transactional =
          std::all_of(dialects.begin(), dialects.end(), [&](const engine::Dialect dialect) {
            const std::vector<engine::Unit> units = request_.goal.direction == engine::Direction::up
                                                        ? engine::up_units(migration, dialect)
                                                        : engine::down_units(migration, dialect);
            return std::all_of(units.begin(), units.end(), [](const engine::Unit& unit) {
              return unit.kind == engine::Unit::Kind::transaction;
            });
          });
    }
  }

  const FleetPlanRequest& request_;
  const RolloutOptions rollout_;
  std::map<std::vector<engine::RevisionId>, std::size_t> lists_;
  Plan plan_;
};

GateRules gate_rules(const Gate& gate) {
  GateRules rules;
  rules.success_percent = gate.success_percent;
  rules.soak = gate.soak;
  rules.approvals = gate.approvals;
  for (const Check& check : gate.checks) {
    rules.checks.push_back({check.passes, check.retries, check.interval});
  }
  return rules;
}

/// A canary of several stages tolerates nothing, if nobody said what it tolerates.
std::optional<std::size_t> failures_of(const Stage& stage, bool is_canary, std::size_t planned) {
  if (stage.budget.failures) {
    return count_of(*stage.budget.failures, planned);
  }
  return is_canary ? std::optional<std::size_t>(0) : default_failure_budget(planned);
}

}  // namespace

RolloutOptions rollout_of(const Environment& environment) {
  if (environment.rollout) {
    return *environment.rollout;
  }
  RolloutOptions rollout;
  Stage& all = rollout.stages.emplace_back();
  all.name = "all";
  all.takes_rest = true;
  return rollout;
}

bool asks_for_sizes(const RolloutOptions& rollout) {
  return std::any_of(rollout.stages.begin(), rollout.stages.end(), [](const Stage& stage) {
    const std::vector<Stratum>& strata = stage.select.stratify;
    return stage.order == StartOrder::smallest ||
           std::find(strata.begin(), strata.end(), Stratum::size) != strata.end();
  });
}

Plan make_plan(const FleetPlanRequest& request) {
  return PlanMaker(request).make();
}

std::optional<engine::PlannedStart> planned_start(const PlannedTenant& tenant) {
  if (!tenant.unfit.empty()) {
    return std::nullopt;
  }
  return engine::PlannedStart{tenant.epoch, sorted_names(tenant.from)};
}

RolloutRules rollout_rules(const Plan& plan,
                           const std::vector<Tenant>& tenants,
                           const RolloutMeans& means) {
  const RolloutOptions rollout = rollout_of(means.environment);
  RolloutRules rules;
  rules.seed = means.seed;
  if (rollout.run_budget) {
    rules.budgets.run = count_of(*rollout.run_budget, tenants.size());
  }
  rules.budgets.server = rollout.server_budget;
  rules.budgets.fingerprint = rollout.fingerprint_budget;
  for (const Stage& from : rollout.stages) {
    RolloutStage& stage = rules.stages.emplace_back();
    stage.name = from.name;
    stage.limits = means.limits;
    stage.limits.in_flight = std::min(means.limits.in_flight, from.in_flight.value_or(SIZE_MAX));
    stage.limits.per_server = std::min(means.limits.per_server, from.per_server.value_or(SIZE_MAX));
    stage.rules.order = from.order;
    stage.rules.delay = from.delay;
    stage.rules.strict = from.budget.strict;
    stage.gate = gate_rules(from.gate);
    stage.has_window = from.window.has_value();
    stage.progress_deadline = from.progress_deadline;
  }
  std::map<TenantId, std::size_t> wave_of;
  for (const PlannedTenant& tenant : plan.tenants) {
    wave_of.emplace(tenant.id, tenant.wave);
  }
  for (std::size_t i = 0; i < tenants.size(); ++i) {
    const auto known = wave_of.find(tenants[i].id);
    if (known == wave_of.end() && rules.stages.size() == rollout.stages.size()) {
      rules.stages.push_back(rules.stages.back());
      rules.stages.back().name = kLateJoinersStage;
      rules.stages.back().tenants.clear();
    }
    rules.stages[known == wave_of.end() ? rollout.stages.size() : known->second].tenants.push_back(
        i);
  }
  for (std::size_t i = 0; i < rules.stages.size(); ++i) {
    RolloutStage& stage = rules.stages[i];
    const Stage& from = rollout.stages[std::min(i, rollout.stages.size() - 1)];
    stage.before.planned = stage.tenants.size();
    stage.rules.failure_budget =
        failures_of(from, i == 0 && rollout.stages.size() > 1, stage.tenants.size());
  }
  if (means.reversed) {
    std::reverse(rules.stages.begin(), rules.stages.end());
    for (RolloutStage& stage : rules.stages) {
      stage.gate = {};
      stage.has_window = false;
    }
  }
  return rules;
}

}  // namespace drover::orchestrator

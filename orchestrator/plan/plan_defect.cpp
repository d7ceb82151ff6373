#include "orchestrator/plan/plan_defect.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include <fmt/format.h>

namespace drover::orchestrator::plan {
namespace {

using Found = std::optional<PlanDefect>;

/// The second one of two equal items, the first such in order.
template <typename Item, typename Less>
std::optional<std::size_t> repeated(const std::vector<Item>& items, Less less) {
  std::vector<std::size_t> order(items.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t left, std::size_t right) {
    return less(items[left], items[right]);
  });
  std::optional<std::size_t> first;
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (!less(items[order[i - 1]], items[order[i]])) {
      first = std::min(first.value_or(order[i]), order[i]);
    }
  }
  return first;
}

bool by_id(const PlannedRevision& left, const PlannedRevision& right) {
  return left.id < right.id;
}

Found revision_defect(const Plan& plan) {
  const auto twice = repeated(plan.revisions, by_id);
  if (!twice) {
    return std::nullopt;
  }
  return PlanDefect{
      fmt::format("revision {} is there twice", engine::in_quotes(plan.revisions[*twice].id)), {}};
}

Found step_defect(const Plan& plan) {
  engine::RevisionSet known;
  for (const PlannedRevision& revision : plan.revisions) {
    known.insert(revision.id);
  }
  for (std::size_t list = 0; list < plan.step_lists.size(); ++list) {
    for (const engine::RevisionId& step : plan.step_lists[list]) {
      if (!known.contains(step)) {
        return PlanDefect{fmt::format("step list {} names revision {}, which is not in the plan",
                                      list,
                                      engine::in_quotes(step)),
                          {}};
      }
    }
  }
  const auto twice = repeated(plan.step_lists, std::less<>());
  return twice ? Found({fmt::format("step list {} is there twice", *twice), {}}) : std::nullopt;
}

Found tenant_defect(const Plan& plan) {
  const auto twice = repeated(
      plan.tenants,
      [](const PlannedTenant& left, const PlannedTenant& right) { return left.id < right.id; });
  if (twice) {
    return PlanDefect{
        fmt::format("tenant {} is there twice", engine::in_quotes(plan.tenants[*twice].id.value)),
        twice};
  }
  for (std::size_t i = 0; i < plan.tenants.size(); ++i) {
    const PlannedTenant& tenant = plan.tenants[i];
    const bool without_steps = !tenant.unfit.empty() && tenant.steps == 0;
    const auto beyond = [&](std::string_view what, std::size_t index, std::size_t count) {
      return PlanDefect{fmt::format("tenant {} has {} {}, and the plan has {}, counted from 0",
                                    engine::in_quotes(tenant.id.value),
                                    what,
                                    index,
                                    count),
                        i};
    };
    if (tenant.wave >= plan.waves.size()) {
      return beyond("wave", tenant.wave, plan.waves.size());
    }
    if (tenant.steps >= plan.step_lists.size() && !without_steps) {
      return beyond("step list", tenant.steps, plan.step_lists.size());
    }
  }
  return std::nullopt;
}

Found wave_defect(const Plan& plan) {
  std::vector<std::size_t> counted(plan.waves.size(), 0);
  for (const PlannedTenant& tenant : plan.tenants) {
    ++counted[tenant.wave];
  }
  for (std::size_t i = 0; i < counted.size(); ++i) {
    if (counted[i] != plan.waves[i].tenants) {
      return PlanDefect{fmt::format("wave {}, {}, is said to have {} tenants, and {} are in it",
                                    i,
                                    engine::in_quotes(plan.waves[i].name),
                                    plan.waves[i].tenants,
                                    counted[i]),
                        {}};
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<PlanDefect> defect_of(const Plan& plan) {
  for (const auto look : {revision_defect, step_defect, tenant_defect, wave_defect}) {
    if (Found found = look(plan)) {
      return found;
    }
  }
  return std::nullopt;
}

}  // namespace drover::orchestrator::plan

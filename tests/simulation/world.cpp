#include "tests/simulation/world.h"

#include <algorithm>

namespace drover::test {

using orchestrator::Amount;
using orchestrator::Check;
using orchestrator::Stage;
using orchestrator::StartOrder;
using orchestrator::TenantId;

World::World(std::uint64_t seed, std::size_t size) {
  Dice dice(seed);
  make_tenants(dice, size);
  make_stages(dice);
}

bool World::is_down(std::size_t server, milliseconds at) const {
  return std::any_of(outages.begin(), outages.end(), [&](const Outage& outage) {
    return outage.server == server && outage.from <= at && at < outage.to;
  });
}

void World::make_tenants(Dice& dice, std::size_t size) {
  const std::size_t servers = 1 + dice.below(5);
  const std::size_t broken = dice.below(3) * 8;
  const std::size_t dropped = dice.below(3) * 5;
  tenants.resize(3 + dice.below(dice.percent(5) ? 400 : 60));
  const std::size_t in_trouble = tenants.size();
  tenants.resize(size == 0 ? in_trouble : size);
  for (std::size_t i = 0; i < tenants.size(); ++i) {
    SimulatedTenant& one = tenants[i];
    one.server = dice.below(servers);
    one.tenant.id = TenantId{"tenant-" + std::to_string(i)};
    one.tenant.target.server = "db" + std::to_string(one.server);
    one.tenant.labels["ring"] = i == 0 || dice.percent(10) ? "canary" : "wide";
    one.takes = milliseconds(5) + dice.up_to(milliseconds(dice.percent(5) ? 60'000 : 2'000));
    const bool is_lucky = size != 0 && dice.below(size) >= in_trouble;
    one.broken = !is_lucky && dice.percent(broken);
    one.cause = dice.below(3);
    one.dropped = !is_lucky && dice.percent(dropped) ? 1 : 0;
  }
  for (std::size_t i = dice.below(3); i > 0; --i) {
    const milliseconds from = dice.up_to(milliseconds(60'000));
    outages.push_back({dice.below(servers), from, from + dice.up_to(milliseconds(90'000))});
  }
}

void World::make_stages(Dice& dice) {
  const auto random_stage = [&](const std::string& name) {
    Stage stage;
    stage.name = name;
    stage.in_flight = 1 + dice.below(12);
    stage.order = static_cast<StartOrder>(dice.below(3));
    stage.delay = dice.percent(20) ? dice.up_to(milliseconds(500)) : milliseconds(0);
    if (dice.percent(70)) {
      stage.budget.failures = Amount{dice.below(4), Amount::Of::tenants};
      stage.budget.strict = dice.percent(50);
    }
    stage.gate.soak = dice.percent(40) ? dice.up_to(milliseconds(30'000)) : milliseconds(0);
    stage.gate.approvals = dice.percent(10) ? 1 : 0;
    if (dice.percent(30)) {
      Check check;
      check.passes = 1 + dice.below(2);
      check.retries = dice.below(3);
      check.interval = dice.up_to(milliseconds(5'000));
      stage.gate.checks.push_back(check);
    }
    if (dice.percent(15)) {
      stage.window = orchestrator::Window{};
    }
    return stage;
  };
  if (dice.percent(80)) {
    stages.push_back(random_stage("canary"));
    stages.back().select.labels["ring"] = "canary";
  }
  if (dice.percent(50)) {
    stages.push_back(random_stage("early"));
    stages.back().select.count = 1 + dice.below(2);
    if (dice.percent(50)) {
      stages.back().select.stratify = {orchestrator::Stratum::server};
    }
  }
  stages.push_back(random_stage("rest"));
  stages.back().takes_rest = true;
  if (dice.percent(20)) {
    options.run_budget = Amount{dice.below(6), Amount::Of::tenants};
  }
  if (dice.percent(20)) {
    options.server_budget = dice.below(5);
  }
  if (dice.percent(30)) {
    options.fingerprint_budget = dice.below(5);
  }
}

}  // namespace drover::test

// Which stage takes which tenant, and that it is the same tomorrow.

#include "orchestrator/waves.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <fmt/format.h>
#include <catch2/catch.hpp>

using drover::Error;
using namespace drover::orchestrator;

namespace {

std::vector<Tenant> fleet_of(std::size_t count) {
  std::vector<Tenant> fleet(count);
  for (std::size_t i = 0; i < count; ++i) {
    fleet[i].id = TenantId{fmt::format("tenant-{:03}", i)};
    fleet[i].target.server = fmt::format("db{}", i % 4);
    fleet[i].labels["ring"] = i % 10 == 0 ? "canary" : "wide";
  }
  return fleet;
}

Stage stage(const std::string& name, Selection select) {
  Stage result;
  result.name = name;
  result.select = std::move(select);
  return result;
}

Stage rest() {
  Stage result;
  result.name = "rest";
  result.takes_rest = true;
  return result;
}

std::vector<WavePlace> assign(const std::vector<Stage>& stages, const std::vector<Tenant>& fleet) {
  std::vector<WaveCandidate> candidates;
  for (const Tenant& tenant : fleet) {
    candidates.push_back({&tenant, tenant.target.server == "db3" ? "0002" : "0001", 1'000});
  }
  return assign_waves(stages, candidates);
}

/// The ids of a stage.
std::set<std::string> members(std::size_t wanted,
                              const std::vector<Stage>& stages,
                              const std::vector<Tenant>& fleet) {
  const std::vector<WavePlace> places = assign(stages, fleet);
  std::set<std::string> ids;
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (places[i].stage == wanted) {
      ids.insert(fleet[i].id.value);
    }
  }
  return ids;
}

std::string error_of(const std::vector<Stage>& stages, const std::vector<Tenant>& fleet) {
  try {
    assign(stages, fleet);
  } catch (const Error& error) {
    return error.kind_name() + ": " + error.what() + " | " + error.hint();
  }
  return "no error";
}

}  // namespace

TEST_CASE("each stage takes of those that are left, and says why") {
  const std::vector<Tenant> fleet = fleet_of(100);
  Selection ids;
  ids.ids = {{"tenant-007"}, {"tenant-010"}};
  Selection canary;
  canary.labels = {{"ring", "canary"}};
  Selection tenth;
  tenth.percent = 10;
  const std::vector<Stage> stages = {
      stage("chosen", ids), stage("canary", canary), stage("tenth", tenth), rest()};
  const std::vector<WavePlace> places = assign(stages, fleet);
  CHECK(places[7] == WavePlace{0, "listed by id"});
  CHECK(places[10] == WavePlace{0, "listed by id"});
  CHECK(places[20] == WavePlace{1, "label ring=canary"});
  CHECK(members(1, stages, fleet).size() == 9);
  CHECK(members(2, stages, fleet).size() == 10);
  CHECK(members(3, stages, fleet).size() == 79);
}

TEST_CASE("one of each kind is taken, also when fewer were asked for") {
  const std::vector<Tenant> fleet = fleet_of(40);
  Selection select;
  select.stratify = {Stratum::server};
  std::set<std::string> servers;
  for (const std::string& id : members(0, {stage("canary", select), rest()}, fleet)) {
    servers.insert(fmt::format("db{}", std::stoi(id.substr(7)) % 4));
  }
  CHECK(servers.size() == 4);
  CHECK(members(0, {stage("canary", select), rest()}, fleet).size() == 4);
  select.count = 2;
  CHECK(members(0, {stage("canary", select), rest()}, fleet).size() == 4);
  select.count = 7;
  CHECK(members(0, {stage("canary", select), rest()}, fleet).size() == 7);
  select = {};
  select.stratify = {Stratum::version};
  CHECK(members(0, {stage("canary", select), rest()}, fleet).size() == 2);
}

TEST_CASE("an assignment hangs on the fleet and the stages alone") {
  std::vector<Tenant> fleet = fleet_of(200);
  Selection fifth;
  fifth.percent = 20;
  const std::vector<Stage> stages = {stage("early", fifth), rest()};
  const std::set<std::string> early = members(0, stages, fleet);
  REQUIRE(early.size() == 40);
  CHECK(early.contains("tenant-137"));  // on every machine
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  std::shuffle(fleet.begin(), fleet.end(), random);
  CHECK(members(0, stages, fleet) == early);
  // One tenant more changes the place of hardly anybody.
  fleet.push_back(fleet_of(201).back());
  std::set<std::string> now = members(0, stages, fleet);
  std::vector<std::string> moved;
  std::set_symmetric_difference(
      early.begin(), early.end(), now.begin(), now.end(), std::back_inserter(moved));
  CHECK(moved.size() <= 2);
  // Spread: each of the four servers has about a quarter of them.
  std::map<int, int> by_server;
  for (const std::string& id : early) {
    ++by_server[std::stoi(id.substr(7)) % 4];
  }
  for (const auto& [server, count] : by_server) {
    CAPTURE(server);
    CHECK(count >= 3);
  }
}

TEST_CASE("a stage that selects nobody, or somebody unknown, is refused") {
  const std::vector<Tenant> fleet = fleet_of(5);
  Selection select;
  select.labels = {{"ring", "gold"}};
  CHECK(
      error_of({stage("gold", select), rest()}, fleet) ==
      "empty_stage: stage 'gold' (label ring=gold) selects none of the 5 tenants that are left for "
      "it | Correct its select, or take the stage out.");
  select = {};
  select.percent = 10;
  CHECK(
      error_of({stage("tenth", select), rest()}, fleet) ==
      "empty_stage: stage 'tenth' (10 percent) selects none of the 5 tenants that are left for it "
      "| Correct its select, or take the stage out.");
  select = {};
  select.ids = {{"tenant-0O1"}};
  CHECK(error_of({stage("typo", select), rest()}, fleet) ==
        "unknown_tenant: stage 'typo' selects tenant 'tenant-0O1', which is not in the fleet | Did "
        "you mean 'tenant-001'?");
  select = {};
  select.count = 5;
  CHECK(error_of({stage("all", select), rest()}, fleet) == "no error");  // the rest may be nobody
}

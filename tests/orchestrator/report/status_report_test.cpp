#include "orchestrator/report/status_report.h"

#include <catch2/catch.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tests/orchestrator/report/builders.h"

using namespace drover::orchestrator;
using namespace drover::orchestrator::report;
using drover::engine::TenantState;
using drover::test::standing;
using drover::test::unreachable;
using nlohmann::json;

namespace {

const Occasion kOccasion{"production",
                         WallTime(std::chrono::milliseconds(1'000)),
                         WallTime(std::chrono::milliseconds(2'000))};

std::vector<TenantStanding> big_fleet() {
  std::vector<TenantStanding> fleet;
  for (int i = 0; i < 100; ++i) {
    fleet.push_back(standing(fmt::format("t{:03}", i), TenantState::current));
  }
  fleet.push_back(standing("late", TenantState::behind, {{"0004"}, {"0005"}}));
  fleet.push_back(unreachable("lost1"));
  fleet.push_back(unreachable("lost2"));
  return fleet;
}

}  // namespace

TEST_CASE("the status document counts every state and tells of every tenant", "[report]") {
  const std::vector<TenantStanding> fleet = {standing("acme", TenantState::behind, {{"0004"}}),
                                             unreachable("globex")};
  const json parsed = json::parse(written(status_document(kOccasion, fleet), DataFormat::json));
  CHECK(parsed["format"] == 1);
  CHECK(parsed["environment"] == "production");
  CHECK(parsed["summary"] == json{{"total", 2},
                                  {"current", 0},
                                  {"empty", 0},
                                  {"behind", 1},
                                  {"ahead", 0},
                                  {"diverged", 0},
                                  {"unknown_revision", 0},
                                  {"edited", 0},
                                  {"partial", 0},
                                  {"held", 0},
                                  {"unreachable", 1}});
  CHECK(parsed["tenants"][0] == json{{"id", "acme"},
                                     {"server", "db1:5432"},
                                     {"labels", {{"tier", "free"}}},
                                     {"state", "behind"},
                                     {"current", {"0003"}},
                                     {"pending", {"0004"}},
                                     {"error", nullptr},
                                     {"progress", nullptr}});
  CHECK(parsed["tenants"][1]["error"] == json{{"code", "unreachable"},
                                              {"kind", "connection_refused"},
                                              {"sqlstate", nullptr},
                                              {"message", "cannot connect to db1:5432"},
                                              {"hint", "Check that the server runs."},
                                              {"file", nullptr},
                                              {"line", nullptr},
                                              {"column", nullptr},
                                              {"blocker", nullptr}});
}

TEST_CASE("a small fleet is shown whole", "[report]") {
  CHECK(status_text({standing("acme", TenantState::current),
                     standing("globex", TenantState::behind, {{"0004"}})},
                    std::nullopt) ==
        "TENANT  SERVER    STATE    CURRENT  PENDING  NOTE\n"
        "acme    db1:5432  current  0003           0\n"
        "globex  db1:5432  behind   0003           1\n"
        "\n"
        "2 tenants: 1 behind, 1 current\n");
}

TEST_CASE("of a big fleet those are shown that need attention, equal errors once", "[report]") {
  CHECK(status_text(big_fleet(), std::nullopt) ==
        "TENANT  SERVER    STATE        CURRENT  PENDING  NOTE\n"
        "lost1   db1:5432  unreachable  -              -  connection_refused\n"
        "lost2   db1:5432  unreachable  -              -  connection_refused\n"
        "late    db1:5432  behind       0003           2\n"
        "\n"
        "2 tenants, one cause: connection_refused: cannot connect to db1:5432\n"
        "  lost1, lost2\n"
        "  hint: Check that the server runs.\n"
        "\n"
        "103 tenants: 2 unreachable, 1 behind, 100 current\n");
}

TEST_CASE("a big fleet that is well is one line", "[report]") {
  const std::vector<TenantStanding> fleet(400, standing("x", TenantState::current));
  CHECK(status_text(fleet, std::nullopt) == "400 tenants: 400 current\n");
}

TEST_CASE("thousands of tenants that are behind do not flood the terminal", "[report]") {
  const std::vector<TenantStanding> fleet(3000, standing("x", TenantState::behind, {{"0004"}}));
  const std::string text = status_text(fleet, std::nullopt);
  CHECK(std::count(text.begin(), text.end(), '\n') == 1 + 50 + 1 + 2);
  CHECK(text.find("and 2950 more tenants that need attention; see all of them with --status or "
                  "-o csv\n") != std::string::npos);
  const std::string all = status_text(fleet, std::nullopt, Rows::all);
  CHECK(std::count(all.begin(), all.end(), '\n') == 1 + 3000 + 2);
}

TEST_CASE("status ends with the exit status that INTERFACE promises", "[report]") {
  const TenantStanding current = standing("a", TenantState::current);
  const TenantStanding behind = standing("b", TenantState::behind, {{"0004"}});
  const TenantStanding held = standing("h", TenantState::held);
  TenantStanding busy = standing("l", TenantState::behind);
  busy.fault = drover::test::lock_timeout();
  busy.fault->code = drover::ErrorCode::busy;
  TenantStanding marked = standing("m", TenantState::current);
  marked.fault = drover::test::lock_timeout();
  marked.fault->code = drover::ErrorCode::verification;
  struct Case {
    std::vector<TenantStanding> fleet;
    int plain;
    int detailed;
  };
  const Case cases[] = {{{current, current}, 0, 0},
                        {{current, behind}, 0, 10},
                        {{standing("p", TenantState::partial)}, 0, 10},
                        {{standing("n", TenantState::empty)}, 0, 0},
                        {{standing("e", TenantState::edited), unreachable("u")}, 7, 7},
                        {{current, standing("d", TenantState::diverged)}, 7, 7},
                        {{current, standing("k", TenantState::unknown_revision)}, 7, 7},
                        {{current, marked}, 7, 7},
                        {{current, unreachable("u")}, 3, 3},
                        {{behind, unreachable("u")}, 3, 3},
                        {{unreachable("u"), unreachable("v")}, 6, 6},
                        {{unreachable("u"), held}, 6, 6},
                        {{unreachable("u"), busy}, 3, 3},
                        {{busy, busy}, 5, 5},
                        {{held}, 0, 0},
                        {{}, 0, 0}};
  for (const Case& one : cases) {
    CAPTURE(status_counts_line(one.fleet));
    CHECK(status_exit(one.fleet, PendingCounts::no) == one.plain);
    CHECK(status_exit(one.fleet, PendingCounts::yes) == one.detailed);
  }
}

// Freezes a plan for a great fleet whose histories are given: waves, steps, text, digest, and back.
//
//   bench_plan [TENANTS]

#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>

#include "engine/api/engine_means.h"
#include "orchestrator/api/fleet_plan.h"
#include "orchestrator/plan/plan_file.h"

using namespace drover;
using namespace drover::orchestrator;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int kRevisions = 20;

void write_history(const std::filesystem::path& folder) {
  for (int i = 1; i <= kRevisions; ++i) {
    std::ofstream(folder / fmt::format("{:04}_step.sql", i)) << fmt::format(
        "-- drover: revision {:04}\n-- drover: parents {}\n-- drover: up\nSELECT {};\n"
        "-- drover: down\nSELECT 1;\n",
        i,
        i == 1 ? std::string("none") : fmt::format("{:04}", i - 1),
        i);
  }
}

Environment environment_with_stages() {
  Environment environment;
  environment.name = "bench";
  RolloutOptions& rollout = environment.rollout.emplace();
  Stage canary;
  canary.name = "canary";
  canary.select.stratify = {Stratum::server, Stratum::version};
  Stage early;
  early.name = "early";
  early.select.percent = 10;
  Stage rest;
  rest.name = "rest";
  rest.takes_rest = true;
  rollout.stages = {canary, early, rest};
  return environment;
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
  const auto count = static_cast<std::size_t>(argc > 1 ? std::atoi(argv[1]) : 100'000);
  const auto folder = std::filesystem::temp_directory_path() / "drover-plan-bench";
  std::filesystem::create_directories(folder);
  write_history(folder);
  const engine::MigrationSet migrations = engine::api::load_migrations(folder);
  std::filesystem::remove_all(folder);
  const Environment environment = environment_with_stages();
  std::vector<Tenant> fleet(count);
  std::vector<TenantStanding> standings(count);
  for (std::size_t i = 0; i < count; ++i) {
    fleet[i].id = TenantId{fmt::format("tenant-{:06}", i)};
    fleet[i].target.server = fmt::format("db{}:5432", i % 50);
    const int at = static_cast<int>(i % 5) + 1;
    standings[i].id = fleet[i].id;
    standings[i].state = engine::TenantState::behind;
    standings[i].current = {engine::RevisionId{fmt::format("{:04}", at)}};
    standings[i].epoch = at;
    standings[i].uid = fmt::format("00000000-0000-4000-8000-{:012}", i);
    for (int revision = at + 1; revision <= kRevisions; ++revision) {
      standings[i].pending.push_back(engine::RevisionId{fmt::format("{:04}", revision)});
    }
  }
  const engine::Goal goal;
  const std::map<TenantId, std::string> no_targets;
  const auto begin = Clock::now();
  const Plan plan = make_plan({environment,
                               migrations,
                               goal,
                               fleet,
                               fleet,
                               standings,
                               "bench@here",
                               std::chrono::system_clock::now(),
                               true,
                               no_targets});
  const double made = seconds_since(begin);
  const std::string text = plan::to_text(plan);
  const double written = seconds_since(begin);
  const bool same = plan::from_text(text, "plan.json") == plan;
  const double read = seconds_since(begin);
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print(
      "{} tenants: made {:.2f} s, text of {:.1f} MB {:.2f} s, read back {:.2f} s, {} step lists, "
      "peak {} MB\n",
      count,
      made,
      static_cast<double>(text.size()) / 1e6,
      written - made,
      read - written,
      plan.step_lists.size(),
      usage.ru_maxrss / 1024);
  return same ? 0 : 1;
}

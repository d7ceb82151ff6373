// An upgrade of separate databases that is killed at random moments, and `drover resume`
// afterwards: what cannot be repeated happened exactly once in every one of them.

#include <catch2/catch.hpp>

#include <signal.h>

#include <chrono>
#include <optional>
#include <random>
#include <thread>

#include "tests/orchestrator/cli/fleet_dir.h"
#include "tests/orchestrator/cli/program_child.h"

using drover::test::PgCluster;
using drover::test::ProgramChild;
using drover::test::ProgramDir;
using drover::test::ProgramResult;
using drover::test::shared_cluster;
using namespace drover::test::fleet;  // NOLINT(google-build-using-namespace): tests only

namespace {

using std::chrono::milliseconds;

constexpr int kTenants = 12;
constexpr int kRevisions = 6;
constexpr int kCutShort = 3;
const Words kUpgrade{"upgrade", "--yes", "--in-flight", "3"};

std::string tenant_name(int number) {
  return fmt::format("cli_kill_{:02}", number);
}

/// Kills it after `moment`. Its exit status, when it had come to its end before.
std::optional<int> killed_after(ProgramChild child, milliseconds moment) {
  std::this_thread::sleep_for(moment);  // the moment is what is tested
  child.send(SIGKILL);
  const int status = child.wait();
  return status == 128 + SIGKILL ? std::nullopt : std::optional(status);
}

/// The first makes the counter, and every one of them counts: twice is seen, and so is never. The
/// pause lets a kill hit the middle of a statement.
void write_counting_steps(const ProgramDir& dir) {
  for (int number = 1; number <= kRevisions; ++number) {
    const std::string table = number == 1 ? "CREATE TABLE counter (n integer);\n"
                                            "INSERT INTO counter VALUES (0);\n"
                                          : "";
    write_step(dir,
               number,
               {table + "UPDATE counter SET n = n + 1;\nSELECT pg_sleep(0.01);",
                "UPDATE counter SET n = n - 1;"});
  }
}

void make_databases(const ProgramDir& dir) {
  for (int i = 0; i < kTenants; ++i) {
    shared_cluster().create_database(tenant_name(i));
  }
  write_counting_steps(dir);
  write_settings(dir,
                 fmt::format("databases: {{server: \"{}\", match: \"cli_kill_*\"}}",
                             shared_cluster().conninfo("postgres")));
}

/// The id of the one run there is, or nothing where the kill came before it.
std::optional<std::string> only_run(const ProgramDir& dir) {
  const json runs = document(dir, {"runs"}, 0)["runs"];
  REQUIRE(runs.size() <= 1);
  return runs.empty() ? std::nullopt : std::optional(runs[0]["run"].get<std::string>());
}

void check_run_is_over(const ProgramDir& dir, const std::string& run) {
  const json told = document(dir, {"runs", run}, 0);
  CHECK(told["run"]["state"] == "finished");
  CHECK(told["tenants"].size() == kTenants);
  for (const json& tenant : told["tenants"]) {
    CAPTURE(tenant.dump());
    CHECK((tenant["outcome"] == "applied" || tenant["outcome"] == "current"));
  }
  const std::string text = dir.run({"runs", run}).out;
  CHECK(text.find("under way") == std::string::npos);
  CHECK(text.find("waiting") == std::string::npos);
}

void check_every_step_once(const ProgramDir& dir) {
  CHECK(document(dir, {"status", "--detailed-exitcode"}, 0)["summary"]["current"] == kTenants);
  for (int i = 0; i < kTenants; ++i) {
    CAPTURE(tenant_name(i));
    const auto ask = [&](const std::string& sql) {
      return shared_cluster().value(tenant_name(i), sql);
    };
    CHECK(ask("SELECT string_agg(n::text, ',') FROM counter") == std::to_string(kRevisions));
    CHECK(ask("SELECT string_agg(revision, ',' ORDER BY revision) FROM drover_revisions") ==
          "0001,0002,0003,0004,0005,0006");
    CHECK(ask("SELECT count(*) || ' ' || count(DISTINCT revision) FROM drover_events "
              "WHERE kind = 'up'") == fmt::format("{0} {0}", kRevisions));
  }
}

}  // namespace

TEST_CASE("After kill -9 resume finishes a fleet of databases, each step once", "[cli]") {
  REQUIRE(PgCluster::available());
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> moment(5, 300);
  int cut_short = 0;
  while (cut_short < kCutShort) {
    INFO("after " << cut_short << " upgrades that were cut short");
    const ProgramDir dir;
    make_databases(dir);
    std::optional<std::string> run;
    std::optional<int> ended;
    while (!run) {
      ended = killed_after(ProgramChild(dir, kUpgrade), milliseconds(moment(random)));
      run = only_run(dir);
    }
    if (!ended) {  // only two kills: a tenant that is under way in three is left alone
      ++cut_short;
      ended = killed_after(ProgramChild(dir, {"resume"}), milliseconds(moment(random)));
    }
    if (ended) {
      CHECK(*ended == 0);  // it was faster than the kill
    } else if (document(dir, {"runs", *run}, 0)["run"]["state"] != "finished") {  // killed later
      const ProgramResult resumed = dir.run({"resume"});
      INFO(resumed.out << resumed.err);
      CHECK(resumed.status == 0);
    }
    CHECK(only_run(dir) == run);
    check_run_is_over(dir, *run);
    check_every_step_once(dir);
  }
}

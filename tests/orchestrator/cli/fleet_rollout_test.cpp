// Rollouts in stages through fleets of real PostgreSQL databases: what stays untouched when a
// canary fails, a server goes away, the program is killed, or frozen until another took its place.
// The databases themselves are asked what happened to them.

#include <algorithm>
#include <csignal>
#include <functional>
#include <set>
#include <string>
#include <thread>

#include <catch2/catch.hpp>

#include "tests/orchestrator/cli/program_child.h"
#include "tests/orchestrator/cli/staged_fleet.h"

using drover::test::PgCluster;
using drover::test::ProgramChild;
using drover::test::ProgramDir;
using drover::test::ProgramResult;
using drover::test::shared_cluster;
using namespace drover::test::fleet;  // NOLINT(google-build-using-namespace): tests only
using namespace std::chrono_literals;

namespace {

using Waves = std::vector<std::vector<std::string>>;

/// Of a fleet with one history for all: nothing of a wave happened before all of the one before it.
void check_order(const Histories& histories, const Waves& waves, const std::string& kind) {
  std::string last_before;
  for (const std::vector<std::string>& wave : waves) {
    std::string last = last_before;
    for (const std::string& tenant : wave) {
      CAPTURE(tenant);
      for (const Event& event : histories.at(tenant)) {
        if (event.what.starts_with(kind)) {
          CHECK(last_before < event.at);
          last = std::max(last, event.at);
        }
      }
    }
    last_before = last;
  }
}

void check_all(const Histories& histories, const std::string& wanted) {
  for (const auto& [tenant, history] : histories) {
    CAPTURE(tenant);
    CHECK(text_of(history) == wanted);
  }
}

/// What a child has said so far.
std::string told(const ProgramDir& dir) {
  return fs::exists(dir.files() / "told") ? dir.files().read("told") : "";
}

/// A gate that makes the file at_gate and waits for the file go_on.
void write_waiting_gate(const ProgramDir& dir) {
  dir.files().write("gate.sh", "touch at_gate; while ! test -e go_on; do sleep 0.05; done\n");
}

constexpr const char* kWaitingGate = "gate: {command: {argv: [sh, gate.sh]}}";

}  // namespace

TEST_CASE("a canary of 200 databases on two servers halts, goes on, and is rolled back", "[cli]") {
  REQUIRE(PgCluster::available());
  constexpr int kEach = 100;
  const ProgramDir dir;
  const PgCluster one({.files = drover::test::PgClusterOptions::Files::memory_if_roomy});
  const PgCluster other({.files = drover::test::PgClusterOptions::Files::memory_if_roomy});
  StagedFleet fleet;
  StagedFleet half;
  {
    const std::jthread beside([&] { half.add(other, "big_b_", kEach); });
    fleet.add(one, "big_a_", kEach);
  }
  fleet.add(half);
  write_step(dir, 1, {"CREATE TABLE one (x integer);", "DROP TABLE one;"});
  write_step(dir, 2, {"CREATE TABLE two (x integer);", "DROP TABLE two;"});
  fleet.write(dir,
              {"name: canary, select: {count: 5, stratify: [server]}",
               "name: early, select: {percent: 10}",
               "name: rest"});
  Waves waves = planned_waves(dir);
  REQUIRE(waves.size() == 3);
  REQUIRE(waves[0].size() == 5);
  REQUIRE(waves[1].size() == 20);
  REQUIRE(waves[2].size() == 175);
  const std::set<std::string> canary(waves[0].begin(), waves[0].end());
  CHECK(canary.begin()->starts_with("big_a_"));  // of each server one at least
  CHECK(canary.rbegin()->starts_with("big_b_"));

  const std::string& bad = waves[0][2];
  fleet.execute(bad, "CREATE TABLE two (is_in_the_way text)");
  const json halted = document(dir, {"upgrade", "--yes"}, 4);
  CHECK(halted["outcome"] == "halted");
  CHECK(halted["summary"]["failed"] == 1);
  CHECK(halted["summary"]["not_started"] == 195);
  CHECK(document(dir, {"runs"}, 0)["runs"][0]["state"] == "halted");
  for (const auto& [tenant, history] : fleet.histories()) {
    CAPTURE(tenant);
    CHECK(text_of(history) == (tenant == bad             ? "up 0001"
                               : canary.contains(tenant) ? "up 0001, up 0002"
                                                         : ""));
  }

  fleet.execute(bad, "DROP TABLE two");
  const json resumed = document(dir, {"resume"}, 0);
  CHECK(resumed["run"] == halted["run"]);
  CHECK(resumed["summary"]["applied"] == 2 * kEach);
  Histories histories = fleet.histories();
  check_all(histories, "up 0001, up 0002");
  check_order(histories, waves, "up");

  const json back = document(dir, {"rollback", resumed["run"], "--yes"}, 0);
  CHECK(back["summary"]["applied"] == 2 * kEach);
  histories = fleet.histories();
  check_all(histories, "up 0001, up 0002, down 0002, down 0001");
  std::reverse(waves.begin(), waves.end());
  check_order(histories, waves, "down");
  CHECK(fleet.ask(bad, "SELECT count(*) FROM pg_tables WHERE tablename IN ('one', 'two')") == "0");
}

TEST_CASE("a server that stops in the last stage holds up nobody but its own tenants", "[cli]") {
  REQUIRE(PgCluster::available());
  constexpr int kEach = 6;
  const ProgramDir dir;
  PgCluster gone({.settings = {"synchronous_commit = on"}});  // what it has committed, it keeps
  StagedFleet well;
  StagedFleet ill;
  well.add(shared_cluster(), "stage_well_", kEach);
  ill.add(gone, "stage_ill_", kEach);
  StagedFleet fleet;
  fleet.add(well);
  fleet.add(ill);
  write_step(dir, 1, {"CREATE TABLE one (x integer);", "DROP TABLE one;"});
  write_step(dir, 2, {"SELECT pg_sleep(0.3); CREATE TABLE two (x integer);", "DROP TABLE two;"});
  fleet.write(dir,
              {"name: canary, select: {stratify: [server]}", "name: rest"},
              "limits: {in_flight: 4, per_server: 1, server_pause: 1m}\n"
              "timeouts: {connect: 1s}\n");
  const Waves waves = planned_waves(dir);
  REQUIRE(waves[0].size() == 2);
  const auto done = [](const StagedFleet& some) {
    const Histories histories = some.histories();
    return std::count_if(histories.begin(), histories.end(), [](const auto& tenant) {
      return text_of(tenant.second) == "up 0001, up 0002";
    });
  };

  ProgramChild child(dir, {"upgrade", "--yes"}, "told");
  wait_until([&] { return done(ill) >= 2; });  // its canary, and one of the rest
  gone.stop(PgCluster::Stop::immediate);
  wait_until([&] { return done(well) == kEach && told(dir).find("is down") != std::string::npos; });
  gone.start();
  CHECK(done(ill) < kEach);
  const int status = child.wait();
  INFO(told(dir));
  CHECK(status == 0);
  const Histories histories = fleet.histories();
  check_all(histories, "up 0001, up 0002");
  check_order(histories, waves, "up");
  CHECK(document(dir, {"runs"}, 0)["runs"][0]["summary"] == json{{"applied", 2 * kEach}});
}

TEST_CASE("a server that stays away in the last stage is told, and the next run does the rest",
          "[cli]") {
  REQUIRE(PgCluster::available());
  constexpr int kEach = 4;
  const ProgramDir dir;
  PgCluster gone({.settings = {"synchronous_commit = on"}});  // what it has committed, it keeps
  StagedFleet fleet;
  fleet.add(shared_cluster(), "stage_here_", kEach);
  fleet.add(gone, "stage_away_", kEach);
  write_step(dir, 1, {"CREATE TABLE one (x integer);", "DROP TABLE one;"});
  write_step(dir, 2, {"CREATE TABLE two (x integer);", "DROP TABLE two;"});
  write_waiting_gate(dir);
  fleet.write(
      dir,
      {fmt::format("name: canary, select: {{stratify: [server]}}, {}", kWaitingGate), "name: rest"},
      "limits: {server_pause: 1s}\ntimeouts: {connect: 1s}\n");
  const Waves waves = planned_waves(dir);
  ProgramChild child(dir, {"upgrade", "--yes"}, "told");
  wait_until([&] { return fs::exists(dir.files() / "at_gate"); });
  gone.stop(PgCluster::Stop::immediate);
  dir.files().write("go_on", "");
  const int status = child.wait();
  INFO(told(dir));
  CHECK(status == 3);
  const json run = document(dir, {"runs", "2"}, 0);
  std::map<std::string, int> outcomes;
  for (const json& tenant : run["tenants"]) {
    const std::string id = tenant["id"];
    const bool away = id.starts_with("stage_away_");
    ++outcomes[(away ? "away " : "here ") + tenant["outcome"].get<std::string>()];
  }
  CHECK(outcomes == std::map<std::string, int>{{"away applied", 1},
                                               {"away unreachable", kEach - 1},
                                               {"here applied", kEach}});
  gone.start();
  const json next = document(dir, {"upgrade", "--yes"}, 0);
  CHECK(next["summary"]["applied"] == kEach - 1);
  CHECK(next["summary"]["current"] == kEach + 1);
  const Histories histories = fleet.histories();
  check_all(histories, "up 0001, up 0002");
  check_order(histories, waves, "up");
}

TEST_CASE("kill -9 in every stage and at a gate: waves keep their order, each step once", "[cli]") {
  REQUIRE(PgCluster::available());
  constexpr int kTenants = 30;
  const ProgramDir dir;
  StagedFleet fleet;
  fleet.add(shared_cluster(), "stage_kill_", kTenants);
  write_step(dir, 1, {"CREATE TABLE one (x integer);", "DROP TABLE one;"});
  write_step(dir, 2, {"SELECT pg_sleep(0.1); CREATE TABLE two (x integer);", "DROP TABLE two;"});
  write_step(dir, 3, {"CREATE TABLE three (x integer);", "DROP TABLE three;"});
  write_waiting_gate(dir);
  fleet.write(dir,
              {fmt::format("name: canary, select: {{count: 4}}, in_flight: 2, {}", kWaitingGate),
               "name: early, select: {percent: 20}, in_flight: 3",
               "name: rest, in_flight: 4"});
  const Waves waves = planned_waves(dir);
  REQUIRE(waves[0].size() == 4);
  REQUIRE(waves[1].size() == 6);
  constexpr const char* kAll = "up 0001, up 0002, up 0003";
  const auto in_wave = [&](std::size_t wave) {  // in the middle of a statement of a tenant of it
    std::string names;
    for (const std::string& tenant : waves[wave]) {
      names += (names.empty() ? "'" : ", '") + tenant + "'";
    }
    return shared_cluster().value(
               "postgres",
               fmt::format("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND "
                           "wait_event = 'PgSleep' AND datname IN ({})",
                           names)) != "0";
  };
  const auto check_waves = [&] {
    const Histories histories = fleet.histories();
    for (std::size_t i = 0; i + 1 < waves.size(); ++i) {
      const bool all = std::all_of(waves[i].begin(), waves[i].end(), [&](const std::string& id) {
        return text_of(histories.at(id)) == kAll;
      });
      const bool none =
          std::all_of(waves[i + 1].begin(), waves[i + 1].end(), [&](const std::string& id) {
            return histories.at(id).empty();
          });
      CAPTURE(i);
      CHECK((all || none));
    }
  };
  const std::vector<std::function<bool()>> moments = {
      [&] { return in_wave(0); },
      [&] { return fs::exists(dir.files() / "at_gate"); },
      [&] { return in_wave(1); },
      [&] { return in_wave(2); }};
  Words words{"upgrade", "--yes"};
  for (std::size_t i = 0; i < moments.size(); ++i) {
    CAPTURE(i);
    ProgramChild child(dir, words, "told");
    wait_until(moments[i]);
    child.send(SIGKILL);
    CHECK(child.wait() == 128 + SIGKILL);
    check_waves();
    if (i == 1) {
      dir.files().write("go_on", "");
    }
    words = {"resume"};
  }
  const json last = document(dir, {"resume"}, 0);
  CHECK(last["summary"]["applied"] == kTenants);
  const Histories histories = fleet.histories();
  check_all(histories, kAll);
  check_order(histories, waves, "up");

  CHECK(document(dir, {"rollback", last["run"], "--yes"}, 0)["summary"]["applied"] == kTenants);
  check_all(fleet.histories(), "up 0001, up 0002, up 0003, down 0003, down 0002, down 0001");
}

TEST_CASE("a process that was frozen until another took its place changes nothing more", "[cli]") {
  REQUIRE(PgCluster::available());
  constexpr int kTenants = 6;
  const ProgramDir dir;
  const PgCluster server({.settings = {"log_statement = 'all'"}});
  StagedFleet fleet;
  fleet.add(server, "stage_ice_", kTenants);
  write_step(dir, 1, {"CREATE TABLE one (x integer);", "DROP TABLE one;"});
  write_step(dir, 2, {"SELECT pg_sleep(0.7); CREATE TABLE two (x integer);", "DROP TABLE two;"});
  fleet.write(dir, {"name: canary, select: {count: 1}", "name: rest, in_flight: 2"});
  const Waves waves = planned_waves(dir);
  ProgramChild frozen(dir, {"upgrade", "--yes"}, "told");
  wait_until([&] {
    return server.value("postgres",
                        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") ==
           "2";
  });
  frozen.send(SIGSTOP);

  const auto run = [&] { return document(dir, {"runs"}, 0)["runs"][0]; };
  const std::string id = run()["run"];
  CHECK(dir.run({"resume", id}).err.starts_with("run " + id + " lives, and is asked to go on"));
  wait_until([&] { return run()["state"] == "died"; });  // as long as its lease lasts
  CHECK(document(dir, {"resume"}, 0)["summary"]["applied"] == kTenants);
  const json after = run();
  CHECK(after["state"] == "finished");

  const std::size_t before = server.log().size();
  frozen.send(SIGCONT);
  CHECK(frozen.wait() == 5);
  INFO(told(dir));
  CHECK(
      told(dir).find("stopped: run " + id +
                     " was taken over by another process\n  hint: Look at the run to see who goes "
                     "on with it; this process starts nothing more.\n") != std::string::npos);
  const std::string since = server.log().substr(before);
  INFO(since);
  for (const std::string word : {"BEGIN", "COMMIT", "CREATE", "INSERT", "UPDATE", "pg_sleep"}) {
    CHECK(since.find(word) == std::string::npos);
  }
  const Histories histories = fleet.histories();
  check_all(histories, "up 0001, up 0002");
  check_order(histories, waves, "up");
  CHECK(run() == after);
}

TEST_CASE("a run that was killed is rolled back by what the tenants know, also after a kill",
          "[cli]") {
  REQUIRE(PgCluster::available());
  constexpr int kTenants = 10;
  const ProgramDir dir;
  StagedFleet fleet;
  fleet.add(shared_cluster(), "stage_back_", kTenants);
  write_step(dir, 1, {"CREATE TABLE one (x integer);", "DROP TABLE one;"});
  write_step(dir,
             2,
             {"SELECT pg_sleep(0.2); CREATE TABLE two (x integer);",
              "SELECT pg_sleep(0.2); DROP TABLE two;"});
  write_step(dir, 3, {"CREATE TABLE three (x integer);", "DROP TABLE three;"});
  fleet.write(dir, {"name: canary, select: {count: 2}", "name: rest, in_flight: 2"});
  const std::string before = "stage_back_000";
  REQUIRE(dir.run({"upgrade", "0001", "--tenant", before, "--yes"}).status == 0);
  const auto count = [&](const std::string& what) {
    const Histories histories = fleet.histories();
    return std::count_if(histories.begin(), histories.end(), [&](const auto& tenant) {
      return text_of(tenant.second).find(what) != std::string::npos;
    });
  };
  const auto kill_when = [&](const Words& words, const std::string& what, int tenants) {
    ProgramChild child(dir, words, "told");
    wait_until([&] { return count(what) >= tenants; });
    child.send(SIGKILL);
    const int status = child.wait();
    wait_until([] {  // the server has got to the end of what it was sent
      return shared_cluster().value("postgres",
                                    "SELECT count(*) FROM pg_stat_activity WHERE "
                                    "datname LIKE 'stage_back_%'") == "0";
    });
    return status;
  };
  CHECK(kill_when({"upgrade", "--yes"}, "up 0003", 4) == 128 + SIGKILL);
  const json run = document(dir, {"runs"}, 0)["runs"][0];
  CHECK(run["state"] == "died");

  CHECK(kill_when({"rollback", run["run"], "--yes"}, "down 0003", 2) == 128 + SIGKILL);
  CHECK(document(dir, {"runs"}, 0)["runs"][0]["verb"] == "rollback");
  const ProgramResult resumed = dir.run({"resume"});
  INFO(told(dir) << resumed.out << resumed.err);
  CHECK(resumed.status == 0);
  for (const auto& [tenant, history] : fleet.histories()) {
    CAPTURE(tenant, text_of(history));
    CHECK(fleet.ask(tenant,
                    "SELECT coalesce(string_agg(tablename, ',' ORDER BY tablename), '') FROM "
                    "pg_tables WHERE tablename IN ('one', 'two', 'three')") ==
          (tenant == before ? "one" : ""));
  }
  CHECK(count("up 0003") >= 4);
  CHECK(count("up 0003") == count("down 0003"));
}

TEST_CASE("schemas of one database that a killed process had done are rolled back too", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  const std::vector<std::string> schemas = {"t_a", "t_b", "t_c", "t_d", "t_e", "t_f"};
  make_schemas(dir, "stage_schemas", schemas);
  write_step(dir, 2, {"SELECT pg_sleep(0.1); CREATE TABLE two (x integer);", "DROP TABLE two;"});
  const auto tables = [&](const std::string& name) {
    return std::stoi(shared_cluster().value(
        "stage_schemas",
        fmt::format("SELECT count(*) FROM pg_tables WHERE tablename = '{}'", name)));
  };
  ProgramChild child(dir, {"upgrade", "--yes", "--in-flight", "1"});
  wait_until([&] { return tables("three") >= 2; });
  child.send(SIGKILL);
  REQUIRE(child.wait() == 128 + SIGKILL);
  const json run = document(dir, {"resume"}, 0);
  CHECK(run["summary"]["applied"] == schemas.size());
  CHECK(tables("three") == 6);
  CHECK(document(dir, {"rollback", run["run"], "--yes"}, 0)["summary"]["applied"] ==
        schemas.size());
  CHECK(tables("one") + tables("two") + tables("three") == 0);
}

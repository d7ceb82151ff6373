// Rollouts in stages, as an operator sees them: canaries, gates, budgets, plans, holds, and runs
// that are steered from another terminal.

#include <chrono>
#include <csignal>
#include <set>
#include <string>
#include <thread>

#include <catch2/catch.hpp>

#include "tests/orchestrator/cli/fleet_dir.h"
#include "tests/orchestrator/cli/program_child.h"

using drover::test::PgCluster;
using drover::test::ProgramChild;
using drover::test::ProgramDir;
using drover::test::ProgramResult;
using drover::test::shared_cluster;
using namespace drover::test::fleet;  // NOLINT(google-build-using-namespace): tests only
using namespace std::chrono_literals;

namespace {

json upgrade(const ProgramDir& dir, int status) {
  return document(dir, {"upgrade", "--yes"}, status);
}

std::string state_of_last_run(const ProgramDir& dir) {
  return document(dir, {"runs"}, 0)["runs"][0]["state"];
}

void execute(const ProgramDir& dir, const std::string& tenant, const std::string& sql) {
  ask_file(dir, tenant, sql);
}

}  // namespace

TEST_CASE("a canary that fails halts the run, and nobody else is touched", "[cli]") {
  const ProgramDir dir;
  write_rollout(dir, 6, {"name: canary, select: {ids: [b, c]}", "name: rest"});
  execute(dir, "c", "CREATE TABLE two (y);");

  const json halted = upgrade(dir, 4);
  CHECK(outcomes(halted) ==
        "a not_started, b applied, c failed, d not_started, e not_started, f not_started");
  CHECK(halted["outcome"] == "halted");
  CHECK(state_of_last_run(dir) == "halted");
  CHECK(ask_file(dir, "a", "SELECT count(*) FROM sqlite_master;") == "0\n");

  execute(dir, "c", "DROP TABLE two;");
  const json resumed = document(dir, {"resume"}, 0);
  CHECK(outcomes(resumed) == "a applied, b applied, c applied, d applied, e applied, f applied");
  CHECK(state_of_last_run(dir) == "finished");
}

TEST_CASE("a gate that cannot tell pauses the run, and one that fails halts it", "[cli]") {
  const ProgramDir dir;
  write_rollout(
      dir,
      3,
      {"name: canary, select: {count: 1}, gate: {command: {argv: [sh, check.sh]}}", "name: rest"});
  dir.files().write("check.sh", "exit 2\n");
  CHECK(upgrade(dir, 8)["outcome"] == "paused");
  CHECK(state_of_last_run(dir) == "paused");

  dir.files().write("check.sh", "echo lag is 40 s; exit 1\n");
  const ProgramResult failed = dir.run({"resume"});
  CHECK(failed.status == 4);
  CHECK(failed.out.find("the gate of stage 'canary' failed: command 'sh' exited with status 1: lag "
                        "is 40 s") != std::string::npos);

  dir.files().write("check.sh", "test \"$DROVER_STAGE\" = canary\n");
  CHECK(outcomes(document(dir, {"resume"}, 0)) == "a applied, b applied, c applied");
}

TEST_CASE("a probe asks every tenant of its stage", "[cli]") {
  const ProgramDir dir;
  write_rollout(dir,
                3,
                {"name: canary, select: {ids: [a, b]}, gate: {probe: {on: tenant, sql: \"SELECT "
                 "count(*) = 0 FROM seed\"}}",
                 "name: rest"});
  execute(dir, "a", "CREATE TABLE seed (x);");
  const ProgramResult unsure = dir.run({"upgrade", "--yes"});
  CHECK(unsure.status == 8);
  CHECK(unsure.out.find("tenant 'b': no such table: seed") != std::string::npos);
  execute(dir, "b", "CREATE TABLE seed (x); INSERT INTO seed VALUES (1);");
  const ProgramResult passed = dir.run({"resume"});
  INFO(passed.out << passed.err);
  CHECK(passed.status == 4);
  CHECK(passed.out.find("tenant 'b' says no") != std::string::npos);
  execute(dir, "b", "DELETE FROM seed;");
  CHECK(outcomes(document(dir, {"resume"}, 0)) == "a applied, b applied, c applied");
}

TEST_CASE("a stage that wants an approval waits for it", "[cli]") {
  const ProgramDir dir;
  write_rollout(dir, 3, {"name: canary, select: {count: 1}, gate: {approvals: 1}", "name: rest"});
  const json waiting = upgrade(dir, 8);
  const std::string run = waiting["run"];
  CHECK(dir.run({"resume"}).status == 8);
  CHECK(dir.run({"approve", run, "--stage", "nowhere"}).err ==
        error_text("run " + run + " has no stage 'nowhere'",
                   "See drover plan show, or the rollout of the configuration, for its stages."));
  CHECK(dir.run({"approve", run, "--stage", "canary"}).status == 0);
  CHECK(outcomes(document(dir, {"resume"}, 0)) == "a applied, b applied, c applied");
}

TEST_CASE("a plan is applied exactly, and what has changed since is left alone", "[cli]") {
  const ProgramDir dir;
  write_rollout(dir, 4, {"name: canary, select: {ids: [a]}", "name: rest"});
  REQUIRE(upgrade(dir, 0)["outcome"] == "done");
  REQUIRE(dir.run({"downgrade", "0001", "--yes"}).status == 0);
  const ProgramResult planned = dir.run({"plan", "--out", "plan.json"});
  INFO(planned.err);
  REQUIRE(planned.status == 0);
  CHECK(planned.out.find("0002") != std::string::npos);
  const ProgramResult shown = dir.run({"plan", "show", "plan.json", "--tenants", "--sql"});
  CHECK(shown.out.find("listed by id") != std::string::npos);
  CHECK(shown.out.find("CREATE TABLE two") != std::string::npos);
  REQUIRE(dir.run({"upgrade", "0002", "--tenant", "c", "--yes"}).status == 0);

  const json applied = document(dir, {"apply", "plan.json", "--yes"}, 3);
  CHECK(outcomes(applied) == "a applied, b applied, c skipped, d applied");
  for (const json& tenant : applied["tenants"]) {
    if (tenant["id"] == "c") {
      CHECK(tenant["reason"] == "changed_since_plan");
      CHECK(tenant["error"]["message"] ==
            "the tenant is at 0002, and was at 0001 when the run was planned");
    }
  }
  // Once more: whoever is there is there.
  CHECK(outcomes(document(dir, {"apply", "plan.json", "--yes"}, 3)) ==
        "a current, b current, c skipped, d current");
}

TEST_CASE("a plan that no longer fits is refused before anything is connected to", "[cli]") {
  const ProgramDir dir;
  write_rollout(dir, 2, {"name: canary, select: {ids: [a]}", "name: rest"});
  REQUIRE(dir.run({"plan", "--out", "plan.json"}).status == 0);
  const std::string text = dir.files().read("plan.json");
  const std::string file = dir.files().read("migrations/0002_step.sql");

  dir.files().write("migrations/0002_step.sql", file + "-- more\n");
  const ProgramResult changed = dir.run({"apply", "plan.json", "--yes"});
  CHECK(changed.status == 7);
  CHECK(changed.err.find("revision '0002' has changed since the plan was made") !=
        std::string::npos);
  dir.files().write("migrations/0002_step.sql", file);

  dir.files().write("plan.json", text.substr(0, text.size() / 2));
  CHECK(dir.run({"apply", "plan.json", "--yes"}).status == 2);
  std::string edited = text;
  edited.replace(edited.find("\"heads\""), 7, "\"00001\"");
  dir.files().write("plan.json", edited);
  CHECK(dir.run({"apply", "plan.json", "--yes"}).status == 7);
  dir.files().write("plan.json", text);

  write_rollout(dir, 2, {"name: canary, select: {ids: [b]}", "name: rest"});
  const ProgramResult strategy = dir.run({"apply", "plan.json", "--yes"});
  CHECK(strategy.status == 7);
  CHECK(strategy.err.find("the rollout of the configuration is not the one that the plan was made "
                          "for") != std::string::npos);
  CHECK(dir.run({"plan", "--out", "plan.json"}).status == 2);  // never over another one
  CHECK(ask_file(dir, "a", "SELECT count(*) FROM sqlite_master;") == "0\n");
}

TEST_CASE("a plan that wants approvals is not applied without them", "[cli]") {
  const ProgramDir dir;
  write_rollout(dir, 2, {"name: rest"}, "      approvals: {count: 1}\n");
  CHECK(dir.run({"upgrade", "--yes"}).status == 8);
  REQUIRE(dir.run({"plan", "--out", "plan.json"}).status == 0);
  CHECK(dir.run({"apply", "plan.json", "--yes"}).status == 8);
  const ProgramResult own = dir.run({"approve", "plan.json", "--yes"});
  CHECK(own.status == 2);
  CHECK(own.err.find("who cannot approve it") != std::string::npos);
}

TEST_CASE("a tenant that is held takes no part, and is always listed", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 3, "0001");
  CHECK(dir.run({"hold", "add", "nobody", "--reason", "x"}).status == 2);
  CHECK(dir.run({"hold", "add", "b", "--reason", "audit", "--for", "5"}).status == 2);
  REQUIRE(dir.run({"hold", "add", "b", "--reason", "audit", "--for", "14d"}).status == 0);
  const json holds = document(dir, {"hold", "list"}, 0);
  REQUIRE(holds["holds"].size() == 1);
  CHECK(holds["holds"][0]["tenant"] == "b");
  CHECK(holds["holds"][0]["reason"] == "audit");

  CHECK(outcomes(upgrade(dir, 0)) == "a applied, b held, c applied");
  REQUIRE(dir.run({"hold", "remove", "b"}).status == 0);
  CHECK(dir.run({"hold", "remove", "b"}).status == 2);
  CHECK(outcomes(upgrade(dir, 0)) == "a current, b applied, c current");
}

TEST_CASE("a run is paused, throttled, told to skip and to go on from another terminal", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  make_schemas(dir, "cli_steered", {"t_a", "t_b", "t_c", "t_d"});
  write_step(dir, 1, {"SELECT pg_sleep(2); CREATE TABLE one (x integer);", "DROP TABLE one;"});
  const auto applied = [] {
    return std::stoi(shared_cluster().value(
        "cli_steered", "SELECT count(*) FROM pg_tables WHERE tablename = 'three'"));
  };
  ProgramChild child(dir, {"upgrade", "--yes", "--in-flight", "1"});
  wait_until([&] { return dir.run({"pause"}).status == 0; });
  wait_until([&] { return applied() >= 1; });
  REQUIRE(dir.run({"skip", "t_d", "--reason", "a launch"}).status == 0);
  REQUIRE(dir.run({"throttle", "--concurrency", "2"}).status == 0);
  std::this_thread::sleep_for(4s);  // long enough for another tenant, if one were started
  CHECK(applied() == 1);
  const std::string run = document(dir, {"runs"}, 0)["runs"][0]["run"];
  CHECK(dir.run({"resume", run}).status == 0);
  CHECK(child.wait() == 3);  // one was skipped
  CHECK(applied() == 3);
  const json told = document(dir, {"runs", run}, 0);
  std::set<std::string> skipped;
  for (const json& tenant : told["tenants"]) {
    if (tenant["outcome"] == "skipped") {
      skipped.insert(tenant["id"]);
    }
  }
  CHECK(skipped == std::set<std::string>{"t_d"});
  CHECK(dir.run({"pause"}).status == 2);  // nobody would hear it
}

TEST_CASE("a run is halted from another terminal within seconds", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  make_schemas(dir, "cli_halted", {"t_a", "t_b", "t_c"});
  write_step(dir, 1, {"SELECT pg_sleep(60); CREATE TABLE one (x integer);", "DROP TABLE one;"});
  ProgramChild child(dir, {"upgrade", "--yes", "--in-flight", "1"});
  const auto begin = std::chrono::steady_clock::now();
  wait_until([&] { return dir.run({"halt", "--cancel", "--reason", "wrong day"}).status == 0; });
  CHECK(child.wait() == 4);
  CHECK(std::chrono::steady_clock::now() - begin < 30s);
  CHECK(state_of_last_run(dir) == "halted");
}

TEST_CASE("kill -9 between stages and in one: the next process keeps their order", "[cli]") {
  const ProgramDir dir;
  write_rollout(dir,
                6,
                {"name: canary, select: {ids: [e, f]}, gate: {soak: 400ms}",
                 "name: early, select: {ids: [c, d]}, in_flight: 1",
                 "name: rest"});
  const auto done = [&](const std::string& tenant) {
    return ask_file(dir, tenant, "SELECT count(*) FROM sqlite_master WHERE name = 'three';") ==
           "1\n";
  };
  int killed = 0;
  for (const auto after : {60ms, 200ms, 350ms, 500ms, 600ms}) {
    {
      ProgramChild child(dir, {"upgrade", "--yes"});
      std::this_thread::sleep_for(after);  // the moment is what is tested
      child.send(SIGKILL);
      killed += child.wait() == 128 + SIGKILL ? 1 : 0;
    }
    const bool canary = done("e") && done("f");
    const bool early = done("c") && done("d");
    CHECK((canary || (!done("c") && !done("d"))));
    CHECK((early || (!done("a") && !done("b"))));
  }
  CHECK(killed > 0);
  CHECK(upgrade(dir, 0)["outcome"] != "halted");
  CHECK(states(dir, 0) == std::map<std::string, std::string>{{"a", "current"},
                                                             {"b", "current"},
                                                             {"c", "current"},
                                                             {"d", "current"},
                                                             {"e", "current"},
                                                             {"f", "current"}});
}

TEST_CASE("rollback takes back what a run changed, and nothing else", "[cli]") {
  const ProgramDir dir;
  write_rollout(dir, 5, {"name: canary, select: {ids: [a]}", "name: rest"});
  REQUIRE(dir.run({"upgrade", "0001", "--yes"}).status == 0);
  REQUIRE(dir.run({"upgrade", "0003", "--tenant", "e", "--yes"}).status == 0);
  const json run = document(dir, {"upgrade", "0002", "--yes"}, 0);  // e is beyond
  REQUIRE(dir.run({"upgrade", "0003", "--tenant", "d", "--yes"}).status == 0);

  const json back = document(dir, {"rollback", run["run"], "--yes"}, 3);
  CHECK(back["verb"] == "rollback");
  CHECK(outcomes(back) == "a applied, b applied, c applied, d skipped");
  CHECK(ask_file(dir,
                 "a",
                 "SELECT group_concat(name) FROM sqlite_master WHERE name IN "
                 "('one', 'two', 'three');") == "one\n");
  CHECK(ask_file(dir, "d", "SELECT count(*) FROM sqlite_master WHERE name = 'three';") == "1\n");
  CHECK(ask_file(dir, "e", "SELECT count(*) FROM sqlite_master WHERE name = 'three';") == "1\n");
  // The last wave first: the canary ends it.
  const json told = document(dir, {"runs", back["run"]}, 0);
  CHECK(told["run"]["verb"] == "rollback");
  CHECK(dir.run({"rollback", "nowhere", "--yes"}).status == 2);
  const ProgramResult again = dir.run({"rollback", run["run"], "--yes"});
  CHECK(again.status == 3);  // they have all moved since
}

TEST_CASE("what cannot be undone is named before a rollback begins", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 2, "0001");
  write_step(
      dir, 2, {"CREATE TABLE two (x);", "SELECT 1;", "-- drover: irreversible rows are gone"});
  dir.files().write(
      "migrations/0002_step.sql",
      "-- drover: revision 0002\n-- drover: parents 0001\n-- drover: message Step 2\n"
      "-- drover: irreversible rows are gone\n\n-- drover: up\nCREATE TABLE two (x);\n");
  const json run = upgrade(dir, 0);
  const ProgramResult back = dir.run({"rollback", run["run"], "--yes"});
  CHECK(back.status == 2);
  CHECK(back.err.find("revision '0002' cannot be undone: rows are gone") != std::string::npos);
  CHECK(ask_file(dir, "a", "SELECT count(*) FROM sqlite_master WHERE name = 'three';") == "1\n");
}

TEST_CASE("a contract step waits for the whole fleet", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 3, "0001");
  write_step(
      dir,
      3,
      {"CREATE TABLE three (x integer);", "DROP TABLE three;", "-- drover: requires-fleet 0002"});
  const ProgramResult early = dir.run({"upgrade", "--yes", "--tenant", "a"});
  CHECK(early.status == 2);
  CHECK(early.err.find("revision '0003' starts only when every tenant has '0002', and 3 of 3 do "
                       "not, the first is 'a'") != std::string::npos);
  REQUIRE(dir.run({"upgrade", "0002", "--yes", "--tenant", "a,b"}).status == 0);
  CHECK(dir.run({"upgrade", "--yes"}).status == 2);
  REQUIRE(dir.run({"hold", "add", "c", "--reason", "audit"}).status == 0);
  CHECK(outcomes(upgrade(dir, 0)) == "a applied, b applied, c held");
}

TEST_CASE("a canary on one of two servers halts before the other is touched", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  const PgCluster other;
  write_steps(dir);
  std::string entries;
  for (int i = 0; i < 6; ++i) {
    const std::string name = fmt::format("cli_two_{}", i);
    const PgCluster& cluster = i % 2 == 0 ? shared_cluster() : other;
    cluster.create_database(name);
    entries +=
        fmt::format("          - {{id: {}, target: \"{}\"}}\n", name, cluster.conninfo(name));
  }
  write_settings(dir,
                 "list:\n" + entries,
                 "    rollout:\n      stages:\n        - {name: canary, select: {stratify: "
                 "[server]}}\n        - {name: rest}\n");
  const json waves = json::parse(dir.run({"plan", "-o", "json"}).out);
  REQUIRE(waves["waves"][0]["tenants"] == 2);  // one of each server
  std::string canary;
  for (const json& tenant : waves["tenants"]) {
    canary = tenant["wave"] == 0 ? std::string(tenant["id"]) : canary;
  }
  const PgCluster& its = (canary.back() - '0') % 2 == 0 ? shared_cluster() : other;
  its.execute(canary, "CREATE TABLE two (y integer)");
  const json halted = upgrade(dir, 4);
  CHECK(halted["summary"]["not_started"] == 4);
  CHECK(halted["summary"]["failed"] == 1);
  its.execute(canary, "DROP TABLE two");
  CHECK(document(dir, {"resume"}, 0)["summary"]["applied"] == 6);
}

TEST_CASE("the fleet's version is what every tenant has", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 3, "0001");
  REQUIRE(dir.run({"upgrade", "0003", "--yes", "--tenant", "a"}).status == 0);
  REQUIRE(dir.run({"upgrade", "0002", "--yes", "--tenant", "b"}).status == 0);
  CHECK(dir.run({"fleet-version"}).out == "every tenant has  0001\nsome have         0003\n");
  REQUIRE(dir.run({"hold", "add", "c", "--reason", "audit"}).status == 0);
  const json version = document(dir, {"fleet-version"}, 0);
  CHECK(version["lowest"] == json::array({"0002"}));
  CHECK(version["highest"] == json::array({"0003"}));
  CHECK(version["held"] == 1);
  dir.files().write("fleet/b.db", "this is no database, whatever it is called");
  CHECK(document(dir, {"fleet-version"}, 3)["unreadable"] == 1);
}

TEST_CASE("a rollout that cannot be is refused with its place", "[cli]") {
  const ProgramDir dir;
  write_rollout(
      dir, 2, {"name: rest, window: {days: mon, from: '01:00', to: '02:00', zone: Mars/X}"});
  const ProgramResult zone = dir.run({"upgrade", "--yes"});
  CHECK(zone.status == 2);
  CHECK(zone.err.find("there is no time zone 'Mars/X'") != std::string::npos);
  write_rollout(dir, 2, {"name: rest, gate: {http: {url: 'http://bob:secret@here/'}}"});
  const ProgramResult url = dir.run({"upgrade", "--yes"});
  CHECK(url.status == 2);
  CHECK(url.err.find("secret") == std::string::npos);
  write_rollout(dir, 2, {"name: gold, select: {labels: {ring: gold}}", "name: rest"});
  const ProgramResult empty = dir.run({"upgrade", "--yes"});
  CHECK(empty.status == 2);
  CHECK(empty.err.find("drover.yaml:") != std::string::npos);
  CHECK(empty.err.find("stage 'gold' (label ring=gold) selects none of the 2 tenants") !=
        std::string::npos);
  CHECK(ask_file(dir, "a", "SELECT count(*) FROM sqlite_master;") == "0\n");
}

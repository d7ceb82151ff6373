// What surrounds a rollout: who joins late, who approves, how it is throttled, and what is refused
// before or between stages, through the program.

#include <algorithm>
#include <chrono>
#include <csignal>
#include <string>

#include <catch2/catch.hpp>

#include "orchestrator/plan/approvals_file.h"
#include "orchestrator/plan/plan_file.h"
#include "orchestrator/plan/signing_key.h"
#include "orchestrator/plan/utc_time.h"
#include "tests/orchestrator/cli/program_child.h"
#include "tests/orchestrator/cli/staged_fleet.h"

using drover::orchestrator::Plan;
using drover::test::PgCluster;
using drover::test::ProgramChild;
using drover::test::ProgramDir;
using drover::test::ProgramResult;
using drover::test::shared_cluster;
using namespace drover::test::fleet;  // NOLINT(google-build-using-namespace): tests only
using namespace std::chrono_literals;
namespace plan = drover::orchestrator::plan;

namespace {

bool is_untouched(const ProgramDir& dir, const std::string& tenant) {
  return ask_file(dir, tenant, "SELECT count(*) FROM sqlite_master;") == "0\n";
}

/// Three tenants a, b, c, a plan for them in plan.json, and then a fourth.
void plan_then_join(const ProgramDir& dir, const std::string& late_joiners) {
  write_rollout(dir,
                3,
                {"name: canary, select: {ids: [b]}", "name: rest"},
                "      late_joiners: " + late_joiners + "\n");
  REQUIRE(dir.run({"plan", "--out", "plan.json"}).status == 0);
  dir.files().write("fleet/late.db", "");
}

const Words kApply{"apply", "plan.json", "--yes"};

}  // namespace

TEST_CASE("who joins after the plan is the last wave where late joiners are appended", "[cli]") {
  const ProgramDir dir;
  plan_then_join(dir, "append");
  const ProgramResult applied = dir.run(kApply);
  INFO(applied.out << applied.err);
  CHECK(applied.status == 0);
  CHECK(applied.err.find("stage canary begins\nstage canary is done\nstage rest begins\nstage rest "
                         "is done\nstage late joiners begins\nstage late joiners is done\n") !=
        std::string::npos);
  CHECK(states(dir, 0) ==
        std::map<std::string, std::string>{
            {"a", "current"}, {"b", "current"}, {"c", "current"}, {"late", "current"}});
  const auto when = [&](const std::string& tenant, const std::string& which) {
    return ask_file(dir, tenant, "SELECT " + which + "(at) FROM drover_events WHERE kind = 'up';");
  };
  CHECK(when("b", "max") <= when("a", "min"));
  CHECK(when("a", "max") <= when("late", "min"));
  CHECK(when("c", "max") <= when("late", "min"));
}

TEST_CASE("the gate of the last stage looks at late joiners too", "[cli]") {
  const ProgramDir dir;
  write_rollout(
      dir,
      2,
      {"name: canary, select: {ids: [a]}",
       "name: rest, gate: {probe: {on: tenant, sql: \"SELECT count(*) = 0 FROM faults\"}}"},
      "      late_joiners: append\n");
  ask_file(dir, "b", "CREATE TABLE faults (x);");
  REQUIRE(dir.run({"plan", "--out", "plan.json"}).status == 0);
  dir.files().write("fleet/late.db", "");
  ask_file(dir, "late", "CREATE TABLE faults (x); INSERT INTO faults VALUES (1);");
  const ProgramResult failed = dir.run(kApply);
  INFO(failed.out << failed.err);
  CHECK(failed.status == 4);
  CHECK(failed.out.find("the gate of stage 'late joiners' failed: tenant 'late' says no") !=
        std::string::npos);
  ask_file(dir, "late", "DELETE FROM faults;");
  CHECK(dir.run({"resume"}).status == 0);
}

TEST_CASE("the approval that the last stage wants is wanted for late joiners too", "[cli]") {
  const ProgramDir dir;
  write_rollout(dir,
                2,
                {"name: canary, select: {ids: [a]}", "name: rest, gate: {approvals: 1}"},
                "      late_joiners: append\n");
  REQUIRE(dir.run({"plan", "--out", "plan.json"}).status == 0);
  dir.files().write("fleet/late.db", "");
  const json waiting = document(dir, kApply, 8);
  const std::string run = waiting["run"];
  CHECK(outcomes(waiting) == "a applied, b applied, late not_started");
  REQUIRE(dir.run({"approve", run, "--stage", "rest"}).status == 0);
  CHECK(outcomes(document(dir, {"resume"}, 8)) == "a applied, b applied, late applied");
  REQUIRE(dir.run({"approve", run, "--stage", "late joiners"}).status == 0);
  CHECK(dir.run({"resume"}).status == 0);
}

TEST_CASE("a plan is not applied to a fleet that has grown where late joiners stop it", "[cli]") {
  const ProgramDir dir;
  plan_then_join(dir, "stop");
  const ProgramResult refused = dir.run(kApply);
  CHECK(refused.status == 2);
  CHECK(refused.err ==
        error_text("1 tenants have joined the fleet since it was planned, the first is 'late'",
                   "Make a new plan."));
  for (const std::string tenant : {"a", "b", "c", "late"}) {
    CHECK(is_untouched(dir, tenant));
  }
  fs::remove(dir.files() / "fleet/late.db");
  CHECK(outcomes(document(dir, kApply, 0)) == "a applied, b applied, c applied");
}

TEST_CASE("late joiners that are ignored are named and left alone", "[cli]") {
  const ProgramDir dir;
  plan_then_join(dir, "ignore");
  const ProgramResult applied = dir.run(kApply);
  CHECK(applied.status == 0);
  CHECK(applied.err.find("1 tenants have joined the fleet since it was planned and are left alone, "
                         "the first is 'late'\n") != std::string::npos);
  CHECK(is_untouched(dir, "late"));
  CHECK(!is_untouched(dir, "c"));
}

TEST_CASE("a plan for some tenants takes no late joiners in", "[cli]") {
  const ProgramDir dir;
  write_rollout(dir, 3, {"name: rest"}, "      late_joiners: append\n");
  REQUIRE(dir.run({"plan", "--tenant", "a,b", "--out", "plan.json"}).status == 0);
  dir.files().write("fleet/late.db", "");
  CHECK(outcomes(document(dir, kApply, 0)) == "a applied, b applied");
  CHECK(is_untouched(dir, "late"));
  CHECK(is_untouched(dir, "c"));
}

namespace {

/// Makes an Ed25519 key NAME.pem and its public half NAME.pub, as an operator does.
void make_key(const ProgramDir& dir, const std::string& name) {
  const std::string command = fmt::format(
      "cd '{0}' && umask 077 && openssl genpkey -algorithm ed25519 -out {1}.pem 2>/dev/null && "
      "openssl pkey -in {1}.pem -pubout -out {1}.pub 2>/dev/null",
      dir.files().path().string(),
      name);
  REQUIRE(std::system(command.c_str()) == 0);
}

/// Two tenants, approvals as said, and plan.json as if ann had made it: who runs the tests cannot
/// be two people.
void write_plan_of_ann(const ProgramDir& dir, const std::string& approvals) {
  write_rollout(dir, 2, {"name: rest"}, "      approvals: " + approvals + "\n");
  REQUIRE(dir.run({"plan", "--out", "own.json"}).status == 0);
  Plan made = plan::read_file(dir.files() / "own.json");
  made.author = "ann@desk";
  plan::write_file(made, dir.files() / "plan.json");
}

/// It waits for approvals, with these words about those that are there, and has done nothing.
void check_waits(const ProgramDir& dir, const std::string& words) {
  const ProgramResult waiting = dir.run(kApply);
  INFO(waiting.err);
  CHECK(waiting.status == 8);
  CHECK(waiting.err.find(words) != std::string::npos);
  CHECK(ends_with(waiting.err,
                  error_text("0 of 1 approvals of the plan are there",
                             "Let somebody else than ann@desk say drover approve plan.json.")));
  CHECK(is_untouched(dir, "a"));
  CHECK(is_untouched(dir, "b"));
}

}  // namespace

TEST_CASE("an approval by somebody else lets a plan be applied, and only that plan", "[cli]") {
  const ProgramDir dir;
  write_plan_of_ann(dir, "{count: 1}");
  check_waits(dir, "");
  REQUIRE(dir.run({"approve", "plan.json", "--yes"}).status == 0);
  const std::string approvals = dir.files().read("plan.json.approvals");

  // The same approvals beside a plan that says something else.
  Plan other = plan::read_file(dir.files() / "plan.json");
  REQUIRE(dir.run({"plan", "0001", "--out", "changed.json"}).status == 0);
  Plan changed = plan::read_file(dir.files() / "changed.json");
  changed.author = other.author;
  fs::remove(dir.files() / "plan.json");
  plan::write_file(changed, dir.files() / "plan.json");
  check_waits(dir, "does not count: of another digest");

  fs::remove(dir.files() / "plan.json");
  plan::write_file(other, dir.files() / "plan.json");
  CHECK(dir.run(kApply).status == 0);
  CHECK(dir.files().read("plan.json.approvals") == approvals);
}

TEST_CASE("an approval counts only with a trusted key where keys are given", "[cli]") {
  const ProgramDir dir;
  make_key(dir, "bob");
  make_key(dir, "eve");
  write_plan_of_ann(dir, "{count: 1, keys: {bob: bob.pub}}");
  REQUIRE(dir.run({"approve", "plan.json", "--yes"}).status == 0);
  check_waits(dir, "does not count: not signed");
  REQUIRE(dir.run({"approve", "plan.json", "--yes", "--key", "eve.pem"}).status == 0);
  check_waits(dir, "does not count: key not trusted");
  CHECK(dir.run({"approve", "plan.json", "--yes", "--key", "bob.pub"}).status == 2);
  CHECK(dir.run({"approve", "plan.json", "--yes", "--key", "nobody.pem"}).status == 74);
  REQUIRE(dir.run({"approve", "plan.json", "--yes", "--key", "bob.pem"}).status == 0);

  // Somebody edits the approvals afterwards.
  const std::string file = "plan.json.approvals";
  const std::string approvals = dir.files().read(file);
  std::string edited = approvals;
  const std::size_t who = edited.rfind("\"who\": \"") + 8;
  edited.insert(who, "x");
  dir.files().write(file, edited);
  check_waits(dir, "does not count: signature does not verify");
  dir.files().write(file, approvals.substr(0, approvals.size() - 20));
  const ProgramResult cut = dir.run(kApply);
  CHECK(cut.status == 2);
  CHECK(cut.err.find("plan.json.approvals:3: the line is cut short: it does not end with a line "
                     "break") != std::string::npos);
  CHECK(is_untouched(dir, "a"));
  dir.files().write(file, approvals);
  CHECK(dir.run(kApply).status == 0);
}

TEST_CASE("an approval is good for a while, and never by the author", "[cli]") {
  const ProgramDir dir;
  make_key(dir, "bob");
  write_plan_of_ann(dir, "{count: 1, expiry: 1h, keys: {bob: bob.pub, ann: ann.pub}}");
  make_key(dir, "ann");
  const fs::path file = plan::approvals_file_of(dir.files() / "plan.json");
  const plan::SigningKey bob = plan::SigningKey::read(dir.files() / "bob.pem");
  const plan::SigningKey ann = plan::SigningKey::read(dir.files() / "ann.pem");
  const std::string digest = plan::digest_of(plan::read_file(dir.files() / "plan.json"));
  const auto now = std::chrono::system_clock::now();
  const auto approve = [&](const plan::SigningKey& key, const auto& at) {
    plan::add_approval(file, plan::sign_approval(key, "test", digest, "bob@desk", at));
  };
  approve(bob, now - 2h);
  check_waits(dir, "the approval by bob@desk does not count: expired");
  approve(bob, now + 2h);
  check_waits(dir, "the approval by bob@desk does not count: dated in the future");
  approve(ann, now);  // under another name
  check_waits(dir, "the approval by bob@desk does not count: by the author");
  approve(bob, now - 30min);
  CHECK(dir.run(kApply).status == 0);
  // The journal keeps who, when and what.
  const std::string kept = fmt::format("bob@desk approved {} at {}, signed with key {}",
                                       digest,
                                       plan::to_utc_text(now - 30min),
                                       bob.public_key().key_id());
  const std::string run = document(dir, {"runs"}, 0)["runs"][0]["run"];
  CHECK(dir.run({"runs", run}).out.find(kept) != std::string::npos);
}

TEST_CASE("a throttle is felt by a run that is at work", "[cli]") {
  REQUIRE(PgCluster::available());
  constexpr int kTenants = 24;
  const ProgramDir dir;
  StagedFleet fleet;
  fleet.add(shared_cluster(), "cli_throttle_", kTenants);
  write_step(dir, 1, {"SELECT pg_sleep(0.6); CREATE TABLE one (x integer);", "DROP TABLE one;"});
  fleet.write(dir, {"name: rest, in_flight: 8"});
  const auto at_work = [] {
    return std::stoi(
        shared_cluster().value("postgres",
                               "SELECT count(*) FROM pg_stat_activity WHERE "
                               "datname LIKE 'cli_throttle_%' AND state = 'active' AND "
                               "query LIKE 'SELECT pg_sleep%'"));
  };
  const auto heard = [&](const std::string& id) {
    return dir.run({"runs", id}).out.find("run_throttled") != std::string::npos;
  };
  ProgramChild child(dir, {"upgrade", "--yes"});
  wait_until([&] { return at_work() == 8; });
  REQUIRE(dir.run({"throttle", "--concurrency", "1"}).status == 0);
  const std::string id = document(dir, {"runs"}, 0)["runs"][0]["run"];
  wait_until([&] { return heard(id); });
  wait_until([&] { return at_work() <= 1; });  // those under way came to their end
  const auto left = [&] {
    return kTenants - document(dir, {"runs", id}, 0)["run"]["summary"].value("applied", 0);
  };
  const int left_then = left();
  REQUIRE(left_then >= 3);
  int most = 0;
  wait_until([&] {
    most = std::max(most, at_work());
    return most > 0 && left() <= left_then - 2;
  });
  CHECK(most == 1);
  REQUIRE(dir.run({"throttle", "--concurrency", "8"}).status == 0);
  CHECK(child.wait() == 0);
  CHECK(left() == 0);
}

TEST_CASE("a gate's command that hangs or prints without end pauses the run", "[cli]") {
  struct Case {
    std::string argv;
    int status;
    std::string message;
  };
  const std::vector<Case> cases = {
      {"sleep, '1000'", 8, "cannot tell: command 'sleep' did not end within 400 ms\n"},
      {"yes, we are", 8, "cannot tell: command 'yes' did not end within 400 ms: we are\n"},
      {"./not_there", 8, "cannot tell: command './not_there'"},
      {"sh, -c, kill -9 $$", 4, "failed: command 'sh' was killed by signal 9\n"}};
  for (const Case& bad : cases) {
    const ProgramDir dir;
    write_rollout(dir,
                  3,
                  {"name: canary, select: {ids: [a]}, gate: {command: {argv: [" + bad.argv +
                       "], deadline: 400ms}}",
                   "name: rest"});
    const ProgramResult result = dir.run({"upgrade", "--yes"});
    CAPTURE(bad.argv, result.out);
    CHECK(result.status == bad.status);
    CHECK(result.out.find("the gate of stage 'canary' " + bad.message) != std::string::npos);
    CHECK(!is_untouched(dir, "a"));
    CHECK(is_untouched(dir, "b"));
    CHECK(is_untouched(dir, "c"));
  }
}
TEST_CASE("stages that have changed begin a new run, and are not those of an old one", "[cli]") {
  const ProgramDir dir;
  const auto write = [&](int files, const std::string& canary) {
    write_rollout(
        dir,
        files,
        {"name: canary, select: {ids: [" + canary + "]}, gate: {command: {argv: [sh, gate.sh]}}",
         "name: rest"});
  };
  dir.files().write("gate.sh", "exit 2\n");
  write(4, "a");
  const json first = document(dir, {"upgrade", "--yes"}, 8);
  write(0, "b");  // those that are there
  const ProgramResult other = dir.run({"resume"});
  CHECK(other.status == 7);
  CHECK(other.err.find("the rollout of the configuration is not the one that the plan was made "
                       "for") != std::string::npos);
  CHECK(document(dir, {"runs"}, 0)["runs"][0]["state"] == "paused");

  const json second = document(dir, {"upgrade", "--yes"}, 8);
  CHECK(second["run"] != first["run"]);
  CHECK(outcomes(second) == "a current, b applied, c not_started, d not_started");
  CHECK(document(dir, {"runs", first["run"]}, 0)["run"]["state"] == "abandoned");
  dir.files().write("gate.sh", "exit 0\n");
  CHECK(outcomes(document(dir, {"resume"}, 0)) == "a current, b applied, c applied, d applied");
}

TEST_CASE("a run that began without stages does not go on when there are some", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 12, "");
  write_settings(dir, "sqlite: fleet/*.db", "    auto_migrate: true\n");
  ask_file(dir, "a", "CREATE TABLE two (y);");
  ask_file(dir, "b", "CREATE TABLE two (y);");
  REQUIRE(dir.run({"upgrade", "--yes", "--in-flight", "1"}).status == 4);
  const bool left = is_untouched(dir, "l");
  write_rollout(dir, 0, {"name: canary, select: {ids: [a]}", "name: rest"});
  const json staged = document(dir, {"upgrade", "--yes"}, 4);
  CHECK(staged["summary"]["failed"] == 1);  // a, the canary
  CHECK(staged["summary"]["not_started"] == 11);
  CHECK(is_untouched(dir, "l") == left);
}

TEST_CASE("a plan file that was cut short or edited is never applied", "[cli]") {
  const ProgramDir dir;
  write_rollout(dir, 3, {"name: canary, select: {ids: [b]}", "name: rest"});
  REQUIRE(dir.run({"plan", "--out", "plan.json"}).status == 0);
  const std::string text = dir.files().read("plan.json");
  const auto apply = [&](const std::string& changed) {
    dir.files().write("plan.json", changed);
    return dir.run(kApply);
  };
  for (std::size_t size = 0; size < text.size(); size += 97) {
    CAPTURE(size);
    CHECK(apply(text.substr(0, size)).status == 2);
  }
  const ProgramResult no_end = apply(text.substr(0, text.size() - 1));
  CHECK(no_end.status == 2);
  CHECK(no_end.err.find("plan.json:") != std::string::npos);
  CHECK(no_end.err.find("the text is cut short: it does not end with a line break") !=
        std::string::npos);
  for (std::size_t at = 0; at < text.size(); at += 13) {
    std::string edited = text;
    edited[at] = edited[at] == '7' ? '8' : '7';
    CAPTURE(at, text.substr(at, 20));
    const int status = apply(edited).status;
    CHECK((status == 2 || status == 7));
  }
  std::string earlier = text;
  earlier.replace(earlier.find("\"wave\": 1"), 9, "\"wave\": 0");
  const ProgramResult moved = apply(earlier);
  INFO(moved.err);
  CHECK((moved.status == 2 || moved.status == 7));
  for (const std::string tenant : {"a", "b", "c"}) {
    CHECK(is_untouched(dir, tenant));
  }
  CHECK(apply(text).status == 0);
}

TEST_CASE("a rollout that makes no sense is refused with its place, and touches nobody", "[cli]") {
  struct Case {
    std::string stage;
    std::string message;
  };
  const std::vector<Case> cases = {
      {"name: a, select: {percent: 101}", "stages[0].select.percent is"},
      {"name: a, select: {percent: 1}",
       "stage 'a' (1 percent) selects none of the 3 tenants that are left for it"},
      {"name: a, select: {}", "stages[0].select selects nothing"},
      {"name: a, select: {precent: 5}", "Did you mean 'percent'?"},
      {"name: a, select: {ids: [nobody]}",
       "stage 'a' selects tenant 'nobody', which is not in the fleet"},
      {"name: a, select: {count: 1}, window: {days: mon, from: '10:00', to: '10:00', zone: UTC}",
       "window.to is the same as from"},
      {"name: a, select: {count: 1}, window: {days: [], from: '10:00', to: '11:00', zone: UTC}",
       "days"},
      {"name: a, select: {count: 1}, window: {days: mon, from: '10:00', to: '10:04', zone: UTC}",
       "the window of stage 'a' is open for 4 min, and nothing starts in its last 5 min"},
      {"name: a, select: {count: 1}, gate: {}", "stages[0].gate is empty"},
      {"name: a, select: {count: 0}", "stages[0].select.count is"}};
  for (const Case& wrong : cases) {
    const ProgramDir dir;
    write_rollout(dir, 3, {wrong.stage, "name: rest"});
    for (const std::string verb : {"upgrade", "plan"}) {
      const ProgramResult refused = dir.run({verb, "--yes"});
      CAPTURE(wrong.stage, verb, refused.err);
      CHECK(refused.status == 2);
      CHECK(refused.err.find("drover.yaml:") != std::string::npos);
      CHECK(refused.err.find(wrong.message) != std::string::npos);
    }
    for (const std::string tenant : {"a", "b", "c"}) {
      CHECK(is_untouched(dir, tenant));
    }
  }
}

TEST_CASE("percentages of more than the whole fleet are refused", "[cli]") {
  const ProgramDir dir;
  write_rollout(
      dir,
      3,
      {"name: one, select: {percent: 60}", "name: two, select: {percent: 41}", "name: rest"});
  const ProgramResult refused = dir.run({"upgrade", "--yes"});
  CHECK(refused.status == 2);
  CHECK(
      refused.err.find("environments.test.rollout.stages[1] ('two') brings the stages to 101 "
                       "percent of the fleet\nhint:  Let the percentages add up to 100 at most.") !=
      std::string::npos);
  CHECK(is_untouched(dir, "a"));
}

// Hooks as an operator has them: programs around the tenants, the stages and the whole of a run.
// The log that the programs write is asked, and the databases.

#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/orchestrator/cli/fleet_dir.h"
#include "tests/orchestrator/cli/program_child.h"

using drover::test::ProgramChild;
using drover::test::ProgramDir;
using drover::test::ProgramResult;
using namespace drover::test::fleet;  // NOLINT(google-build-using-namespace): tests only

namespace {

constexpr const char* kWithoutStages =
    "      - {on: [run_start, before_tenant, after_tenant, failure, halt, run_end], command: "
    "[./note.sh]}\n";
constexpr const char* kEveryEvent =
    "      - {on: [run_start, stage_start, stage_end, before_tenant, after_tenant, failure, halt, "
    "run_end], command: [./note.sh]}\n";

/// Writes a line for each call; fails where a file says so: fail.EVENT holds a stage or a tenant.
constexpr const char* kNote = R"sh(#!/bin/sh
about=${DROVER_TENANT:-$DROVER_STAGE}
echo "$DROVER_EVENT${about:+ $about}${DROVER_OUTCOME:+ $DROVER_OUTCOME}${DROVER_EXIT_STATUS:+ $DROVER_EXIT_STATUS}" >>log
cat >"stdin.$DROVER_EVENT"
if [ "$(cat "fail.$DROVER_EVENT" 2>/dev/null)" = "$about" ] && [ -e "fail.$DROVER_EVENT" ]; then
  echo "$about says no" >&2
  exit 1
fi
)sh";

void write_program(const ProgramDir& dir, const std::string& name, const std::string& text) {
  dir.files().write(name, text);
  fs::permissions(dir.files() / name, fs::perms::owner_all);
}

/// Files a, b, ... without a rollout, or in the stages 'canary' (a) and 'rest'.
void write_fleet(const ProgramDir& dir, int files, const std::string& hooks, bool staged) {
  write_program(dir, "note.sh", kNote);
  const std::string more = "    limits: {in_flight: 1}\n    hooks:\n" + hooks;
  if (staged) {
    write_rollout(dir, files, {"name: canary, select: {ids: [a]}", "name: rest"}, "", more);
  } else {
    write_files(dir, files, "");
    write_settings(dir, "sqlite: fleet/*.db", "    auto_migrate: true\n" + more);
  }
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

std::vector<std::string> log_of(const ProgramDir& dir) {
  return fs::exists(dir.files() / "log") ? lines_of(dir.files().read("log"))
                                         : std::vector<std::string>();
}

void forget_log(const ProgramDir& dir) {
  fs::remove(dir.files() / "log");
}

json upgrade(const ProgramDir& dir, int status) {
  return document(dir, {"upgrade", "--yes"}, status);
}

const json& tenant_of(const json& answer, const std::string& id) {
  const json& tenants = answer["tenants"];
  const auto found = std::find_if(
      tenants.begin(), tenants.end(), [&](const json& tenant) { return tenant["id"] == id; });
  REQUIRE(found != tenants.end());
  return *found;
}

std::string tables_of(const ProgramDir& dir, const std::string& tenant) {
  return ask_file(
      dir, tenant, "SELECT count(*) FROM sqlite_master WHERE name IN ('one', 'two', 'three');");
}

}  // namespace

TEST_CASE("every event calls its hooks, in order", "[cli]") {
  const ProgramDir dir;
  write_fleet(dir, 2, kEveryEvent, true);
  upgrade(dir, 0);
  CHECK(log_of(dir) == Words{"run_start",
                             "stage_start canary",
                             "before_tenant a",
                             "after_tenant a applied",
                             "stage_end canary",
                             "stage_start rest",
                             "before_tenant b",
                             "after_tenant b applied",
                             "stage_end rest",
                             "run_end 0"});
  const json told = json::parse(dir.files().read("stdin.after_tenant"));
  CHECK(told["tenant"]["id"] == "b");
  CHECK(told["stage"] == "rest");
  CHECK(told["tenant"]["file"] == fs::canonical(dir.files() / "fleet/b.db").string());
  CHECK(told["to"] == json({"0003"}));
  CHECK(json::parse(dir.files().read("stdin.run_end"))["summary"]["applied"] == 2);
}

TEST_CASE("what only looks calls no hooks", "[cli]") {
  const ProgramDir dir;
  write_fleet(dir, 2, kEveryEvent, true);
  dir.run({"plan"});
  dir.run({"upgrade", "--dry-run"});
  dir.run({"upgrade", "--dry-run=rollback"});
  dir.run({"status"});
  CHECK(log_of(dir).empty());
}

TEST_CASE("a downgrade, a rollback and a run with nothing to do call hooks too", "[cli]") {
  const ProgramDir dir;
  write_fleet(dir, 1, kWithoutStages, false);
  upgrade(dir, 0);
  CHECK(log_of(dir) ==
        Words{"run_start", "before_tenant a", "after_tenant a applied", "run_end 0"});
  forget_log(dir);
  document(dir, {"downgrade", "0001", "--yes"}, 0);
  CHECK(log_of(dir) ==
        Words{"run_start", "before_tenant a", "after_tenant a applied", "run_end 0"});
  forget_log(dir);
  upgrade(dir, 0);
  const std::string run = document(dir, {"runs"}, 0)["runs"][0]["run"];
  forget_log(dir);
  document(dir, {"rollback", run, "--yes"}, 0);
  CHECK(log_of(dir) ==
        Words{"run_start", "before_tenant a", "after_tenant a applied", "run_end 0"});
  CHECK(json::parse(dir.files().read("stdin.run_start"))["verb"] == "rollback");
}

TEST_CASE("a run whose start is refused touches nobody", "[cli]") {
  const ProgramDir dir;
  write_fleet(dir, 2, kWithoutStages, false);
  dir.files().write("fail.run_start", "");
  const json halted = upgrade(dir, 4);
  CHECK(outcomes(halted) == "a not_started, b not_started");
  CHECK(halted["halt"]["kind"] == "hook_failed");
  CHECK(halted["halt"]["message"] == "run_start hook './note.sh' exited with status 1: says no");
  CHECK(log_of(dir) == Words{"run_start", "halt", "run_end 4"});
  CHECK(tables_of(dir, "a") == "0\n");

  fs::remove(dir.files() / "fail.run_start");
  forget_log(dir);
  CHECK(outcomes(document(dir, {"resume"}, 0)) == "a applied, b applied");
  CHECK(log_of(dir).front() == "run_start");
  CHECK(json::parse(dir.files().read("stdin.run_start"))["resumed"] == true);
}

TEST_CASE("a stage whose start is refused begins when the run goes on", "[cli]") {
  const ProgramDir dir;
  write_fleet(dir, 3, kEveryEvent, true);
  dir.files().write("fail.stage_start", "rest");
  const json halted = upgrade(dir, 4);
  CHECK(outcomes(halted) == "a applied, b not_started, c not_started");
  CHECK(halted["halt"]["message"] ==
        "stage_start hook './note.sh' exited with status 1: rest says no");
  CHECK(tables_of(dir, "b") == "0\n");

  fs::remove(dir.files() / "fail.stage_start");
  forget_log(dir);
  CHECK(outcomes(document(dir, {"resume"}, 0)) == "a applied, b applied, c applied");
  CHECK(log_of(dir) == Words{"run_start",
                             "stage_start rest",
                             "before_tenant b",
                             "after_tenant b applied",
                             "before_tenant c",
                             "after_tenant c applied",
                             "stage_end rest",
                             "run_end 0"});
}

TEST_CASE("a stage whose end is refused has not passed, and is asked again", "[cli]") {
  const ProgramDir dir;
  write_fleet(dir, 2, kEveryEvent, true);
  const std::string stage = GENERATE(as<std::string>{}, "canary", "rest");
  dir.files().write("fail.stage_end", stage);
  CHECK(outcomes(upgrade(dir, 4)) ==
        (stage == "canary" ? "a applied, b not_started" : "a applied, b applied"));
  fs::remove(dir.files() / "fail.stage_end");
  forget_log(dir);
  CHECK(outcomes(document(dir, {"resume"}, 0)) == "a applied, b applied");
  const std::vector<std::string> log = log_of(dir);
  CHECK(std::count(log.begin(), log.end(), "stage_end " + stage) == 1);
  CHECK(log.back() == "run_end 0");
}

TEST_CASE("a tenant that cannot be drained is left alone and given back", "[cli]") {
  const ProgramDir dir;
  write_fleet(dir, 3, kWithoutStages, false);
  dir.files().write("fail.before_tenant", "b");
  const json answer = upgrade(dir, 3);
  CHECK(outcomes(answer) == "a applied, b failed, c applied");
  const json& b = tenant_of(answer, "b");
  CHECK(b["reason"] == "hook");
  CHECK(b["error"]["kind"] == "hook_failed");
  CHECK(b["error"]["message"] == "before_tenant hook './note.sh' exited with status 1: b says no");
  CHECK(tables_of(dir, "b") == "0\n");
  const std::vector<std::string> log = log_of(dir);
  CHECK(std::count(log.begin(), log.end(), "after_tenant b failed") == 1);
  CHECK(std::count(log.begin(), log.end(), "failure b failed") == 1);

  fs::remove(dir.files() / "fail.before_tenant");
  CHECK(outcomes(document(dir, {"retry", "--failed"}, 0)) == "a applied, b applied, c applied");
}

TEST_CASE("a tenant that cannot be given back has failed, and is where it should be", "[cli]") {
  const ProgramDir dir;
  write_fleet(dir, 2, kWithoutStages, false);
  dir.files().write("fail.after_tenant", "a");
  const json answer = upgrade(dir, 3);
  CHECK(outcomes(answer) == "a failed, b applied");
  CHECK(tenant_of(answer, "a")["reason"] == "hook");
  CHECK(tenant_of(answer, "a")["to"] == json({"0003"}));
  CHECK(tables_of(dir, "a") == "3\n");
}

TEST_CASE("a migration that fails is given back and told", "[cli]") {
  const ProgramDir dir;
  write_fleet(dir, 2, kWithoutStages, false);
  ask_file(dir, "a", "CREATE TABLE two (y);");
  CHECK(outcomes(upgrade(dir, 3)) == "a failed, b applied");
  const std::vector<std::string> log = log_of(dir);
  CHECK(std::count(log.begin(), log.end(), "after_tenant a failed") == 1);
  CHECK(std::count(log.begin(), log.end(), "failure a failed") == 1);
  CHECK(log.back() == "run_end 3");
}

TEST_CASE("hooks that only warn change nothing but what is told", "[cli]") {
  const ProgramDir dir;
  write_fleet(
      dir,
      2,
      "      - {on: [run_start, before_tenant, after_tenant, run_end], command: [./bad.sh], "
      "on_error: warn}\n",
      false);
  write_program(dir, "bad.sh", "#!/bin/sh\necho oops >&2\nexit 9\n");
  const ProgramResult result = dir.run({"upgrade", "--yes"});
  CHECK(result.status == 0);
  CHECK(result.err.find("run_start hook './bad.sh' exited with status 9: oops\n") !=
        std::string::npos);
  CHECK(result.err.find("tenant 'a': before_tenant hook './bad.sh' exited with status 9: oops\n") !=
        std::string::npos);
  CHECK(tables_of(dir, "b") == "3\n");
}

TEST_CASE("a run whose last hook fails is not done, where that is wanted", "[cli]") {
  const ProgramDir dir;
  write_fleet(dir, 1, "      - {on: run_end, command: [./none.sh], on_error: fail}\n", false);
  CHECK(outcomes(upgrade(dir, 3)) == "a applied");
  CHECK(document(dir, {"runs"}, 0)["runs"][0]["exit_status"] == 3);
}

TEST_CASE("several hooks of an event are called in order, until one fails", "[cli]") {
  const ProgramDir dir;
  write_fleet(dir,
              2,
              "      - {on: before_tenant, command: [./say.sh, one]}\n"
              "      - {on: before_tenant, command: [./say.sh, two], stages: [rest]}\n"
              "      - {on: before_tenant, command: [./say.sh, three]}\n"
              "      - {on: after_tenant, command: [./say.sh, four]}\n"
              "      - {on: after_tenant, command: [./say.sh, five]}\n",
              true);
  write_program(dir, "say.sh", "#!/bin/sh\necho \"$DROVER_TENANT $1\" >>log\n[ \"$1\" != two ]\n");
  upgrade(dir, 3);
  CHECK(log_of(dir) ==
        Words{"a one", "a three", "a four", "a five", "b one", "b two", "b four", "b five"});
}

TEST_CASE("what hooks wrote is kept, and shown in full on request", "[cli]") {
  const ProgramDir dir;
  write_fleet(dir, 1, "      - {on: before_tenant, command: [./talk.sh]}\n", false);
  write_program(dir, "talk.sh", "#!/bin/sh\necho first\necho second >&2\n");
  upgrade(dir, 0);
  const std::string run = document(dir, {"runs"}, 0)["runs"][0]["run"];
  const std::string line = "hook a  before_tenant hook './talk.sh' exited with status 0\n";
  const std::string shown = dir.run({"runs", run}).out;
  CHECK(shown.find(line) != std::string::npos);
  CHECK(shown.find("second") == std::string::npos);
  CHECK(dir.run({"runs", run, "-v"}).out.find(line + "    first\n    second\n") !=
        std::string::npos);
}

TEST_CASE("a hook that hangs costs its deadline, and one that floods costs nothing", "[cli]") {
  const ProgramDir dir;
  write_fleet(dir,
              1,
              "      - {on: run_start, command: [sh, -c, \"head -c 300000000 /dev/zero\"]}\n"
              "      - {on: before_tenant, command: [sh, -c, \"trap '' TERM; sleep 60 & wait; "
              "sleep 60\"], deadline: 200ms}\n",
              false);
  const json answer = upgrade(dir, 3);
  CHECK(tenant_of(answer, "a")["error"]["message"] ==
        "before_tenant hook 'sh' did not end within 200 ms");
  CHECK(fs::file_size(dir.files() / "runs.db") < 2'000'000);
}

TEST_CASE("an interrupted run gives its tenants back and tells its end", "[cli]") {
  const ProgramDir dir;
  write_fleet(dir,
              3,
              "      - {on: before_tenant, command: [./slow.sh]}\n"
              "      - {on: [after_tenant, halt, run_end], command: [./note.sh]}\n",
              false);
  write_program(dir, "slow.sh", "#!/bin/sh\ntouch slow\nexec sleep 60\n");
  ProgramChild run(dir, {"upgrade", "--yes"});
  wait_until([&] { return fs::exists(dir.files() / "slow"); });
  run.send(SIGTERM);
  wait_until([&] { return !log_of(dir).empty(); });  // the halt is told: the first was heard
  run.send(SIGTERM);
  CHECK(run.wait() == 143);
  const std::vector<std::string> log = log_of(dir);
  CHECK(std::count(log.begin(), log.end(), "after_tenant a failed") == 1);
  CHECK(log.back() == "run_end 143");
  CHECK(tables_of(dir, "a") == "0\n");
  fs::remove(dir.files() / "slow.sh");
  write_program(dir, "slow.sh", "#!/bin/sh\n");
  CHECK(outcomes(document(dir, {"resume"}, 0)) == "a applied, b applied, c applied");
}

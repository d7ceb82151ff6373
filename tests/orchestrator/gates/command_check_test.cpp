#include "orchestrator/gates/command_check.h"

#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <catch2/catch.hpp>

#include "tests/support/temp_dir.h"

using namespace std::chrono_literals;
using drover::engine::Patience;
using drover::orchestrator::Answer;
using drover::orchestrator::CheckResult;
using drover::orchestrator::CommandProbe;
using drover::orchestrator::gates::ask_command;
using drover::orchestrator::gates::CommandFacts;

namespace fs = std::filesystem;

namespace {

/// A folder with check.sh, which plays the program.
struct Script {
  drover::test::TempDir folder;
  CommandProbe probe;
  CommandFacts facts;

  explicit Script(const std::string& text) {
    const fs::path file = folder.path() / "check.sh";
    std::ofstream(file) << "#!/bin/sh\n" << text << "\n";
    fs::permissions(file, fs::perms::owner_all);
    probe.argv = {"./check.sh"};
    facts.directory = folder.path();
  }

  CheckResult ask(const Patience& patience = {}) const {
    return ask_command(probe, facts, patience);
  }
};

/// A process that has ended but is not reaped by its new parent is gone as well.
bool is_gone(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/stat");
  std::string number;
  std::string name;
  std::string state;
  status >> number >> name >> state;
  return state.empty() || state == "Z";
}

/// Waits until the process is gone; a test that waits in vain fails by its time limit of 10 s.
bool goes_away(pid_t pid) {
  const auto until = std::chrono::steady_clock::now() + 10s;
  while (!is_gone(pid) && std::chrono::steady_clock::now() < until) {
    std::this_thread::yield();
  }
  return is_gone(pid);
}

}  // namespace

TEST_CASE("exit status 0 passes, 2 says nothing, and every other one fails") {
  const CheckResult pass = Script("exit 0").ask();
  CHECK(pass.answer == Answer::pass);
  CHECK(pass.text == "command './check.sh' exited with status 0");
  const CheckResult unsure = Script("echo no replica; exit 2").ask();
  CHECK(unsure.answer == Answer::inconclusive);
  CHECK(unsure.text == "command './check.sh' exited with status 2: no replica");
  const CheckResult fail = Script("echo replication lag is 40 s; echo more; exit 1").ask();
  CHECK(fail.answer == Answer::fail);
  CHECK(fail.text == "command './check.sh' exited with status 1: replication lag is 40 s");
  CHECK(Script("exit 3").ask().answer == Answer::fail);
  CHECK(Script("exit 255").ask().answer == Answer::fail);
}

TEST_CASE("a program that dies by a signal failed") {
  const CheckResult result = Script("kill -SEGV $$").ask();
  CHECK(result.answer == Answer::fail);
  CHECK(result.text == "command './check.sh' was killed by signal 11");
}

TEST_CASE("errors speak where there is no output") {
  CHECK(Script("echo 'cannot connect.' >&2; exit 1").ask().text ==
        "command './check.sh' exited with status 1: cannot connect");
  CHECK(Script("echo out; echo err >&2; exit 1").ask().text ==
        "command './check.sh' exited with status 1: out");
}

TEST_CASE("output cannot command the terminal") {
  CHECK(Script("printf '\\033]0;owned\\007red\\n'; exit 1").ask().text ==
        "command './check.sh' exited with status 1: ]0;owned red");
}

TEST_CASE("a program sees what it is told and runs where it is told") {
  Script script("echo \"$DROVER_RUN $DROVER_STAGE $1\"; ls");
  script.facts.variables = {{"DROVER_RUN", "r1"}, {"DROVER_STAGE", "canary"}};
  script.probe.argv.push_back("a $(id)");
  CHECK(script.ask().text == "command './check.sh' exited with status 0: r1 canary a $(id)");
}

TEST_CASE("a program that does not end in time says nothing, and takes its children along") {
  Script script("sleep 600 & echo $!; sleep 600");
  script.probe.deadline = 300ms;
  const auto started = std::chrono::steady_clock::now();
  const CheckResult result = script.ask();
  CHECK(std::chrono::steady_clock::now() - started < 10s);
  CHECK(result.answer == Answer::inconclusive);
  const std::string expected = "command './check.sh' did not end within 300 ms: ";
  REQUIRE(result.text.substr(0, expected.size()) == expected);
  CHECK(goes_away(static_cast<pid_t>(std::stol(result.text.substr(expected.size())))));
}

TEST_CASE("patience that ends before the probe's deadline counts") {
  Patience patience;
  patience.deadline = std::chrono::steady_clock::now() - 1s;
  const CheckResult result = Script("sleep 600").ask(patience);
  CHECK(result.answer == Answer::inconclusive);
  CHECK(result.text == "command './check.sh' did not end within 0 ms");
}

TEST_CASE("children that a program leaves behind do not hold up its answer") {
  const auto started = std::chrono::steady_clock::now();
  const CheckResult result = Script("sleep 600 & echo done; exit 0").ask();
  CHECK(std::chrono::steady_clock::now() - started < 10s);
  CHECK(result.answer == Answer::pass);
  CHECK(result.text == "command './check.sh' exited with status 0: done");
}

TEST_CASE("a gigabyte of output is read and thrown away") {
  const CheckResult result = Script("head -c 1000000000 /dev/zero | tr '\\0' x; exit 1").ask();
  CHECK(result.answer == Answer::fail);
  CHECK(result.text ==
        "command './check.sh' exited with status 1: " + std::string(199, 'x') + "\xE2\x80\xA6");
}

TEST_CASE("a stopped check says nothing") {
  std::stop_source stop;
  stop.request_stop();
  const CheckResult result = Script("sleep 600").ask({.stop = stop.get_token()});
  CHECK(result.answer == Answer::inconclusive);
  CHECK(result.text == "command './check.sh' was stopped");
}

TEST_CASE("a program that cannot be started says nothing") {
  CommandProbe probe{.argv = {"/nonexistent/check.sh"}};
  const CheckResult missing = ask_command(probe, {}, {});
  CHECK(missing.answer == Answer::inconclusive);
  CHECK(missing.text ==
        "command '/nonexistent/check.sh' cannot be started: No such file or directory");
  probe.argv.clear();
  const CheckResult none = ask_command(probe, {}, {});
  CHECK(none.answer == Answer::inconclusive);
  CHECK(none.text == "a command names no program");
}

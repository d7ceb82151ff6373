// Hooks that do what programs do: fail, hang, talk too much, leave children behind.

#include "orchestrator/hooks/hook_call.h"

#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <catch2/catch.hpp>

#include "tests/support/temp_dir.h"

using namespace drover::orchestrator;
using namespace std::chrono_literals;
using drover::engine::Patience;
using drover::engine::SteadyTime;
using drover::orchestrator::hooks::call_hook;
using drover::orchestrator::hooks::HookEnd;
using drover::orchestrator::hooks::kMostOutput;

namespace fs = std::filesystem;

namespace {

/// A folder with hook.sh, which plays the program of a before_tenant hook.
struct Script {
  drover::test::TempDir folder;
  HookOptions hook;
  HookFacts facts;
  Tenant tenant;

  explicit Script(const std::string& text) {
    const fs::path file = folder.path() / "hook.sh";
    std::ofstream(file) << "#!/bin/sh\n" << text << "\n";
    fs::permissions(file, fs::perms::owner_all);
    hook.command = {"./hook.sh", "one two"};
    hook.deadline = 30s;
    tenant.id = {"acme"};
    facts.event = HookEvent::before_tenant;
    facts.run = "r1";
    facts.tenant = &tenant;
  }

  HookEnd call(const Patience& patience = {}) const {
    return call_hook(hook, facts, folder.path(), patience);
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

bool goes_away(pid_t pid) {
  const auto until = std::chrono::steady_clock::now() + 10s;
  while (!is_gone(pid) && std::chrono::steady_clock::now() < until) {
    std::this_thread::yield();
  }
  return is_gone(pid);
}

}  // namespace

TEST_CASE("a hook runs in its folder, without a shell, with the facts in both places") {
  const Script script(
      R"(cat >input; echo "$1|$DROVER_TENANT|$DROVER_RUN|$PWD|${PGPASSWORD-none}")");
  const HookEnd end = script.call();
  CHECK(end.succeeded);
  CHECK(end.text == "before_tenant hook './hook.sh' exited with status 0");
  CHECK(end.output ==
        "one two|acme|r1|" + fs::canonical(script.folder.path()).string() + "|none\n");
  CHECK(
      script.folder.read("input").starts_with(R"({"format":1,"event":"before_tenant","run":"r1")"));
}

TEST_CASE("a hook need not read what it is told") {
  CHECK(Script("exec <&-; exit 0").call().succeeded);
}

TEST_CASE("a hook that fails is told with its status and its first complaint") {
  const HookEnd end = Script("echo talk; echo 'no such node.' >&2; echo more >&2; exit 7").call();
  CHECK_FALSE(end.succeeded);
  CHECK(end.text == "before_tenant hook './hook.sh' exited with status 7: no such node");
  CHECK(end.output == "talk\nno such node.\nmore\n");
  CHECK(Script("echo talk; exit 1").call().text ==
        "before_tenant hook './hook.sh' exited with status 1: talk");
}

TEST_CASE("a hook that is not there, or no program, is an end as well") {
  Script script("");
  script.hook.command = {"./none.sh"};
  const HookEnd none = script.call();
  CHECK_FALSE(none.succeeded);
  CHECK(none.text.starts_with("before_tenant hook: "));
  CHECK(none.text.find("./none.sh") != std::string::npos);
  script.folder.write("plain", "just text");
  script.hook.command = {"./plain"};
  CHECK_FALSE(script.call().succeeded);
}

TEST_CASE("a hook that hangs is ended at its deadline, also when it ignores TERM") {
  Script script("trap '' TERM; echo $$ >pid; while :; do sleep 1; done");
  script.hook.deadline = 500ms;
  const HookEnd end = script.call();
  CHECK_FALSE(end.succeeded);
  CHECK(end.text == "before_tenant hook './hook.sh' did not end within 500 ms");
  CHECK(goes_away(std::stoi(script.folder.read("pid"))));
}

TEST_CASE("what a hook leaves behind ends with it") {
  const Script script("sleep 600 & echo $! >pid; exit 0");
  CHECK(script.call().succeeded);
  CHECK(goes_away(std::stoi(script.folder.read("pid"))));
}

TEST_CASE("a hook that writes a gigabyte is heard to its end and kept as far as the cap") {
  const HookEnd end = Script("head -c 1073741824 /dev/zero | tr '\\0' x; echo last >&2").call();
  CHECK(end.succeeded);
  CHECK(end.output.size() == kMostOutput);
  CHECK(end.output.ends_with("xlast\n"));
}

TEST_CASE("complaints have their half of what is kept, and no more when both are long") {
  const HookEnd end =
      Script("head -c 100000 /dev/zero | tr '\\0' o; head -c 100000 /dev/zero | tr '\\0' e >&2")
          .call();
  CHECK(end.output == std::string(kMostOutput / 2, 'o') + std::string(kMostOutput / 2, 'e'));
  const HookEnd quiet = Script("echo out; head -c 100000 /dev/zero | tr '\\0' e >&2").call();
  CHECK(quiet.output == "out\n" + std::string(kMostOutput - 4, 'e'));
}

TEST_CASE("a hook is stopped when nobody waits for it any more") {
  const Script script("echo $$ >pid; exec sleep 600");
  std::stop_source stop;
  const std::jthread stopper([&] {
    while (!fs::exists(script.folder / "pid")) {
      std::this_thread::yield();
    }
    stop.request_stop();
  });
  const HookEnd end = script.call({SteadyTime::max(), stop.get_token()});
  CHECK_FALSE(end.succeeded);
  CHECK(end.text == "before_tenant hook './hook.sh' was stopped");
}

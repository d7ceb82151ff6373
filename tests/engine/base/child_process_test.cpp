#include "engine/base/child_process.h"

#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "engine/error.h"

using namespace std::chrono_literals;
using drover::Error;
using drover::engine::base::ChildRequest;
using drover::engine::base::ChildResult;
using drover::engine::base::clean_environment;
using drover::engine::base::describe;
using drover::engine::base::run_child;
using End = ChildResult::End;

namespace {

/// A child that a shell script plays. The shell is the program here, not how it is started.
ChildRequest script(const std::string& text) {
  ChildRequest request;
  request.argv = {"/bin/sh", "-c", text};
  return request;
}

std::string error_of(const ChildRequest& request) {
  try {
    run_child(request);
  } catch (const Error& error) {
    return error.kind_name() + ": " + error.what();
  }
  return "started";
}

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

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* const folder = ::opendir("/proc/self/fd");
  while (::readdir(folder) != nullptr) {
    ++count;
  }
  ::closedir(folder);
  return count;
}

}  // namespace

TEST_CASE("a child's output, errors and exit status come back") {
  const ChildRequest request = script("echo out; echo err >&2; exit 3");
  const ChildResult result = run_child(request);
  CHECK(result.end == End::exited);
  CHECK(result.status == 3);
  CHECK_FALSE(result.succeeded());
  CHECK(result.output == "out\n");
  CHECK(result.errors == "err\n");
  CHECK_FALSE(result.truncated);
  CHECK(describe(result, request) == "exited with status 3");
}

TEST_CASE("arguments reach the program as they are, whatever they hold") {
  ChildRequest request;
  request.argv = {"/usr/bin/printf", "%s|", "a b", "$(id)", "'; rm -rf /", "", "\xC3\xA9\n"};
  CHECK(run_child(request).output == "a b|$(id)|'; rm -rf /||\xC3\xA9\n|");
}

TEST_CASE("a program without a slash is looked up in PATH") {
  ChildRequest request;
  request.argv = {"printf", "found"};
  CHECK(run_child(request).output == "found");
}

TEST_CASE("a child that a signal ends says so") {
  const ChildRequest request = script("kill -9 $$");
  const ChildResult result = run_child(request);
  CHECK(result.end == End::signalled);
  CHECK(result.status == SIGKILL);
  CHECK(describe(result, request) == "was killed by signal 9");
}

TEST_CASE("a program that does not exist is an error, not an exit status") {
  ChildRequest request;
  request.argv = {"/nonexistent/program"};
  CHECK(error_of(request) ==
        "command_not_started: command '/nonexistent/program' cannot be started: No such file or "
        "directory");
  request.argv = {"no-such-program-anywhere"};
  CHECK(error_of(request) ==
        "command_not_started: command 'no-such-program-anywhere' cannot be started: it is not in "
        "PATH");
  request.argv = {"/etc/passwd"};
  CHECK(error_of(request) ==
        "command_not_started: command '/etc/passwd' cannot be started: Permission denied");
  request.argv = {"/bin/true"};
  request.directory = "/nonexistent";
  CHECK(error_of(request) ==
        "command_not_started: command '/bin/true' cannot be started: No such file or directory");
  request.argv.clear();
  CHECK(error_of(request) == "command_not_started: a command names no program");
}

TEST_CASE("a child reads its input to the end, or nothing") {
  ChildRequest request;
  request.argv = {"cat"};
  CHECK(run_child(request).output.empty());
  request.input = std::string(1'000'000, 'x') + "end";
  request.output_limit = 2'000'000;
  CHECK(run_child(request).output == *request.input);
}

TEST_CASE("a child sees a clean environment and what it is given") {
  ::setenv("DROVER_TEST_SECRET", "open sesame", 1);
  ChildRequest request;
  request.argv = {"/usr/bin/env"};
  request.variables = {{"GIVEN", "a=b c"}, {"HOME", "/elsewhere"}};
  const std::string seen = "\n" + run_child(request).output;
  ::unsetenv("DROVER_TEST_SECRET");
  CHECK(seen.find("open sesame") == std::string::npos);
  CHECK(seen.find("\nGIVEN=a=b c\n") != std::string::npos);
  CHECK(seen.find("\nHOME=/elsewhere\n") != std::string::npos);
  CHECK(clean_environment().count("PATH") == 1);
}

TEST_CASE("a child runs where it is told to") {
  ChildRequest request = script("pwd");
  request.directory = "/usr/share";
  CHECK(run_child(request).output == "/usr/share\n");
}

TEST_CASE("a child has no file descriptor but the standard three") {
  const int kept = ::dup(STDIN_FILENO);  // without close-on-exec, as a library might
  CHECK(run_child(script("ls /proc/self/fd")).output == "0\n1\n2\n3\n");  // 3 is ls reading
  ::close(kept);
}

TEST_CASE("a child starts with default signals whatever we block and ignore") {
  struct sigaction ignore {};
  struct sigaction before {};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGTERM, &ignore, &before);
  sigset_t blocked;
  sigset_t mask;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &mask);
  const ChildResult result = run_child(script("kill -TERM $$; echo survived"));
  ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  ::sigaction(SIGTERM, &before, nullptr);
  CHECK(result.end == End::signalled);
  CHECK(result.status == SIGTERM);
}

TEST_CASE("at the deadline the child ends, with everything it started") {
  ChildRequest request = script("sleep 600 & echo $!; sleep 600");
  request.deadline = 300ms;
  const auto started = std::chrono::steady_clock::now();
  const ChildResult result = run_child(request);
  CHECK(result.end == End::timed_out);
  CHECK(describe(result, request) == "did not end within 300 ms");
  CHECK(std::chrono::steady_clock::now() - started < 5s);
  CHECK(goes_away(static_cast<pid_t>(std::stol(result.output))));
}

TEST_CASE("a child that ignores SIGTERM is killed after the grace") {
  ChildRequest request = script("trap '' TERM; echo ready; while :; do sleep 1; done");
  request.deadline = 300ms;
  request.grace = 100ms;
  const auto started = std::chrono::steady_clock::now();
  const ChildResult result = run_child(request);
  CHECK(result.end == End::timed_out);
  CHECK(result.status == SIGKILL);
  CHECK(result.output == "ready\n");
  CHECK(std::chrono::steady_clock::now() - started < 5s);
}

TEST_CASE("a child has time to clean up after SIGTERM") {
  ChildRequest request = script("trap 'echo bye; exit 0' TERM; echo ready; sleep 600 & wait");
  request.deadline = 300ms;
  request.grace = 60s;
  const ChildResult result = run_child(request);
  CHECK(result.end == End::timed_out);
  CHECK(result.output == "ready\nbye\n");
}

TEST_CASE("what a child leaves behind in its group ends with it") {
  const auto started = std::chrono::steady_clock::now();
  const ChildResult result = run_child(script("sleep 600 & echo $!"));
  CHECK(result.succeeded());
  CHECK(std::chrono::steady_clock::now() - started < 5s);
  CHECK(goes_away(static_cast<pid_t>(std::stol(result.output))));
}

TEST_CASE("a process that left the group cannot hold us up") {
  const auto started = std::chrono::steady_clock::now();
  // The script ends when the process is out of the group and holds nothing but our pipe.
  const ChildResult result = run_child(
      script("exec 3>&1; pid=$(setsid sh -c 'echo $$; exec sleep 600 >&3' &); echo $pid"));
  CHECK(result.succeeded());
  CHECK(std::chrono::steady_clock::now() - started < 5s);
  ::kill(static_cast<pid_t>(std::stol(result.output)), SIGKILL);
}

TEST_CASE("a stop ends a child at once, also one asked for before") {
  ChildRequest request = script("echo ready; sleep 600");
  request.deadline = 600s;
  std::stop_source stop;
  request.stop = stop.get_token();
  std::thread stopper([&stop] { stop.request_stop(); });
  const ChildResult result = run_child(request);
  stopper.join();
  CHECK(result.end == End::stopped);
  CHECK(describe(result, request) == "was stopped");
  CHECK(run_child(request).end == End::stopped);
}

TEST_CASE("output over the limit is dropped, and the child goes on") {
  ChildRequest request = script("yes | head -c 1000000; echo done >&2; exit 4");
  request.output_limit = 10;
  const ChildResult result = run_child(request);
  CHECK(result.output == "y\ny\ny\ny\ny\n");
  CHECK(result.truncated);
  CHECK(result.errors == "done\n");
  CHECK(result.status == 4);
}

TEST_CASE("a child that says too much is ended where more has no use") {
  ChildRequest request;
  request.argv = {"yes"};
  request.deadline = 600s;
  request.output_limit = 100'000;
  request.too_much_output = ChildRequest::TooMuchOutput::end;
  const ChildResult result = run_child(request);
  CHECK(result.end == End::too_long);
  CHECK(result.output.size() == 100'000);
  CHECK(result.truncated);
  CHECK(describe(result, request) == "wrote more than 100000 bytes");
}

TEST_CASE("output of exactly the limit is not too much") {
  ChildRequest request = script("printf 12345");
  request.output_limit = 5;
  request.too_much_output = ChildRequest::TooMuchOutput::end;
  const ChildResult result = run_child(request);
  CHECK(result.succeeded());
  CHECK(result.output == "12345");
  CHECK_FALSE(result.truncated);
}

TEST_CASE("many threads run children at once and leave nothing open") {
  run_child(script("true"));
  const std::size_t before = open_descriptors();
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&right, i] {
      for (int n = 0; n < 5; ++n) {
        ChildRequest request;
        request.argv = {"cat"};
        request.input = std::to_string(i);
        right += run_child(request).output == request.input ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(right == 40);
  CHECK(open_descriptors() == before);
}

TEST_CASE("output can be taken piece by piece, however much it is") {
  std::size_t bytes = 0;
  ChildRequest request;
  request.argv = {"head", "-c", "50000000", "/dev/zero"};
  request.on_output = [&](std::string_view piece) { bytes += piece.size(); };
  const ChildResult result = run_child(request);
  CHECK(result.succeeded());
  CHECK(bytes == 50'000'000);
  CHECK(result.output.empty());
  CHECK_FALSE(result.truncated);
}

TEST_CASE("what takes the output may end it by throwing") {
  ChildRequest request;
  request.argv = {"yes"};
  request.on_output = [](std::string_view) { throw std::runtime_error("enough"); };
  CHECK_THROWS_WITH(run_child(request), "enough");
}

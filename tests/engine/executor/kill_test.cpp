// kill -9 at random moments of an upgrade, again and again: in the end everything was done once.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <chrono>
#include <random>
#include <thread>

#include "tests/engine/executor/rig.h"

namespace drover::engine::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRevisions = 30;

/// Files whose every unit writes its number into a log; some have several units, some a verify.
void write_files(const TempDir& dir, Dialect dialect) {
  const std::string name(name_of(dialect));
  for (int i = 1; i <= kRevisions; ++i) {
    std::string text =
        fmt::format("-- drover: parents {}\n", i == 1 ? "none" : fmt::format("{:04}", i - 1));
    const auto note = [&](int unit) {
      return fmt::format("INSERT INTO log VALUES ({}, {});\n", i, unit);
    };
    text += "-- drover: up\n";
    text += i == 1 ? "CREATE TABLE log (revision int, unit int);\n" : "";
    text += note(1);
    if (i % 5 == 0) {
      text +=
          fmt::format("-- drover: verify\nSELECT count(*) = 1 FROM log WHERE revision = {};\n", i);
    }
    if (i % 4 == 0) {
      text += dialect == Dialect::postgres
                  ? fmt::format(
                        "-- drover: up postgres no-transaction\nCREATE INDEX CONCURRENTLY "
                        "log_{0} ON log (revision) WHERE unit = {0};\nVACUUM log;\n",
                        i)
                  : std::string("-- drover: up sqlite no-transaction\nVACUUM;\n");
      text += "-- drover: up\n" + note(2);
    }
    text += "-- drover: down\nSELECT 1;\n";
    dir.write(fmt::format("{:04}_step.sql", i), text);
  }
}

constexpr int kNotes = kRevisions + kRevisions / 4;

/// Runs the child, and kills it after `life`; its exit status, or -1 when it was killed.
int run_child_for(const std::vector<std::string>& arguments, std::chrono::microseconds life) {
  const auto until = Clock::now() + life;
  const pid_t pid = fork();
  if (pid == 0) {
    std::vector<char*> argv;
    for (const std::string& argument : arguments) {
      argv.push_back(const_cast<char*>(argument.c_str()));
    }
    argv.push_back(nullptr);
    execv(KILL_TARGET, argv.data());
    _exit(127);
  }
  int status = 0;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (Clock::now() > until) {
      kill(pid, SIGKILL);
      waitpid(pid, &status, 0);
      break;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// Kills the child at random until it has had enough, then lets it end. How often it was killed.
int kill_until_done(const std::vector<std::string>& arguments,
                    std::mt19937& random,
                    std::chrono::microseconds longest) {
  int kills = 0;
  for (int round = 0; round < 12; ++round) {
    const auto life = std::uniform_int_distribution<std::int64_t>(1'000, longest.count())(random);
    const int status = run_child_for(arguments, std::chrono::microseconds(life));
    CHECK(status != 2);
    CHECK(status != 127);
    kills += status == -1 ? 1 : 0;
  }
  CHECK(run_child_for(arguments, std::chrono::seconds(60)) == 0);
  return kills;
}

TEST_CASE("a runner that is killed at random does each revision once, on PostgreSQL") {
  const unsigned seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const TempDir files("kill");
  write_files(files, Dialect::postgres);
  int kills = 0;
  for (int round = 0; round < 3; ++round) {
    const PgTenant tenant;
    kills += kill_until_done({"kill_target",
                              "postgres",
                              cluster().conninfo(kDatabase),
                              tenant.schema(),
                              files.path().string()},
                             random,
                             std::chrono::milliseconds(150));
    CHECK(tenant.value("SELECT count(*) || ' ' || count(DISTINCT (revision, unit)) FROM log") ==
          fmt::format("{0} {0}", kNotes));
    CHECK(
        tenant.value("SELECT count(*) || ' ' || count(DISTINCT revision) FROM drover_revisions") ==
        fmt::format("{0} {0}", kRevisions));
    CHECK(tenant.value("SELECT count(*) FROM drover_steps") == "0");
    CHECK(tenant.value("SELECT count(*) FROM pg_index WHERE indrelid = 'log'::regclass AND "
                       "indisvalid") == std::to_string(kRevisions / 4));
    CHECK(tenant.value("SELECT count(*) FROM pg_index WHERE indrelid = 'log'::regclass AND NOT "
                       "indisvalid") == "0");
  }
  INFO("killed " << kills << " times");
  CHECK(kills > 0);
}

TEST_CASE("a runner that is killed at random does each revision once, on SQLite") {
  const unsigned seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const TempDir files("kill");
  write_files(files, Dialect::sqlite);
  int kills = 0;
  for (int round = 0; round < 3; ++round) {
    const FileTenant tenant;
    kills += kill_until_done({"kill_target", "sqlite", tenant.path(), "", files.path().string()},
                             random,
                             std::chrono::milliseconds(60));
    CHECK(tenant.value("SELECT count(*) || ' ' || count(DISTINCT revision * 10 + unit) FROM log") ==
          fmt::format("{0} {0}", kNotes));
    CHECK(tenant.value("SELECT count(*) FROM drover_revisions") == std::to_string(kRevisions));
    CHECK(tenant.value("SELECT count(*) FROM drover_steps") == "0");
    CHECK(tenant.value("PRAGMA integrity_check") == "ok");
  }
  INFO("killed " << kills << " times");
  CHECK(kills > 0);
}

}  // namespace
}  // namespace drover::engine::test

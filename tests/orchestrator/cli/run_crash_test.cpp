// What is left when the program is killed in the middle of a run, and what the next one makes of
// it. The program runs as a process of its own here, because it is killed.

#include <catch2/catch.hpp>

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tests/orchestrator/cli/program_child.h"
#include "tests/orchestrator/cli/program_run.h"
#include "tests/support/pg_cluster.h"

using drover::test::PgCluster;
using drover::test::ProgramChild;
using drover::test::ProgramDir;
using drover::test::ProgramResult;
using drover::test::shared_cluster;
using nlohmann::json;

namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;
using std::chrono::milliseconds;

constexpr int kRevisions = 8;
constexpr int kKills = 10;

/// The first makes the log, and each of them writes one row into it.
void write_steps(const ProgramDir& dir) {
  for (int number = 1; number <= kRevisions; ++number) {
    const std::string parent = number == 1 ? "none" : fmt::format("{:04}", number - 1);
    dir.files().write(fmt::format("migrations/{:04}_step.sql", number),
                      fmt::format("-- drover: revision {0:04}\n-- drover: parents {1}\n"
                                  "-- drover: message Step {0}\n\n-- drover: up\n{2}"
                                  "INSERT INTO log VALUES ({0});\n\n-- drover: down\n",
                                  number,
                                  parent,
                                  number == 1 ? "CREATE TABLE log (revision integer);\n" : ""));
  }
}

void write_settings(const ProgramDir& dir, const std::string& source) {
  dir.files().write("drover.yaml",
                    "migrations: migrations\nstore: runs.db\nenvironments:\n  test:\n"
                    "    tenants:\n      - " +
                        source + "\n");
}

json document(const ProgramDir& dir, Words words) {
  words.insert(words.end(), {"-o", "json"});
  const ProgramResult result = dir.run(words);
  INFO(result.err);
  REQUIRE(result.status == 0);
  return json::parse(result.out);
}

/// Kills `command` at moments drawn from `random`; then it runs to its end.
void kill_often_then_finish(const ProgramDir& dir, const Words& command, std::mt19937& random) {
  std::uniform_int_distribution<int> early(5, 40);  // the first has something to kill for sure
  std::uniform_int_distribution<int> moment(5, 250);
  int killed = 0;
  for (int i = 0; i < kKills; ++i) {
    ProgramChild child(dir, command);
    // The moment is what is tested.
    std::this_thread::sleep_for(milliseconds(i == 0 ? early(random) : moment(random)));
    child.send(SIGKILL);
    killed += child.wait() == 128 + SIGKILL ? 1 : 0;
  }
  REQUIRE(killed > 0);
  ProgramResult last = dir.run(command);
  if (last.out.find("quarantined") != std::string::npos) {  // the same tenant was hit three times
    last = dir.run({"retry", "--failed"});
  }
  INFO(last.out << last.err);
  REQUIRE(last.status == 0);
}

/// The newest run is over, and every tenant of it has an outcome.
void check_nothing_runs(const ProgramDir& dir) {
  const json runs = document(dir, {"runs"});
  REQUIRE(!runs["runs"].empty());
  CHECK(runs["runs"][0]["state"] == "finished");
  const json run = document(dir, {"runs", runs["runs"][0]["run"].get<std::string>()});
  for (const json& tenant : run["tenants"]) {
    CHECK(!tenant["outcome"].is_null());
  }
}

void check_all_current(const ProgramDir& dir, int count) {
  const json status = document(dir, {"status"});
  CHECK(status["summary"]["total"] == count);
  CHECK(status["summary"]["current"] == count);
}

std::string rows_of_file(const ProgramDir& dir, const std::string& name) {
  const std::string command = fmt::format(
      "sqlite3 '{0}/fleet/{1}.db' 'SELECT count(*), count(DISTINCT revision) FROM log' "
      ">'{0}/answer'",
      dir.files().path().string(),
      name);
  REQUIRE(std::system(command.c_str()) == 0);
  return dir.files().read("answer");
}

const std::string kOneRowEach = fmt::format("{0}|{0}\n", kRevisions);

void write_files(const ProgramDir& dir, int count) {
  write_steps(dir);
  write_settings(dir, "sqlite: fleet/*.db");
  for (int i = 0; i < count; ++i) {
    dir.files().write(fmt::format("fleet/t{:02}.db", i), "");
  }
}

}  // namespace

TEST_CASE("After kill -9 the same command finishes a fleet of files, each step once", "[cli]") {
  const ProgramDir dir;
  constexpr int kTenants = 30;
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  write_files(dir, kTenants);
  kill_often_then_finish(dir, {"upgrade", "--yes", "--create-files", "--in-flight", "2"}, random);
  check_all_current(dir, kTenants);
  check_nothing_runs(dir);
  for (int i = 0; i < kTenants; ++i) {
    CHECK(rows_of_file(dir, fmt::format("t{:02}", i)) == kOneRowEach);
  }
}

TEST_CASE("After kill -9 the same command finishes a fleet of schemas, each step once", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  constexpr int kTenants = 20;
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  PgCluster& cluster = shared_cluster();
  cluster.create_database("cli_crash");
  for (int i = 0; i < kTenants; ++i) {
    cluster.execute("cli_crash", fmt::format("CREATE SCHEMA t_{:02}", i));
  }
  write_steps(dir);
  write_settings(
      dir,
      fmt::format("schemas: {{database: \"{}\", match: \"t_*\"}}", cluster.conninfo("cli_crash")));
  kill_often_then_finish(dir, {"upgrade", "--yes", "--in-flight", "2"}, random);
  check_all_current(dir, kTenants);
  check_nothing_runs(dir);
  for (int i = 0; i < kTenants; ++i) {
    CHECK(cluster.value("cli_crash",
                        fmt::format("SELECT count(*) || '|' || count(DISTINCT revision) || E'\\n' "
                                    "FROM t_{:02}.log",
                                    i)) == kOneRowEach);
  }
}

TEST_CASE("SIGINT lets tenants under way finish, and resume does the rest", "[cli]") {
  const ProgramDir dir;
  constexpr int kTenants = 40;
  write_files(dir, kTenants);
  ProgramChild child(dir, {"upgrade", "--yes", "--create-files", "--in-flight", "1"});
  const auto has_begun = [&] {
    const fs::directory_iterator files(dir.files() / "fleet");
    return std::any_of(fs::begin(files), fs::end(files), [](const fs::directory_entry& file) {
      return file.path().extension() == ".db" && file.file_size() > 0;
    });
  };
  for (int i = 0; i < 2000 && !has_begun(); ++i) {
    std::this_thread::sleep_for(milliseconds(5));  // polls what another process does
  }
  child.send(SIGINT);
  REQUIRE(child.wait() == 130);
  const json between = document(dir, {"runs"});
  CHECK(between["runs"][0]["state"] == "interrupted");
  CHECK(dir.run({"resume"}).status == 0);
  check_all_current(dir, kTenants);
  for (int i = 0; i < kTenants; ++i) {
    CHECK(rows_of_file(dir, fmt::format("t{:02}", i)) == kOneRowEach);
  }
}

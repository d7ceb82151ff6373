// repair: what a person says of a statement that was cut short, or of files that were edited. It
// asks first, and leaves an event in the tenant.

#include <catch2/catch.hpp>

#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <future>
#include <thread>

#include "tests/orchestrator/cli/fleet_dir.h"

using drover::test::PgCluster;
using drover::test::ProgramDir;
using drover::test::ProgramResult;
using drover::test::shared_cluster;
using namespace drover::test::fleet;  // NOLINT(google-build-using-namespace): tests only

namespace {

constexpr const char* kDatabase = "cli_repair";

std::string ask(const std::string& sql) {
  return shared_cluster().value(kDatabase, "SET search_path = t_a; " + sql);
}

/// A revision of three units. The second runs outside of a transaction, and for as long as the
/// table `patience` says.
void write_slow_revision(const ProgramDir& dir) {
  dir.files().write("migrations/0001_slow.sql",
                    "-- drover: revision 0001\n-- drover: parents none\n-- drover: message Slow\n\n"
                    "-- drover: up\nCREATE TABLE log (x integer);\n\n"
                    "-- drover: up postgres no-transaction\n"
                    "INSERT INTO log SELECT 1 FROM patience WHERE pg_sleep(seconds) IS NOT NULL;\n"
                    "\n-- drover: up\nCREATE TABLE behind (x integer);\n\n"
                    "-- drover: down\nDROP TABLE behind;\nDROP TABLE log;\n");
}

/// The tenant t_a, in the middle of that revision: its statement was begun, and its session killed.
void leave_in_doubt(const ProgramDir& dir) {
  PgCluster& cluster = shared_cluster();
  cluster.create_database(kDatabase);
  cluster.execute(kDatabase,
                  "CREATE SCHEMA t_a; CREATE TABLE t_a.patience (seconds integer); "
                  "INSERT INTO t_a.patience VALUES (60)");
  write_slow_revision(dir);
  write_settings(
      dir,
      fmt::format("schemas: {{database: \"{}\", match: \"t_*\"}}", cluster.conninfo(kDatabase)));
  auto upgrade = std::async(std::launch::async, [&] { return dir.run({"upgrade", "--yes"}); });
  std::string pid;
  for (int i = 0; i < 1000 && pid.empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));  // polls what the server does
    pid = cluster.value(kDatabase,
                        "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND "
                        "datname = current_database()");
  }
  if (!pid.empty()) {
    cluster.terminate_backend(std::stoll(pid));
  }
  const ProgramResult result = upgrade.get();
  INFO(result.out << result.err);
  REQUIRE_FALSE(pid.empty());
  REQUIRE(result.status == 3);
  REQUIRE(result.err.find("it is not known whether this statement took effect") !=
          std::string::npos);
  REQUIRE(ask("SELECT state FROM drover_steps WHERE unit = 2") == "started");
  ask("UPDATE patience SET seconds = 0 RETURNING 1");
}

struct Spoken {
  int status = 0;
  std::string text;  ///< What the terminal showed.
};

/// Runs the program on a terminal, where a person types `answer` at the first question.
Spoken on_terminal(const ProgramDir& dir, const Words& words, const std::string& answer) {
  std::string program = DROVER_PROGRAM;
  Words copies = words;
  std::vector<char*> arguments{program.data()};
  for (std::string& word : copies) {
    arguments.push_back(word.data());
  }
  arguments.push_back(nullptr);
  const std::string directory = dir.files().path().string();
  int terminal = -1;
  const pid_t pid = forkpty(&terminal, nullptr, nullptr, nullptr);
  if (pid == 0) {
    if (chdir(directory.c_str()) == 0 && setenv("NO_COLOR", "1", 1) == 0) {
      execv(program.c_str(), arguments.data());
    }
    _exit(127);
  }
  REQUIRE(pid > 0);
  Spoken spoken;
  bool answered = false;
  char buffer[4096];
  for (ssize_t got = 0; (got = read(terminal, buffer, sizeof(buffer))) > 0;) {
    spoken.text.append(buffer, static_cast<std::size_t>(got));
    if (!answered && spoken.text.find("[y/N] ") != std::string::npos) {
      answered = write(terminal, answer.data(), answer.size()) > 0;
    }
  }
  close(terminal);
  int status = 0;
  waitpid(pid, &status, 0);
  spoken.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return spoken;
}

std::string repair_events() {
  return ask(
      "SELECT string_agg(detail, E'\\n' ORDER BY epoch) FROM drover_events "
      "WHERE kind = 'repair'");
}

}  // namespace

TEST_CASE("A statement in doubt stops the tenant until a person says what became of it", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  leave_in_doubt(dir);
  CHECK(states(dir, 0)["t_a"] == "partial");
  const json again = document(dir, {"upgrade", "--yes"}, 3);
  CHECK(again["tenants"][0]["outcome"] == "in_doubt");
  CHECK(again["tenants"][0]["error"]["kind"] == "in_doubt");
  CHECK(again["tenants"][0]["error"]["file"] ==
        (dir.files() / "migrations/0001_slow.sql").string());
  CHECK(again["tenants"][0]["error"]["line"] == 9);
  CHECK(again["tenants"][0]["error"]["hint"] ==
        "Look at the database, then say so with repair --done or repair --redo.");
  CHECK(ask("SELECT count(*) FROM log") == "0");
  CHECK(ask("SELECT to_regclass('behind') IS NULL") == "t");

  const bool done = GENERATE(true, false);
  const std::string flag = done ? "--done" : "--redo";
  const std::string change = std::string("statement 1 of unit 2 of revision 0001: started -> ") +
                             (done ? "done" : "not started");
  CAPTURE(flag);
  const ProgramResult dry = dir.run({"repair", flag, "--dry-run"});
  CHECK(dry.status == 0);
  CHECK(dry.err == "environment test: 1 tenant on 1 server\nt_a: " + change + "\n");
  const ProgramResult unasked = dir.run({"repair", flag});
  CHECK(unasked.status == 2);
  CHECK(unasked.err.find("t_a: " + change + "\n") != std::string::npos);
  CHECK(unasked.err.find("error: this needs an answer, and there is nobody to ask: ") !=
        std::string::npos);
  CHECK(ends_with(unasked.err, "\nhint:  Give --yes to answer it beforehand.\n"));
  CHECK(repair_events().empty());
  CHECK(ask("SELECT state FROM drover_steps WHERE unit = 2") == "started");

  CHECK(dir.run({"repair", flag, "--yes"}).status == 0);
  CHECK(repair_events() == change + "; ");
  CHECK(ask("SELECT who <> '' AND at > now() - interval '1 minute' FROM drover_events "
            "WHERE kind = 'repair'") == "t");
  const ProgramResult settled = dir.run({"repair", flag, "--yes"});
  CHECK(settled.status == 0);
  CHECK(settled.err.find("there is nothing to change\n") != std::string::npos);

  CHECK(document(dir, {"upgrade", "--yes"}, 0)["tenants"][0]["outcome"] == "applied");
  CHECK(ask("SELECT count(*) FROM log") == (done ? "0" : "1"));
  CHECK(ask("SELECT to_regclass('behind') IS NOT NULL") == "t");
  CHECK(ask("SELECT count(*) FROM drover_steps") == "0");
  CHECK(states(dir, 0)["t_a"] == "current");
}

TEST_CASE("A half-done revision can be forgotten, and begins anew", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  leave_in_doubt(dir);
  ask("DROP TABLE log");
  REQUIRE(dir.run({"repair", "--forget-partial", "--yes"}).status == 0);
  CHECK(repair_events() == "progress of revision 0001: half done -> forgotten; ");
  CHECK(document(dir, {"upgrade", "--yes"}, 0)["tenants"][0]["outcome"] == "applied");
  CHECK(ask("SELECT count(*) FROM log") == "1");
}

TEST_CASE("Edited files are accepted by a person who was asked, row by row", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  make_schemas(dir, "cli_repair", {"t_a"});
  REQUIRE(dir.run({"upgrade", "--yes"}).status == 0);
  const std::string before =
      ask("SELECT left(up_sha256, 12) FROM drover_revisions "
          "WHERE revision = '0002'");
  write_step(dir, 2, {"CREATE TABLE two (x integer, y integer);", "DROP TABLE two;"});
  REQUIRE(states(dir, 7)["t_a"] == "edited");
  const Words words{"repair", "--accept-edits"};

  for (const std::string answer : {"n\n", "\n", "yess\n"}) {
    CAPTURE(answer);
    const Spoken refused = on_terminal(dir, words, answer);
    CHECK(refused.status == 4);
    INFO(refused.text);
    CHECK(refused.text.find("t_a: revision 0002: up checksum: " + before + " -> ") !=
          std::string::npos);
    CHECK(refused.text.find("repair these 2 entries? [y/N]") != std::string::npos);
    CHECK(refused.text.find("error: nothing was changed") != std::string::npos);
  }
  for (const Words& silent :
       {Words{"repair", "--accept-edits"}, Words{"repair", "--accept-edits", "--no-input"}}) {
    CHECK(dir.run(silent).status == 2);
  }
  CHECK(repair_events().empty());
  CHECK(states(dir, 7)["t_a"] == "edited");

  const Spoken agreed = on_terminal(dir, words, "y\n");
  INFO(agreed.text);
  CHECK(agreed.status == 0);
  CHECK(agreed.text.find("changed 2 entries") != std::string::npos);
  const std::string after =
      ask("SELECT left(up_sha256, 12) FROM drover_revisions "
          "WHERE revision = '0002'");
  CHECK(after != before);
  CHECK(repair_events().starts_with("revision 0002: up checksum: " + before + " -> " + after));
  CHECK(states(dir, 0)["t_a"] == "current");
  CHECK(document(dir, {"upgrade", "--yes"}, 0)["summary"]["current"] == 1);
}

TEST_CASE("An event of many accepted edits is cut, not refused", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  make_schemas(dir, "cli_repair", {"t_a"});
  for (int number = 4; number <= 12; ++number) {
    write_step(dir, number, {fmt::format("CREATE TABLE n{} (x integer);", number), "SELECT 1;"});
  }
  REQUIRE(dir.run({"upgrade", "--yes"}).status == 0);
  for (int number = 4; number <= 12; ++number) {
    write_step(dir, number, {fmt::format("CREATE TABLE n{} (y integer);", number), "SELECT 1;"});
  }
  REQUIRE(states(dir, 7)["t_a"] == "edited");
  CHECK(dir.run({"repair", "--accept-edits", "--yes"}).status == 0);
  CHECK(repair_events().size() == 200);
  CHECK(states(dir, 0)["t_a"] == "current");
}

TEST_CASE("repair is told what to accept, once and without contradiction", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 1, "0002");
  const std::string before = dir.files().read("fleet/a.db");
  const ProgramResult nothing = dir.run({"repair", "--yes"});
  CHECK(nothing.status == 2);
  CHECK(nothing.err == error_text("repair was not told what to accept",
                                  "Say one of --accept-edits, --accept-parents, --done, --redo, "
                                  "--forget-partial."));
  const ProgramResult both = dir.run({"repair", "--done", "--redo", "--yes"});
  CHECK(both.status == 2);
  CHECK(both.err == error_text("repair takes --done or --redo, not both",
                               "Say --done when the statement took effect, --redo when it did "
                               "not."));
  CHECK(dir.files().read("fleet/a.db") == before);
}

// Tenants that failed have another turn: in a run that lives, and in one that has ended. What may
// be cancelled, and what only by force.

#include <chrono>
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

std::string outcome_of(const json& run, const std::string& id) {
  for (const json& tenant : run["tenants"]) {
    if (tenant["id"] == id) {
      return tenant["outcome"];
    }
  }
  return "";
}

}  // namespace

TEST_CASE("failed tenants of a run that has ended are tried again in the same run", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 4, "");
  write_settings(dir, "sqlite: fleet/*.db", "    auto_migrate: true\n");
  ask_file(dir, "c", "CREATE TABLE two (y);");
  const json first = document(dir, {"upgrade", "--yes"}, 3);
  REQUIRE(outcome_of(first, "c") == "failed");
  CHECK(document(dir, {"runs"}, 0)["runs"][0]["state"] == "finished");

  CHECK(dir.run({"retry"}).err == error_text("retry needs --failed", "See drover retry --help."));
  CHECK(document(dir, {"retry", "--failed"}, 3)["summary"]["failed"] == 1);  // nobody mended it
  ask_file(dir, "c", "DROP TABLE two;");
  const json again = document(dir, {"retry", "--failed"}, 0);
  CHECK(again["run"] == first["run"]);
  CHECK(again["summary"]["applied"] == 4);
  CHECK(document(dir, {"runs"}, 0)["runs"].size() == 1);

  const ProgramResult nothing = dir.run({"retry", "--failed"});
  CHECK(nothing.status == 2);
  CHECK(nothing.err == error_text("no tenant of run " + first["run"].get<std::string>() + " failed",
                                  "See drover runs for what became of them."));
  const json later = document(dir, {"upgrade", "--yes"}, 0);
  const ProgramResult old = dir.run({"retry", "--failed", first["run"]});
  CHECK(old.status == 2);
  CHECK(old.err == error_text("run " + first["run"].get<std::string>() +
                                  " is not the newest of environment 'test', run " +
                                  later["run"].get<std::string>() + " came after it",
                              "Start a new run for the tenants that are left: drover upgrade "
                              "--tenant."));

  // What the run did before its failure is part of what it did.
  const json back = document(dir, {"downgrade", "base", "--yes"}, 0);
  CHECK(back["summary"]["applied"] == 4);
}

TEST_CASE("a rollback takes back what was done before a failure as well", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 2, "");
  write_settings(dir, "sqlite: fleet/*.db", "    auto_migrate: true\n");
  ask_file(dir, "b", "CREATE TABLE three (y);");
  const json run = document(dir, {"upgrade", "--yes"}, 3);
  ask_file(dir, "b", "DROP TABLE three;");
  REQUIRE(document(dir, {"retry", "--failed"}, 0)["summary"]["applied"] == 2);
  REQUIRE(document(dir, {"rollback", run["run"], "--yes"}, 0)["summary"]["applied"] == 2);
  CHECK(ask_file(dir,
                 "b",
                 "SELECT count(*) FROM sqlite_master WHERE name IN ('one', 'two', 'three');") ==
        "0\n");
}

TEST_CASE("a run that lives tries failed tenants again when it is asked to", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 3, "");
  write_settings(dir,
                 "sqlite: fleet/*.db",
                 "    auto_migrate: true\n    rollout:\n      stages:\n"
                 "        - {name: first, select: {ids: [a, b]}, budget: {failures: 1}, "
                 "gate: {soak: 60s}}\n"
                 "        - {name: rest}\n");
  ask_file(dir, "b", "CREATE TABLE two (y);");
  ProgramChild child(dir, {"upgrade", "--yes"});
  const auto count = [&](const std::string& outcome) {
    const ProgramResult told = dir.run({"runs", "-o", "json"});
    const json runs = told.status == 0 ? json::parse(told.out)["runs"] : json::array();
    return runs.empty() ? 0 : runs[0]["summary"].value(outcome, 0);
  };
  wait_until([&] { return count("failed") == 1; });
  ask_file(dir, "b", "DROP TABLE two;");
  const ProgramResult asked = dir.run({"retry", "--failed"});
  CHECK(asked.status == 0);
  CHECK(asked.err.find(" lives, and will try the failed tenants of the stage under way") !=
        std::string::npos);
  wait_until([&] { return count("applied") == 2; });
  REQUIRE(dir.run({"halt"}).status == 0);  // nobody waits for the soak time
  CHECK(child.wait() == 4);
  const std::string run = document(dir, {"runs"}, 0)["runs"][0]["run"];
  const json told = document(dir, {"runs", run}, 0);
  CHECK(outcome_of(told, "a") == "applied");
  CHECK(outcome_of(told, "b") == "applied");
}

TEST_CASE("a concurrent index build is cancelled by force only", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  make_schemas(dir, "cli_forced", {"t_a"});
  write_step(dir, 2, {"SELECT 1;", "SELECT 1;"});
  dir.files().write("migrations/0002_step.sql",
                    "-- drover: revision 0002\n-- drover: parents 0001\n"
                    "-- drover: message Step 2\n\n-- drover: up postgres no-transaction\n"
                    "CREATE INDEX CONCURRENTLY one_x ON one (x);\n\n-- drover: up sqlite\n"
                    "SELECT 1;\n\n-- drover: down\nDROP INDEX one_x;\n");
  REQUIRE(dir.run({"upgrade", "0001", "--yes"}).status == 0);
  const PgCluster& cluster = shared_cluster();
  // A transaction that has seen the table keeps the build waiting.
  std::jthread reader([&cluster] {
    try {
      cluster.execute("cli_forced",
                      "BEGIN; LOCK TABLE t_a.one IN ROW EXCLUSIVE MODE; "
                      "SELECT pg_sleep(600) FROM (VALUES (1)) AS the_reader");
    } catch (const std::runtime_error&) {  // it is ended below
    }
  });
  const auto sessions = [&cluster](const std::string& like) {
    return cluster.value("cli_forced",
                         "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND "
                         "datname = 'cli_forced' AND state = 'active' AND query LIKE '" +
                             like + "'");
  };
  wait_until([&] { return sessions("%the_reader%") == "1"; });
  ProgramChild child(dir, {"upgrade", "--yes"});
  wait_until([&] { return sessions("CREATE INDEX%") == "1"; });
  REQUIRE(dir.run({"halt", "--cancel"}).status == 0);
  std::this_thread::sleep_for(3s);  // long enough for the run to have heard it
  CHECK(sessions("CREATE INDEX%") == "1");
  CHECK(dir.run({"halt", "--force"}).status == 2);
  REQUIRE(dir.run({"halt", "--cancel", "--force"}).status == 0);
  CHECK(child.wait() == 4);
  CHECK(sessions("CREATE INDEX%") == "0");
  cluster.execute("cli_forced",
                  "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
                  "'cli_forced' AND query LIKE '%the_reader%' AND pid <> pg_backend_pid()");
  reader.join();
  CHECK(document(dir, {"resume"}, 0)["summary"]["applied"] == 1);
  CHECK(cluster.value("cli_forced",
                      "SELECT indisvalid FROM pg_index WHERE indexrelid = 't_a.one_x'::regclass") ==
        "t");
}

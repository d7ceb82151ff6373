// Batched changes of data through the program: in a run, in the background, and steered.

#include <string>

#include <catch2/catch.hpp>

#include "tests/orchestrator/cli/fleet_dir.h"
#include "tests/orchestrator/cli/program_child.h"
#include "tests/support/pg_cluster.h"

using drover::test::ProgramChild;
using drover::test::ProgramDir;
using drover::test::ProgramResult;
using namespace drover::test::fleet;  // NOLINT(google-build-using-namespace): tests only

namespace {

/// Two files at 0001, which makes a table of 500 rows, and a batch over it in 0002.
void write_batch(const ProgramDir& dir, const std::string& keys) {
  dir.files().write(
      "migrations/0001_hits.sql",
      "-- drover: parents none\n-- drover: up\n"
      "CREATE TABLE hits (id integer PRIMARY KEY, n integer NOT NULL);\n"
      "INSERT INTO hits WITH RECURSIVE i (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i "
      "WHERE i < 500) SELECT i, 0 FROM i;\n-- drover: down\nDROP TABLE hits;\n");
  dir.files().write("migrations/0002_count.sql",
                    "-- drover: parents 0001\n-- drover: batch table=hits rows=100..100 " + keys +
                        "\nUPDATE hits SET n = n + 1 WHERE {range};\n"
                        "-- drover: down\nUPDATE hits SET n = 0;\n");
  write_settings(dir, "sqlite: fleet/*.db");
  dir.files().write("fleet/a.db", "");
  dir.files().write("fleet/b.db", "");
}

constexpr const char* kCounts = "SELECT n || ' x ' || count(*) FROM hits GROUP BY n;";

}  // namespace

TEST_CASE("a run works off batches, and they are listed", "[cli]") {
  const ProgramDir dir;
  write_batch(dir, "");
  REQUIRE(dir.run({"upgrade", "--yes", "--create-files"}).status == 0);
  CHECK(ask_file(dir, "a", kCounts) == "1 x 500\n");
  CHECK(ask_file(dir, "b", kCounts) == "1 x 500\n");
  CHECK(dir.run({"batches", "list"}).out == "no batches\n");
  const json batches = document(dir, {"batches", "list", "--all"}, 0)["batches"];
  REQUIRE(batches.size() == 2);
  CHECK(batches[0]["state"] == "done");
  CHECK(batches[0]["rows_seen"] == 500);
  CHECK(batches[0]["rows_changed"] == 500);
  CHECK(batches[0]["estimated_rows"] == 500);
  CHECK(dir.run({"batches", "show", "--tenant", "a"}).out.find("done") != std::string::npos);

  REQUIRE(dir.run({"downgrade", "0001", "--yes"}).status == 0);
  REQUIRE(dir.run({"upgrade", "--yes"}).status == 0);
  CHECK(ask_file(dir, "a", kCounts) == "1 x 500\n");
}

TEST_CASE("what depends on a batch in the background waits until it was worked off", "[cli]") {
  const ProgramDir dir;
  write_batch(dir, "mode=background");
  REQUIRE(dir.run({"upgrade", "--yes", "--create-files"}).status == 0);
  CHECK(ask_file(dir, "a", kCounts) == "0 x 500\n");
  dir.files().write("migrations/0003_next.sql",
                    "-- drover: parents 0002\n-- drover: up\nCREATE TABLE later (x);\n"
                    "-- drover: down\nDROP TABLE later;\n");
  const ProgramResult early = dir.run({"upgrade", "--yes"});
  CHECK(early.status != 0);
  CHECK(early.err.find("revision '0003' rests on '0002', whose batch is not done") !=
        std::string::npos);
  CHECK(document(dir, {"batches", "list"}, 0)["batches"].size() == 2);

  const ProgramResult set = dir.run({"batches", "set", "--rows", "10", "--tenant", "a"});
  CHECK(set.status == 0);
  CHECK(dir.run({"batches", "set"}).status == 2);
  CHECK(dir.run({"batches", "set", "--wal", "much"}).err.find("--wal is 'much'") !=
        std::string::npos);
  REQUIRE(dir.run({"batches", "set", "--wal", "5MiB", "--tenant", "b"}).status == 0);
  const json told = document(dir, {"batches", "list"}, 0);
  CHECK(told["batches"][0]["control"]["rows"] == 10);
  CHECK(told["batches"][1]["control"]["wal_per_second"] == 5 << 20);
  CHECK(told["total"]["batches"] == 2);
  REQUIRE(dir.run({"batches", "set", "--usual", "--tenant", "b"}).status == 0);
  CHECK(dir.run({"batches", "run"}).status == 0);
  CHECK(ask_file(dir, "a", kCounts) == "1 x 500\n");
  CHECK(ask_file(dir, "a", "SELECT batches FROM drover_batch_ranges;") == "50\n");
  CHECK(ask_file(dir, "b", "SELECT batches FROM drover_batch_ranges;") == "5\n");
  CHECK(dir.run({"upgrade", "--yes"}).status == 0);
}

TEST_CASE("a run that is asked to stop leaves its batches where they are, and resumes there",
          "[cli]") {
  const ProgramDir dir;
  write_batch(dir, "");
  write_settings(dir, "sqlite: fleet/*.db", "    batches: {flag: hold}\n");
  dir.files().write("hold", "");
  ProgramChild run(dir, {"upgrade", "--yes", "--create-files"});
  const auto waiting = [&](const std::string& tenant) {
    const json all = json::parse(dir.run({"batches", "list", "-o", "json"}).out, nullptr, false);
    return !all.is_discarded() && all["batches"].size() == 2 &&
           all["batches"][tenant == "a" ? 0 : 1]["waiting"].is_string();
  };
  wait_until([&] { return waiting("a") && waiting("b"); });
  run.send(SIGINT);
  CHECK(run.wait() == 130);
  CHECK(ask_file(dir, "a", kCounts) == "0 x 500\n");
  const json standing = document(dir, {"status"}, 0)["tenants"];
  CHECK(standing[0]["state"] == "partial");
  fs::remove(dir.files() / "hold");
  CHECK(dir.run({"resume", "--yes"}).status == 0);
  CHECK(ask_file(dir, "a", kCounts) == "1 x 500\n");
  CHECK(ask_file(dir, "b", kCounts) == "1 x 500\n");
}

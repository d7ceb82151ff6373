// A tenant's id is bound to the uid in its database, and what a run that halted left is tried
// again.

#include <catch2/catch.hpp>

#include "tests/orchestrator/cli/fleet_dir.h"

using drover::test::ProgramDir;
using drover::test::shared_cluster;
using namespace drover::test::fleet;  // NOLINT(google-build-using-namespace): tests only

namespace {

void swap_files(const ProgramDir& dir, const std::string& one, const std::string& other) {
  const fs::path folder = dir.files().path() / "fleet";
  fs::rename(folder / (one + ".db"), folder / "between");
  fs::rename(folder / (other + ".db"), folder / (one + ".db"));
  fs::rename(folder / "between", folder / (other + ".db"));
}

}  // namespace

TEST_CASE("Databases that changed places are refused until somebody says it is meant", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 3, "0002");
  swap_files(dir, "a", "b");
  const json answer = document(dir, {"upgrade", "--yes"}, 4);  // more than are tolerated
  for (const std::size_t swapped : {0U, 1U}) {
    const json& error = answer["tenants"][swapped]["error"];
    CHECK(error["kind"] == "tenant_mismatch");
    CHECK(error["message"].get<std::string>().starts_with(
        "the database belongs to another tenant: its uid is '"));
  }
  CHECK(ask_file(dir, "a", "SELECT max(revision) FROM drover_revisions;") == "0002\n");

  CHECK(dir.run({"mark", "test", "--tenant", "a,b", "--yes"}).status == 0);
  CHECK(document(dir, {"upgrade", "--yes"}, 0)["summary"]["failed"] == 0);
  CHECK(ask_file(dir, "a", "SELECT max(revision) FROM drover_revisions;") == "0003\n");
  CHECK(dir.run({"mark", "test", "--yes"}).err.find("nothing to change") != std::string::npos);
}

TEST_CASE("A database that was made anew is taken in, but not in production", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 2, "0002");
  const bool production = GENERATE(false, true);
  const fs::path file = dir.files().path() / "fleet/a.db";
  if (production) {
    write_settings(dir, "sqlite: fleet/*.db", "    production: true\n");
    REQUIRE(dir.run({"mark", "test", "--yes", "--confirm=test"}).status == 0);
  }
  fs::remove(file);
  dir.files().write("fleet/a.db", "");
  const Words words{"upgrade", "--yes", "--create-files", "--confirm=test"};
  if (production) {
    const json answer = document(dir, words, 7);
    CHECK(answer["tenants"][0]["error"]["kind"] == "tenant_mismatch");
    CHECK(answer["tenants"][0]["error"]["message"].get<std::string>().starts_with(
        "the database holds no history, and this tenant had one, with uid '"));
    CHECK(answer["summary"]["applied"] == 1);
  } else {
    CHECK(document(dir, words, 0)["summary"]["applied"] == 2);
    CHECK(document(dir, words, 0)["summary"]["current"] == 2);  // and is the tenant from now on
  }
}

TEST_CASE("Schemas of one database are known by their uids, too", "[cli]") {
  const ProgramDir dir;
  make_schemas(dir, "cli_identity", {"t_a", "t_b"});
  REQUIRE(document(dir, {"upgrade", "--yes"}, 0)["summary"]["applied"] == 2);
  REQUIRE(document(dir, {"upgrade", "--yes"}, 0)["summary"]["current"] == 2);
  shared_cluster().execute("cli_identity",
                           "ALTER SCHEMA t_a RENAME TO x; ALTER SCHEMA t_b RENAME TO t_a; "
                           "ALTER SCHEMA x RENAME TO t_b");
  const json answer = document(dir, {"upgrade", "--yes"}, 4);
  CHECK(answer["errors"][0]["kind"] == "tenant_mismatch");
  CHECK(answer["errors"][0]["count"] == 2);
}

TEST_CASE("A run that halted is shown so, and the same command tries again what failed", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 12, "0002");
  for (int i = 0; i < 6; ++i) {
    ask_file(dir, std::string(1, static_cast<char>('a' + i)), "CREATE TABLE three (oops);");
  }
  const json halted = document(dir, {"upgrade", "--yes", "--in-flight", "1"}, 4);
  CHECK(halted["outcome"] == "halted");
  CHECK(halted["summary"]["failed"].get<int>() >= 2);
  CHECK(dir.run({"runs"}).out.find("halted") != std::string::npos);
  for (int i = 0; i < 6; ++i) {
    ask_file(dir, std::string(1, static_cast<char>('a' + i)), "DROP TABLE three;");
  }
  const json again = document(dir, {"upgrade", "--yes"}, 0);
  CHECK(again["summary"]["applied"] == 12);
  CHECK(again["run"] == halted["run"]);
  CHECK(dir.run({"runs"}).out.find("halted") == std::string::npos);
}

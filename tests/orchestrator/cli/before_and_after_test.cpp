// What the program says would happen before anything does, and what it keeps of it afterwards.

#include <catch2/catch.hpp>

#include "tests/orchestrator/cli/fleet_dir.h"

using drover::test::ProgramDir;
using namespace drover::test::fleet;  // NOLINT(google-build-using-namespace): tests only

TEST_CASE("status says what one more step would be, also for a tenant that has all", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 2, "0001");
  REQUIRE(dir.run({"upgrade", "--tenant", "b", "--yes"}).status == 0);
  const json answer = document(dir, {"status", "--target", "+1"}, 0);
  CHECK(answer["tenants"][0]["pending"] == json({"0002"}));
  CHECK(answer["tenants"][1]["pending"] == json::array());
  CHECK(answer["tenants"][1]["state"] == "current");
}

TEST_CASE("A dry run counts the files that it was asked to make", "[cli]") {
  const ProgramDir dir;
  write_steps(dir);
  write_settings(dir, "list: [{id: new, target: \"sqlite:new.db\"}]");
  CHECK(dir.run({"upgrade", "--dry-run"}).err.find("0 of 1 tenants will go up; 1 cannot") !=
        std::string::npos);
  const std::string asked = dir.run({"upgrade", "--dry-run", "--create-files"}).err;
  CHECK(asked.find("1 of 1 tenants will go up\n  0001  on 1 tenants\n") != std::string::npos);
  CHECK_FALSE(fs::exists(dir.files().path() / "new.db"));
}

TEST_CASE("The journal keeps as many runs as the configuration says", "[cli]") {
  const ProgramDir dir;
  write_steps(dir);
  write_settings(dir, "list: [{id: new, target: \"sqlite:new.db\"}]", "retention: {runs: 2}\n");
  for (const char* const revision : {"0001", "0002", "0003"}) {
    REQUIRE(dir.run({"upgrade", revision, "--yes", "--create-files"}).status == 0);
  }
  const json runs = document(dir, {"runs"}, 0)["runs"];
  REQUIRE(runs.size() == 2);
  CHECK(runs[0]["target"] == "0003");
  CHECK(runs[1]["target"] == "0002");
}

// Many tenants that fail for few reasons: the report tells each reason once, for people and for
// programs.

#include <catch2/catch.hpp>

#include "tests/orchestrator/cli/fleet_dir.h"

using drover::test::ProgramDir;
using drover::test::ProgramResult;
using namespace drover::test::fleet;  // NOLINT(google-build-using-namespace): tests only

namespace {

constexpr int kTenants = 100;  // of which a tenth may fail before the run halts

const Words kHaveTheTable{"t03", "t11", "t19", "t42", "t57", "t80", "t98"};
const Words kLackTheOther{"t05", "t60"};

std::string tenant_name(int number) {
  return fmt::format("t{:02}", number);
}

/// A fleet at 0002, where 0003 fails on nine tenants by two causes.
void write_fleet(const ProgramDir& dir) {
  write_files(dir, 0, "");
  write_step(dir,
             3,
             {"CREATE TABLE three (x integer);\nINSERT INTO three SELECT x FROM one;",
              "DROP TABLE three;"});
  for (int i = 0; i < kTenants; ++i) {
    dir.files().write("fleet/" + tenant_name(i) + ".db", "");
  }
  REQUIRE(dir.run({"upgrade", "0002", "--yes", "--create-files"}).status == 0);
  for (const std::string& tenant : kHaveTheTable) {
    ask_file(dir, tenant, "CREATE TABLE three (oops);");
  }
  for (const std::string& tenant : kLackTheOther) {
    ask_file(dir, tenant, "DROP TABLE one;");
  }
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("Seven tenants that fail by one cause and two by another are two causes", "[cli]") {
  const ProgramDir dir;
  write_fleet(dir);
  const std::string cause =
      "sql_error (SQLITE_ERROR) at " + (dir.files() / "migrations/0003_step.sql").string();
  SECTION("for people") {
    const ProgramResult failed = dir.run({"upgrade", "--yes"});
    CHECK(failed.status == 3);
    const std::string& told = failed.out;
    INFO(told);
    const std::size_t first = told.find("\n7 tenants, one cause: " + cause + ":6:14: ");
    const std::size_t second = told.find("\n2 tenants, one cause: " + cause + ":7:1: ");
    REQUIRE(first != std::string::npos);
    REQUIRE(second != std::string::npos);
    CHECK(first < second);
    CHECK(count_of(told, "table three already exists") == 1);
    CHECK(count_of(told, "no such table: one") == 1);
    CHECK(count_of(told, "one cause") == 2);
    CHECK(told.find("and 2 more\n") != std::string::npos);
    const bool either_order = told.find("  t05, t60\n") != std::string::npos ||
                              told.find("  t60, t05\n") != std::string::npos;
    CHECK(either_order);
    CHECK(told.find("NOT COMPLETE") != std::string::npos);
  }
  SECTION("for programs") {
    const json failed = document(dir, {"upgrade", "--yes"}, 3);
    CHECK(failed["outcome"] == "incomplete");
    CHECK(failed["halt"].is_null());
    CHECK(failed["exit_status"] == 3);
    CHECK(failed["summary"]["total"] == kTenants);
    CHECK(failed["summary"]["failed"] == 9);
    CHECK(failed["summary"]["applied"] == kTenants - 9);
    REQUIRE(failed["errors"].size() == 2);
    const json& first = failed["errors"][0];
    const json& second = failed["errors"][1];
    CHECK(first["count"] == 7);
    CHECK(second["count"] == 2);
    CHECK(first["message"] == "revision '0003' failed: table three already exists");
    CHECK(second["message"] == "revision '0003' failed: no such table: one");
    CHECK(first["kind"] == "sql_error");
    CHECK(second["kind"] == "sql_error");
    CHECK_FALSE(first["fingerprint"].get<std::string>().empty());
    CHECK(first["fingerprint"] != second["fingerprint"]);
    CHECK_THAT(first["tenants"].get<Words>(), Catch::UnorderedEquals(kHaveTheTable));
    CHECK_THAT(second["tenants"].get<Words>(), Catch::UnorderedEquals(kLackTheOther));
  }
  SECTION("and the same cause has the same fingerprint in the next run") {
    const json once = document(dir, {"upgrade", "--yes"}, 3);
    for (const std::string& tenant : kLackTheOther) {
      ask_file(dir, tenant, "CREATE TABLE one (x integer);");
    }
    ask_file(dir, "t03", "DROP TABLE three;");
    ask_file(dir, "t11", "DROP TABLE three;");
    const json mended = document(dir, {"upgrade", "--yes", "--tenant", "t03,t05,t11,t60"}, 0);
    CHECK(mended["summary"]["applied"] == 4);
    CHECK(mended["errors"].empty());
    const json again = document(dir, {"upgrade", "--yes"}, 3);
    REQUIRE(again["errors"].size() == 1);
    CHECK(again["errors"][0]["count"] == 5);
    CHECK(again["errors"][0]["fingerprint"] == once["errors"][0]["fingerprint"]);
  }
}

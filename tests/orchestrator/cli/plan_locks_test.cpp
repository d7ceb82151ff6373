// What `plan` and `plan show` tell of the locks that a run will take.

#include <string>

#include <catch2/catch.hpp>

#include "tests/orchestrator/cli/fleet_dir.h"

using drover::test::PgCluster;
using drover::test::ProgramDir;
using drover::test::ProgramResult;
using drover::test::shared_cluster;
using namespace drover::test::fleet;  // NOLINT(google-build-using-namespace): tests only

namespace {

/// A table with two columns, and three ways to change it.
void write_changes(const ProgramDir& dir) {
  write_step(dir,
             1,
             {"CREATE TABLE files (id integer PRIMARY KEY, name text);\n"
              "CREATE TABLE folders (id integer PRIMARY KEY);",
              "DROP TABLE files;\nDROP TABLE folders;"});
  write_step(dir,
             2,
             {"INSERT INTO folders VALUES (1);\nCREATE INDEX files_name ON files (name);\n\n"
              "-- drover: up postgres\n"
              "ALTER TABLE files ADD COLUMN at timestamptz DEFAULT clock_timestamp();\n"
              "CREATE TABLE shares (file integer REFERENCES files, folder integer REFERENCES "
              "folders);\nCREATE INDEX ON shares (file);\n\n"
              "-- drover: up sqlite\n"
              "CREATE TABLE shares (file integer REFERENCES files);",
              "DROP INDEX files_name;"});
  write_step(dir, 3, {"INSERT INTO folders VALUES (2);", "DELETE FROM folders;"});
}

/// The tables of a plan, without what changes from run to run.
std::string from_revisions(const std::string& text) {
  const std::size_t at = text.find("REVISION");
  return at == std::string::npos ? text : text.substr(at);
}

json locks_in(const std::string& plan_text) {
  json locks;
  const json plan = json::parse(plan_text);
  for (const json& revision : plan["revisions"]) {
    locks.push_back(revision["locks"]);
  }
  return locks;
}

/// A fleet of one PostgreSQL database; `more` are further items of its list.
void write_database(const ProgramDir& dir, const std::string& name, const std::string& more = "") {
  shared_cluster().create_database(name);
  write_settings(dir,
                 fmt::format("list:\n          - {{id: pg, target: \"{}\"}}\n{}",
                             shared_cluster().conninfo(name),
                             more));
  write_changes(dir);
}

}  // namespace

TEST_CASE("a plan tells which locks keep an application waiting", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  write_database(dir, "cli_locks");
  const ProgramResult planned = dir.run({"plan", "--out", "plan.json"});
  INFO(planned.err);
  REQUIRE(planned.status == 0);
  CHECK(from_revisions(planned.out) ==
        "REVISION  TENANTS  FILE           NOTE\n"
        "0001            1  0001_step.sql\n"
        "0002            1  0002_step.sql\n"
        "0003            1  0003_step.sql\n"
        "\n"
        "REVISION  LOCKS                                   KEEPS WAITING\n"
        "0002      ACCESS EXCLUSIVE on files, rewrites it  reads and writes\n"
        "          SHARE ROW EXCLUSIVE on folders          writes\n");
  CHECK(dir.run({"plan", "show", "plan.json"}).out == planned.out);
  CHECK(locks_in(dir.files().read("plan.json")) ==
        json::array({json::array(),
                     {"ACCESS EXCLUSIVE on files, rewrites it", "SHARE ROW EXCLUSIVE on folders"},
                     {"ROW EXCLUSIVE on folders"}}));
}

TEST_CASE("a plan to go down tells the locks of going down", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  write_database(dir, "cli_locks_down");
  REQUIRE(dir.run({"upgrade", "0002", "--yes"}).status == 0);
  const ProgramResult planned = dir.run({"plan", "--down", "0001"});
  INFO(planned.err);
  REQUIRE(planned.status == 0);
  CHECK(from_revisions(planned.out) ==
        "REVISION  TENANTS  FILE           NOTE\n"
        "0002            1  0002_step.sql\n"
        "\n"
        "REVISION  LOCKS                                              KEEPS WAITING\n"
        "0002      ACCESS EXCLUSIVE on the table of index files_name  reads and writes\n");
}

TEST_CASE("SQLite tenants' locks are told in one line, whatever the revisions do", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 2, "");
  write_changes(dir);
  ask_file(dir, "a", "VACUUM;");  // makes a database of an empty file
  ask_file(dir, "b", "VACUUM;");
  const ProgramResult planned = dir.run({"plan", "--out", "plan.json"});
  INFO(planned.err);
  CHECK(from_revisions(planned.out) ==
        "REVISION  TENANTS  FILE           NOTE\n"
        "0001            2  0001_step.sql\n"
        "0002            2  0002_step.sql\n"
        "0003            2  0003_step.sql\n"
        "\n"
        "on SQLite a revision locks its tenant's whole file against writers\n");
  const json whole = {"the whole file (SQLite)"};
  CHECK(locks_in(dir.files().read("plan.json")) == json::array({whole, whole, whole}));
}

TEST_CASE("a fleet of both kinds has the locks of both", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  dir.files().write("fleet/a.db", "");
  ask_file(dir, "a", "VACUUM;");
  write_database(dir, "cli_locks_both", "          - {id: lite, target: \"sqlite:fleet/a.db\"}\n");
  const ProgramResult planned = dir.run({"plan", "0002"});
  INFO(planned.err);
  CHECK(planned.out.find("          SHARE ROW EXCLUSIVE on folders          writes\n"
                         "on SQLite a revision locks its tenant's whole file against writers\n") !=
        std::string::npos);
}

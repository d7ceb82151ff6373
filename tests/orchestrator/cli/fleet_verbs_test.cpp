// The verbs that work on tenants, by the program itself: SQLite files, PostgreSQL databases and
// schemas of one database. What is true of a tenant is asked of the tenant, not of the program.

#include <catch2/catch.hpp>

#include <unistd.h>

#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/dialect.h"
#include "orchestrator/store/open_journal.h"
#include "orchestrator/store/process_identity.h"
#include "tests/orchestrator/cli/fleet_dir.h"
#include "tests/orchestrator/cli/program_run.h"
#include "tests/support/pg_cluster.h"

using drover::test::PgCluster;
using drover::test::ProgramDir;
using drover::test::ProgramResult;
using drover::test::shared_cluster;
using nlohmann::json;

using namespace drover::test::fleet;  // NOLINT(google-build-using-namespace): tests only

TEST_CASE("A fleet of files goes up, stays, and comes down again", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 3, "0002");
  CHECK(dir.run({"current"}).out == "TENANT  CURRENT\na       0002\nb       0002\nc       0002\n");
  const json status = document(dir, {"status", "--detailed-exitcode"}, 10);
  CHECK(status["format"] == 1);
  CHECK(status["environment"] == "test");
  CHECK(status["summary"]["behind"] == 3);
  CHECK(status["tenants"][0]["current"] == json({"0002"}));
  CHECK(status["tenants"][0]["pending"] == json({"0003"}));
  CHECK(status["tenants"][0]["error"].is_null());

  CHECK(dir.run({"upgrade", "+1", "--yes"}).status == 0);
  CHECK(document(dir, {"status", "--detailed-exitcode"}, 0)["summary"]["current"] == 3);
  const json idle = document(dir, {"upgrade", "--yes"}, 0);
  CHECK(idle["summary"]["current"] == 3);
  CHECK(idle["summary"]["applied"] == 0);

  CHECK(dir.run({"downgrade", "-1", "--tenant", "b", "--yes"}).status == 0);
  CHECK(states(dir, 0) ==
        std::map<std::string, std::string>{{"a", "current"}, {"b", "behind"}, {"c", "current"}});
  CHECK(dir.run({"downgrade", "base", "--yes"}).status == 0);
  CHECK(
      ask_file(dir,
               "a",
               "SELECT name FROM sqlite_master WHERE name NOT LIKE 'drover%' AND sql IS NOT NULL;")
          .empty());
  CHECK(ask_file(dir, "a", "SELECT count(*) FROM drover_revisions;") == "0\n");
}

TEST_CASE("A tenant that fails is told with its place, and the same command mends it", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 12, "0002");
  ask_file(dir, "c", "CREATE TABLE three (oops);");
  const json failed = document(dir, {"upgrade", "--yes"}, 3);
  CHECK(failed["summary"]["applied"] == 11);
  const json& tenant = failed["tenants"][2];
  CHECK(tenant["id"] == "c");
  CHECK(tenant["outcome"] == "failed");
  const json& error = tenant["error"];
  CHECK(error["kind"] == "sql_error");
  CHECK(error["sqlstate"] == "SQLITE_ERROR");
  CHECK(error["message"] == "revision '0003' failed: table three already exists");
  CHECK(error["file"] == (dir.files() / "migrations/0003_step.sql").string());
  CHECK(error["line"] == 6);
  CHECK(error["column"] == 14);
  CHECK(failed["errors"].size() == 1);
  CHECK(failed["errors"][0]["tenants"] == json({"c"}));

  ask_file(dir, "c", "DROP TABLE three;");
  const json mended = document(dir, {"upgrade", "--yes"}, 0);
  CHECK(mended["summary"]["applied"] == 1);
  CHECK(mended["summary"]["current"] == 11);
}

TEST_CASE("A cause that many tenants share is told once, and a budget halts the run", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 4, "0002");
  for (const std::string tenant : {"a", "b", "c", "d"}) {
    ask_file(dir, tenant, "CREATE TABLE three (oops);");
  }
  const json halted = document(dir, {"upgrade", "--yes", "--in-flight", "1"}, 4);
  CHECK(halted["outcome"] == "halted");
  CHECK(halted["halt"]["kind"] == "budget_exhausted");
  CHECK(halted["halt"]["message"] == "2 of 4 tenants failed, and 1 is tolerated");
  CHECK(halted["summary"]["failed"] == 2);
  CHECK(halted["summary"]["not_started"] == 2);
  REQUIRE(halted["errors"].size() == 1);
  CHECK(halted["errors"][0]["count"] == 2);
}

TEST_CASE("A dry run changes no byte of a tenant", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 2, "0001");
  const std::string before = dir.files().read("fleet/a.db");
  const ProgramResult plan = dir.run({"upgrade", "--dry-run"});
  CHECK(plan.status == 0);
  CHECK(plan.err ==
        "environment test: 2 tenants on 1 server\n2 of 2 tenants will go up\n"
        "  0002  on 2 tenants\n  0003  on 2 tenants\n");
  CHECK(dir.files().read("fleet/a.db") == before);
}

TEST_CASE("A question without a terminal is a usage error that names the flag", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 2, "0001");
  const ProgramResult asked = dir.run({"upgrade"});
  CHECK(asked.status == 2);
  CHECK(
      ends_with(asked.err,
                error_text("this needs an answer, and there is nobody to ask: Upgrade them? [y/N]",
                           "Give --yes to answer it beforehand.")));
  CHECK(states(dir, 0)["a"] == "behind");
}

TEST_CASE("Selectors choose tenants, and choosing none is an error", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 3, "0002");
  CHECK(dir.run({"upgrade", "--tenant", "a,c", "--yes"}).status == 0);
  CHECK(document(dir, {"status", "--status", "behind"}, 0)["tenants"].size() == 1);
  CHECK(document(dir, {"status", "--limit", "2"}, 0)["tenants"].size() == 2);
  const ProgramResult unknown = dir.run({"upgrade", "--tenant", "nope", "--yes"});
  CHECK(unknown.status == 2);
  CHECK(unknown.err == error_text("there is no tenant 'nope'", "Known are a, b and c."));
  const ProgramResult none = dir.run({"status", "--status", "edited"});
  CHECK(none.status == 2);
  CHECK(none.err == error_text("none of 3 tenants stands as edited",
                               "See drover status for where the tenants stand."));
}

TEST_CASE("An applied file that was edited is seen, refused, and can be accepted", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 1, "0002");
  write_step(dir, 2, {"CREATE TABLE two (x integer, y integer);", "DROP TABLE two;"});
  CHECK(states(dir, 7)["a"] == "edited");
  const json refused = document(dir, {"upgrade", "--yes"}, 7);
  CHECK(refused["tenants"][0]["error"]["message"] ==
        "revision '0002' was edited after it was applied");
  CHECK(ask_file(dir, "a", "SELECT max(revision) FROM drover_revisions;") == "0002\n");
  CHECK(dir.run({"repair", "--accept-edits", "--dry-run"}).status == 0);
  CHECK(states(dir, 7)["a"] == "edited");
  CHECK(dir.run({"repair", "--accept-edits", "--yes"}).status == 0);
  CHECK(dir.run({"upgrade", "--yes"}).status == 0);
  CHECK(states(dir, 0)["a"] == "current");
}

TEST_CASE("Status is read from the tenants, not from the run store", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 2, "0003");
  for (const char* name : {"runs.db", "runs.db-wal", "runs.db-shm"}) {
    fs::remove(dir.files() / name);
  }
  CHECK(states(dir, 0) == std::map<std::string, std::string>{{"a", "current"}, {"b", "current"}});
}

TEST_CASE("stamp says what is applied without running it", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 1, "0001");
  CHECK(dir.run({"stamp", "head", "--yes"}).status == 0);
  CHECK(states(dir, 0)["a"] == "current");
  CHECK(ask_file(dir, "a", "SELECT count(*) FROM sqlite_master WHERE name = 'two';") == "0\n");
  CHECK(dir.run({"stamp", "0002", "--purge", "--yes"}).status == 0);
  CHECK(ask_file(dir, "a", "SELECT group_concat(revision) FROM drover_revisions;") ==
        "0001,0002\n");
}

TEST_CASE("ready says whether an application may start", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 2, "0002");
  const ProgramResult behind = dir.run({"ready", "--tenant", "a"});
  CHECK(behind.status == 10);
  CHECK(behind.err == error_text("a is not ready: it stands at 0002, and heads is needed",
                                 "Wait until the upgrade has reached it, then ask again."));
  CHECK(dir.run({"ready", "--tenant", "a", "--min-revision", "0002"}).status == 0);
  CHECK(dir.run({"ready"}).status == 2);
}

TEST_CASE("A revision that cannot be undone stops a downgrade before anything runs", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 1, "");
  write_step(dir, 2, {"CREATE TABLE two (x integer);", "", "-- drover: irreversible drops data"});
  REQUIRE(dir.run({"upgrade", "--yes", "--create-files"}).status == 0);
  const auto refused = dir.run({"downgrade", "base", "--yes"});
  CHECK(refused.status == 2);
  CHECK(refused.err.find("revision '0002' cannot be undone, and ") != std::string::npos);
  CHECK(refused.err.find("tenants have it: drops data") != std::string::npos);
  CHECK(ask_file(dir, "a", "SELECT count(*) FROM drover_revisions;") == "3\n");
}

TEST_CASE("The script of upgrade --sql leaves a tenant that is current", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 1, "");
  const ProgramResult script = dir.run({"upgrade", "--sql", "base:head"});
  REQUIRE(script.status == 0);
  ask_file(dir, "a", script.out);
  CHECK(states(dir, 0)["a"] == "current");
  CHECK(document(dir, {"upgrade", "--yes"}, 0)["summary"]["current"] == 1);
}

TEST_CASE("Production asks for its name, and is never reset", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 2, "");
  write_settings(dir, "sqlite: fleet/*.db", "    production: true\n");
  const ProgramResult unnamed = dir.run({"upgrade", "--yes", "--create-files"});
  CHECK(unnamed.status == 2);
  CHECK(unnamed.err.find("--confirm=test") != std::string::npos);
  CHECK(fs::file_size(dir.files() / "fleet/a.db") == 0);
  const ProgramResult misnamed = dir.run({"upgrade", "--create-files", "--confirm=tset"});
  CHECK(misnamed.status == 2);
  CHECK(ends_with(misnamed.err,
                  error_text("the confirmation says 'tset', and this is 'test'",
                             "Give --confirm=test only when that is what you mean.")));
  CHECK(dir.run({"upgrade", "--create-files", "--confirm=test"}).status == 0);
  CHECK(states(dir, 0)["b"] == "current");
  const ProgramResult reset = dir.run({"reset", "--confirm=test"});
  CHECK(reset.status == 2);
  CHECK(reset.err.find("error: environment 'test' is production and is never reset\n") !=
        std::string::npos);
  CHECK(states(dir, 0)["b"] == "current");
}

TEST_CASE("A production tenant in another environment is refused until it is marked", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 1, "");
  write_settings(dir, "sqlite: fleet/*.db", "    production: true\n");
  REQUIRE(dir.run({"upgrade", "0002", "--create-files", "--confirm=test"}).status == 0);
  dir.files().write("drover.yaml",
                    "migrations: migrations\nstore: runs.db\nenvironments:\n"
                    "  copy:\n    tenants:\n      - sqlite: fleet/*.db\n");
  const json refused = document(dir, {"upgrade", "--yes"}, 7);
  CHECK(refused["tenants"][0]["error"]["kind"] == "environment_mismatch");
  const ProgramResult reset = dir.run({"reset", "--confirm=copy"});
  CHECK(reset.status == 2);
  CHECK(reset.err.find("error: tenant a is marked production and is never reset\n") !=
        std::string::npos);
  CHECK(dir.run({"mark", "copy", "--yes"}).status == 0);
  CHECK(dir.run({"upgrade", "--yes"}).status == 0);
  CHECK(dir.run({"reset", "--confirm=cpoy"}).status == 2);
  CHECK(dir.run({"reset", "--confirm=copy"}).status == 0);
  CHECK(ask_file(dir, "a", "SELECT name FROM sqlite_master;").empty());
}

TEST_CASE("A tenant that cannot be asked whether it is production stops a reset", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 2, "0002");
  dir.files().write("fleet/b.db", std::string(4096, '?'));
  CHECK(dir.run({"reset", "--confirm=test"}).status == 3);
  CHECK(ask_file(dir, "a", "SELECT count(*) FROM drover_revisions;") == "2\n");
  const ProgramResult stamped = dir.run({"stamp", "head", "--yes", "--tenant", "b"});
  CHECK(stamped.status == 3);
  CHECK(stamped.err.find("nothing to change") == std::string::npos);
}

TEST_CASE("doctor, tenants and runs read and tell", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 2, "0003");
  CHECK(dir.run({"doctor"}).status == 0);
  const json tenants = document(dir, {"tenants"}, 0);
  CHECK(tenants["tenants"].size() == 2);
  const json runs = document(dir, {"runs"}, 0);
  REQUIRE(runs["runs"].size() == 1);
  CHECK(runs["runs"][0]["state"] == "finished");
  CHECK(runs["runs"][0]["verb"] == "upgrade");
}

TEST_CASE("Every schema of one database is a tenant, whatever its name", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  const std::vector<std::string> schemas{"t_plain",
                                         "t_\"; DROP SCHEMA t_plain CASCADE; --",
                                         "t_\U0001F404",
                                         "t_" + std::string(58, 'x')};
  make_schemas(dir, "cli_schemas", schemas);
  REQUIRE(dir.run({"upgrade", "0002", "--yes"}).status == 0);
  CHECK(shared_cluster().value("cli_schemas",
                               "SELECT count(*) FROM pg_tables WHERE tablename = 'two' AND "
                               "schemaname LIKE 't\\_%'") == "4");
  for (const std::string& schema : schemas) {
    const std::string name = drover::engine::quoted_identifier(schema);
    CHECK(shared_cluster().value(
              "cli_schemas", "SELECT max(revision) FROM " + name + ".drover_revisions") == "0002");
  }
  const json status = document(dir, {"status"}, 0);
  CHECK(status["summary"]["behind"] == 4);
  CHECK(dir.run({"downgrade", "base", "--yes"}).status == 0);
  CHECK(dir.run({"reset", "--confirm=test"}).status == 0);
  CHECK(shared_cluster().value("cli_schemas",
                               "SELECT count(*) FROM pg_class JOIN pg_namespace n ON n.oid = "
                               "relnamespace WHERE nspname LIKE 't\\_%'") == "0");
}

TEST_CASE("A PostgreSQL tenant that fails is left as it was, and told", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  make_schemas(dir, "cli_failing", {"t_a", "t_b"});
  shared_cluster().execute("cli_failing", "CREATE TABLE t_b.two (oops integer)");
  const json failed = document(dir, {"upgrade", "--yes"}, 3);
  const json& error = failed["tenants"][1]["error"];
  CHECK(failed["tenants"][0]["outcome"] == "applied");
  CHECK(error["sqlstate"] == "42P07");
  CHECK(error["message"] == "revision '0002' failed: relation \"two\" already exists");
  CHECK(error["file"] == (dir.files() / "migrations/0002_step.sql").string());
  CHECK(error["line"] == 6);
  shared_cluster().execute("cli_failing", "DROP TABLE t_b.two");
  CHECK(document(dir, {"upgrade", "--yes"}, 0)["summary"]["applied"] == 1);
  CHECK(document(dir, {"status", "--detailed-exitcode"}, 0)["summary"]["current"] == 2);
}

TEST_CASE("Every database of a server that fits is a tenant", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  for (const std::string name : {"cli_fleet_1", "cli_fleet_2", "cli_fleet_x\"; --"}) {
    shared_cluster().create_database(name);
  }
  write_steps(dir);
  write_settings(dir,
                 fmt::format("databases: {{server: \"{}\", match: \"cli_fleet_*\"}}",
                             shared_cluster().conninfo("postgres")));
  CHECK(document(dir, {"upgrade", "--yes"}, 0)["summary"]["applied"] == 3);
  CHECK(shared_cluster().value("cli_fleet_x\"; --", "SELECT max(revision) FROM drover_revisions") ==
        "0003");
  CHECK(dir.run({"doctor"}).status == 0);
  CHECK(dir.run({"downgrade", "-2", "--yes", "--limit", "1"}).status == 0);
  CHECK(document(dir, {"status"}, 0)["summary"]["behind"] == 1);
}

TEST_CASE("psql runs the script of upgrade --sql, and the tenant is current", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  make_schemas(dir, "cli_script", {"t_odd name"});
  const ProgramResult script = dir.run({"upgrade", "--sql", "base:head", "--schema", "t_odd name"});
  REQUIRE(script.status == 0);
  const std::string command = fmt::format("psql -q -X -d '{}' -f '{}' >/dev/null",
                                          shared_cluster().conninfo("cli_script"),
                                          dir.files().write("script.sql", script.out).string());
  REQUIRE(std::system(command.c_str()) == 0);
  CHECK(document(dir, {"status"}, 0)["summary"]["current"] == 1);
  CHECK(document(dir, {"upgrade", "--yes"}, 0)["summary"]["current"] == 1);
}

TEST_CASE("A second run waits for nobody: it is refused while the first one lives", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 1, "0001");
  {
    const auto journal = drover::orchestrator::store::open_journal(
        drover::engine::Secret("runs.db"), dir.files().path());
    drover::orchestrator::RunRequest other;
    other.environment = "test";
    other.verb = "upgrade";
    other.target = "0002";
    other.tenants = {{"a"}};
    journal->begin_run(other, {"colleague", drover::orchestrator::store::host_name(), getpid()});
    const ProgramResult refused = dir.run({"upgrade", "--yes"});
    INFO(refused.err);
    CHECK(refused.status == 5);
    CHECK(refused.err.find("colleague") != std::string::npos);
    CHECK(states(dir, 0)["a"] == "behind");
  }
}

TEST_CASE("What a tenant is called is never code", "[cli]") {
  const ProgramDir dir;
  write_steps(dir);
  const std::vector<std::string> ids{
      "a'; DROP TABLE one; --", "$(touch pwned)", "\U0001F404", "{}%s\\n", "<script>"};
  json list = json::array();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::string file = fmt::format("fleet/{}.db", i);
    dir.files().write(file, "");
    list.push_back({{"id", ids[i]}, {"target", "sqlite:" + file}});
  }
  write_settings(dir, "list: " + list.dump());
  REQUIRE(dir.run({"upgrade", "--yes", "--create-files"}).status == 0);
  std::vector<std::string> seen;
  const json status = document(dir, {"status"}, 0);
  for (const json& tenant : status["tenants"]) {
    seen.push_back(tenant["id"]);
    CHECK(tenant["state"] == "current");
  }
  CHECK_THAT(seen, Catch::UnorderedEquals(ids));
  CHECK(!fs::exists(dir.files() / "pwned"));
  CHECK(ask_file(dir, "0", "SELECT count(*) FROM one;") == "0\n");
}

TEST_CASE("shell runs sqlite3 on the tenant's file", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 2, "0001");
  const ProgramResult shell =
      dir.run({"shell", "--tenant", "b", "--", "SELECT revision FROM drover_revisions"});
  CHECK(shell.out == "0001\n");
  CHECK(shell.status == 0);
  CHECK(dir.run({"shell"}).status == 2);
}

TEST_CASE("shell runs psql in the tenant's schema, with the password in a file only", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  make_schemas(dir, "cli_shell", {"t_odd \\ name"});
  write_settings(dir,
                 fmt::format("schemas: {{database: \"{} password=${{env:PW}}\", match: \"t_*\"}}",
                             shared_cluster().conninfo("cli_shell")));
  const ProgramResult shell =
      dir.run({"shell", "--", "-X", "-A", "-t", "-c", "SHOW search_path"}, {{"PW", "hidden:pass"}});
  INFO(shell.err);
  CHECK(shell.out == "\"t_odd \\ name\"\n");
  const ProgramResult words =
      dir.run({"shell", "--", "-X", "-c", "\\! tr '\\0' ' ' </proc/$PPID/cmdline; cat $PGPASSFILE"},
              {{"PW", "hidden:pass"}});
  INFO(words.out);
  CHECK(words.out.find("psql host=") != std::string::npos);
  CHECK(words.out.find("hidden:pass") == std::string::npos);
  CHECK(ends_with(words.out, "*:*:*:*:hidden\\:pass\n"));
}

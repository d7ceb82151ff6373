// The files under config/ that people copy: each is used here the way it says it is used.

#include <catch2/catch.hpp>

#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tests/orchestrator/cli/program_run.h"
#include "tests/support/pg_cluster.h"

using drover::test::PgCluster;
using drover::test::PgClusterOptions;
using drover::test::ProgramDir;
using drover::test::ProgramResult;
using nlohmann::json;

namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

const fs::path kConfig = fs::path(DROVER_SOURCE_DIR) / "config";

void write_steps(const ProgramDir& dir, int count) {
  for (int number = 1; number <= count; ++number) {
    const std::string parent = number == 1 ? "none" : fmt::format("{:04}", number - 1);
    dir.files().write(fmt::format("migrations/{:04}_step.sql", number),
                      fmt::format("-- drover: revision {0:04}\n-- drover: parents {1}\n"
                                  "-- drover: message Step {0}\n\n-- drover: up\n"
                                  "CREATE TABLE step_{0} (x integer);\n\n-- drover: down\n"
                                  "DROP TABLE step_{0};\n",
                                  number,
                                  parent));
  }
}

/// Two files of an environment `production` that stand at the second of two revisions.
void write_production(const ProgramDir& dir) {
  write_steps(dir, 2);
  dir.files().write("drover.yaml",
                    "migrations: migrations\nstore: runs.db\nenvironments:\n  production:\n"
                    "    production: true\n    tenants:\n      - sqlite: fleet/*.db\n");
  dir.files().write("fleet/a.db", "");
  dir.files().write("fleet/b.db", "");
  REQUIRE(dir.run({"upgrade", "--create-files", "--confirm=production"}).status == 0);
  fs::remove(dir.files() / "runs.db");
}

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  REQUIRE(!text.str().empty());
  return text.str();
}

/// What follows `start` in the one line of `text` that begins with it.
std::string line_after(const std::string& text, const std::string& start) {
  const std::size_t at = ("\n" + text).find("\n" + start);
  REQUIRE(at != std::string::npos);
  const std::size_t from = at + start.size();
  return text.substr(from, text.find('\n', from) - from);
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), by);
}

/// The words of a command line whose configuration is that of the test.
Words words_of(const std::string& line) {
  std::istringstream command(replaced(line, "/etc/drover/", ""));
  Words words;
  for (std::string word; command >> word;) {
    words.push_back(word);
  }
  return words;
}

/// Exit status of a shell command line in `dir`; what it prints is in the file "said".
int run_shell(const ProgramDir& dir, const std::string& command) {
  const std::string line =
      fmt::format("cd '{}' && ( {} ) >said 2>&1", dir.files().path().string(), command);
  const int status = std::system(line.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

constexpr const char* kSteps = "SELECT count(*) FROM sqlite_master WHERE name LIKE 'step_%'";

/// Copies the recipe `name` of config/hooks into `dir`, with `tenants` new files of three revisions
/// to take, and its environment ready to be used by tests.
void copy_recipe(const ProgramDir& dir, const std::string& name, const Words& tenants) {
  for (const auto& entry : fs::directory_iterator(kConfig / "hooks" / name)) {
    fs::copy(entry.path(), dir.files() / entry.path().filename().string());
  }
  write_steps(dir, 3);
  for (const std::string& tenant : tenants) {
    fs::create_directories(dir.files() / "fleet");
    REQUIRE(run_shell(dir, fmt::format("sqlite3 'fleet/{}.db' 'CREATE TABLE app (x)'", tenant)) ==
            0);
  }
}

/// The program as its user calls it: found by PATH, by hooks too.
int run_recipe(const ProgramDir& dir, const std::string& words) {
  return run_shell(dir,
                   fmt::format("PATH='{}':\"$PATH\"; drover {}",
                               fs::path(DROVER_PROGRAM).parent_path().string(),
                               words));
}

std::string sqlite(const ProgramDir& dir, const std::string& file, const std::string& sql) {
  REQUIRE(run_shell(dir, fmt::format("sqlite3 '{}' \"{}\"", file, sql)) == 0);
  return dir.files().read("said");
}

}  // namespace

TEST_CASE("The systemd unit runs a status that reads, and tells pending from broken", "[cli]") {
  const ProgramDir dir;
  write_production(dir);
  const std::string unit = text_of(kConfig / "systemd/drover-status.service");
  CHECK(line_after(unit, "SuccessExitStatus=") == "10");
  const Words words = words_of(line_after(unit, "ExecStart=/usr/bin/drover "));
  const ProgramResult current = dir.run(words);
  CHECK(current.status == 0);
  CHECK(json::parse(current.out)["summary"]["current"] == 2);
  CHECK(!fs::exists(dir.files() / "runs.db"));  // the unit may not write there
  write_steps(dir, 3);
  CHECK(dir.run(words).status == 10);
  dir.files().write("fleet/a.db", "this is no database, however long one makes the text of it");
  CHECK(dir.run(words).status == 3);
}

TEST_CASE("The timer belongs to the unit and goes off every night", "[cli]") {
  const std::string timer = text_of(kConfig / "systemd/drover-status.timer");
  CHECK(line_after(timer, "OnCalendar=") == "*-*-* 02:30:00");
  CHECK(line_after(timer, "Persistent=") == "true");
  CHECK(line_after(timer, "WantedBy=") == "timers.target");
  CHECK(fs::exists(kConfig / "systemd/drover-status.service"));  // the timer's name, and its unit
}

TEST_CASE("The unit for backups finds damage, and tries what is kept, without touching tenants",
          "[cli]") {
  const ProgramDir dir;
  write_production(dir);
  dir.files().write(
      "drover.yaml",
      dir.files().read("drover.yaml") + "    backup: {policy: required, directory: backups}\n");
  REQUIRE(dir.run({"backup"}).status == 0);
  const std::string tenant = dir.files().read("fleet/a.db");
  const std::string unit = text_of(kConfig / "systemd/drover-backups.service");
  const std::string start = "ExecStart=/usr/bin/drover ";
  const std::size_t second = unit.find(start, unit.find(start) + 1);
  REQUIRE(second != std::string::npos);
  const Words verify = words_of(line_after(unit, start));
  const Words drill = words_of(line_after(unit.substr(second), start));
  const std::string cron = text_of(kConfig / "cron/drover-backups");
  for (const Words& words : {verify, drill}) {  // cron says the same
    CHECK(cron.find(replaced(fmt::format("{} >>", fmt::join(words, " ")),
                             "-c drover.yaml",
                             "-c /etc/drover/drover.yaml")) != std::string::npos);
  }
  CHECK(json::parse(dir.run(verify).out)["backups"].size() == 2);
  CHECK(json::parse(dir.run(drill).out)["drills"].size() == 2);
  CHECK(dir.files().read("fleet/a.db") == tenant);
  for (const auto& kept : fs::recursive_directory_iterator(dir.files() / "backups")) {
    if (kept.path().extension() == ".db") {
      fs::resize_file(kept.path(), 5);
    }
  }
  CHECK(dir.run(verify).status == 7);
  CHECK(dir.run(drill).status == 7);
  const std::string timer = text_of(kConfig / "systemd/drover-backups.timer");
  CHECK(line_after(timer, "OnCalendar=") == "*-*-* 03:30:00");
}

TEST_CASE("The cron line logs the report and fails only when something is off", "[cli]") {
  const ProgramDir dir;
  write_production(dir);
  std::string line =
      line_after(text_of(kConfig / "cron/drover-status"), "30 2 * * * drover ");  // user drover
  CHECK(line.find('%') == std::string::npos);  // cron would make it the end of the line
  line = replaced(line, "/etc/drover/", "");
  line = replaced(line, "/var/log/drover/", "");
  const std::string command =
      fmt::format("PATH='{}':\"$PATH\"; {}", fs::path(DROVER_PROGRAM).parent_path().string(), line);
  CHECK(run_shell(dir, command) == 0);
  CHECK(json::parse(dir.files().read("status.json"))["summary"]["current"] == 2);
  write_steps(dir, 3);
  CHECK(run_shell(dir, command) == 0);
  dir.files().write("fleet/a.db", "this is no database, however long one makes the text of it");
  CHECK(run_shell(dir, command) != 0);
}

TEST_CASE("The make targets do what their names say", "[cli]") {
  const ProgramDir dir;
  write_steps(dir, 2);
  dir.files().write("drover.yaml",
                    "migrations: migrations\nstore: runs.db\nenvironments:\n  test:\n"
                    "    tenants:\n      - sqlite: fleet/*.db\n");
  dir.files().write("fleet/a.db", "");
  REQUIRE(dir.run({"upgrade", "0001", "--yes", "--create-files"}).status == 0);
  const auto make = [&](const std::string& words) {
    return run_shell(dir,
                     fmt::format("make -s -f '{}' DROVER='{}' {}",
                                 (kConfig / "migrate.mk").string(),
                                 DROVER_PROGRAM,
                                 words));
  };
  const auto revision = [&] {
    const ProgramResult answer = dir.run({"current", "-o", "json"});
    return json::parse(answer.out)["tenants"][0]["current"].dump();
  };
  CHECK(make("migrate-status") == 0);
  CHECK(make("migrate-upgrade DROVER_FLAGS=--yes") == 0);
  CHECK(revision() == R"(["0002"])");
  CHECK(make("migrate-downgrade") == 2);
  CHECK(dir.files().read("said").find("say REVISION=-1, an id, or base") != std::string::npos);
  CHECK(make("migrate-downgrade REVISION=-1 DROVER_FLAGS=--yes") == 0);
  CHECK(revision() == R"(["0001"])");
  CHECK(make("migrate-create") == 2);
  CHECK(make("migrate-create MESSAGE='add a thing' EMPTY=true") == 0);
  CHECK(make("migrate-validate") == 0);
  CHECK(make("migrate-history") == 0);
  CHECK(dir.files().read("said").find("add a thing") != std::string::npos);
}

TEST_CASE("The example configuration is one, in each of its environments", "[cli]") {
  const ProgramDir dir;
  const std::string file = (kConfig / "drover.example.yaml").string();
  for (const std::string environment : {"development", "staging", "production"}) {
    const ProgramResult shown =
        dir.run({"config", "show", "-c", file, "-e", environment},
                {{"CONTROL_DATABASE_URL", "postgres://reader@control/fleet"}});
    INFO(shown.err);
    CHECK(shown.status == 0);
  }
}

TEST_CASE("roles.sql gives each role what it says, and no more", "[cli]") {
  REQUIRE(PgCluster::available());
  const PgCluster cluster(PgClusterOptions{.listen = PgClusterOptions::Listen::socket});
  cluster.execute("postgres", "CREATE ROLE app NOLOGIN");
  cluster.create_database("tenant_1");
  cluster.execute("postgres", "ALTER DATABASE tenant_1 OWNER TO app");
  const ProgramDir dir;
  const auto grant = [&] {
    return run_shell(dir,
                     fmt::format("psql -q -X -v owner=app -v schema=public -f '{}' -d '{}'",
                                 (kConfig / "roles.sql").string(),
                                 cluster.conninfo("tenant_1")));
  };
  REQUIRE(grant() == 0);
  cluster.execute(
      "postgres",
      "CREATE ROLE robot LOGIN IN ROLE drover_migrator; ALTER ROLE robot SET role = app;"
      "CREATE ROLE alice LOGIN IN ROLE drover_planner;"
      "CREATE ROLE night LOGIN IN ROLE drover_auditor");
  write_steps(dir, 2);
  const auto run_as = [&](const std::string& user, const Words& words) {
    const std::string target = fmt::format("host={} port={} user={} dbname=tenant_1",
                                           cluster.socket_directory(),
                                           cluster.port(),
                                           user);
    Words all{"--database", target};
    all.insert(all.end(), words.begin(), words.end());
    const ProgramResult result = dir.run(all);
    UNSCOPED_INFO(result.out << result.err);
    return result.status;
  };
  CHECK(run_as("alice", {"status"}) == 0);
  CHECK(run_as("alice", {"upgrade", "--yes"}) != 0);
  CHECK(cluster.value("tenant_1", "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") ==
        "0");
  REQUIRE(run_as("robot", {"upgrade", "0001", "--yes"}) == 0);
  CHECK(cluster.value("tenant_1",
                      "SELECT string_agg(DISTINCT tableowner, ',') FROM pg_tables "
                      "WHERE schemaname = 'public'") == "app");
  REQUIRE(grant() == 0);  // as its head says: once more when the history tables are there
  CHECK(run_as("alice", {"status", "--detailed-exitcode"}) == 10);
  CHECK(run_as("night", {"status", "--detailed-exitcode"}) == 10);
  CHECK(run_as("alice", {"upgrade", "--yes"}) != 0);
  CHECK(run_as("robot", {"upgrade", "--yes"}) == 0);
  CHECK(run_as("alice", {"status", "--detailed-exitcode"}) == 0);
  const auto may_read = [&](const std::string& user) {
    return cluster.value("tenant_1",
                         fmt::format("SELECT has_table_privilege('{}', 'step_1', 'SELECT')", user));
  };
  CHECK(may_read("alice") == "f");
  CHECK(may_read("night") == "f");
  CHECK(may_read("drover_backup") == "t");
}

TEST_CASE("The deploy recipe saves, migrates, deploys, verifies and asks, ring by ring", "[cli]") {
  const ProgramDir dir;
  copy_recipe(dir, "deploy-recipe", {"a", "b", "c d"});
  dir.files().write("release", "broken 2.0\n");

  // A release that does not serve stops at the canary.
  CHECK(run_recipe(dir, "upgrade --confirm=production") == 4);
  INFO(dir.files().read("said"));
  CHECK(dir.files().read("said").find(
            "stage_end hook './health.sh' exited with status 1: ring canary does not answer") !=
        std::string::npos);
  CHECK(dir.files().read("told.log") ==
        "run stopped: hook_failed (stage_end hook './health.sh' exited with status 1: ring canary "
        "does not answer)\n"
        "run ended with status 4, 1 applied (stage_end hook './health.sh' exited with status 1: "
        "ring canary does not answer)\n");
  CHECK_FALSE(fs::exists(dir.files() / "deployed/rest"));
  CHECK(sqlite(dir, "fleet/b.db", kSteps) == "0\n");

  // A better one goes on from there.
  dir.files().write("release", "good 2.1\n");
  CHECK(run_recipe(dir, "resume") == 0);
  INFO(dir.files().read("said"));
  CHECK(dir.files().read("deployed/canary") == "good 2.1\n");
  CHECK(dir.files().read("deployed/rest") == "good 2.1\n");
  CHECK(sqlite(dir, "fleet/c d.db", "SELECT count(*) FROM step_3") == "0\n");

  // Every tenant has its copy from before.
  std::size_t copies = 0;
  for (const auto& entry : fs::recursive_directory_iterator(dir.files() / "backups")) {
    if (entry.is_regular_file()) {
      ++copies;
      CHECK(sqlite(dir, entry.path().string(), kSteps) == "0\n");
    }
  }
  CHECK(copies == 3);
}

TEST_CASE("The deploy recipe leaves a tenant alone that it cannot save", "[cli]") {
  const ProgramDir dir;
  copy_recipe(dir, "deploy-recipe", {"a"});
  dir.files().write("release", "good 2.1\n");
  dir.files().write("backups", "a file where the folder should be");
  CHECK(run_recipe(dir, "upgrade --confirm=production") == 4);  // the canary's budget is strict
  CHECK(sqlite(dir, "fleet/a.db", kSteps) == "0\n");
  CHECK(dir.files().read("told.log").find("tenant a: failed (before_tenant hook './backup.sh'") !=
        std::string::npos);
}

TEST_CASE("The deploy recipe saves PostgreSQL tenants as well", "[cli]") {
  REQUIRE(PgCluster::available());
  const PgCluster cluster(PgClusterOptions{.listen = PgClusterOptions::Listen::socket});
  cluster.create_database("tenant_1");
  cluster.execute("tenant_1", "CREATE TABLE precious AS SELECT 42 AS answer");
  const ProgramDir dir;
  REQUIRE(run_shell(dir, "id -un") == 0);  // the role that pg_dump is by default
  std::string user = dir.files().read("said");
  user.pop_back();
  if (cluster.value("postgres", "SELECT count(*) FROM pg_roles WHERE rolname = '" + user + "'") ==
      "0") {
    cluster.execute("postgres", "CREATE ROLE \"" + user + "\" LOGIN SUPERUSER");
  }
  copy_recipe(dir, "deploy-recipe", {});
  dir.files().write("release", "good 2.1\n");
  dir.files().write("drover.yaml",
                    replaced(dir.files().read("drover.yaml"),
                             "sqlite: fleet/*.db",
                             fmt::format("databases: {{server: \"{}\", match: \"tenant_*\"}}",
                                         cluster.conninfo("postgres"))));
  CHECK(run_recipe(dir, "upgrade --confirm=production") == 0);
  INFO(dir.files().read("said"));
  REQUIRE(fs::exists(dir.files() / "backups"));
  CHECK(run_shell(dir, "pg_restore --file=- backups/*/t.tenant_1.*") == 0);
  const std::string dump = dir.files().read("said");
  CHECK(dump.find("CREATE TABLE public.precious") != std::string::npos);
  CHECK(dump.find("step_1") == std::string::npos);
}

TEST_CASE("The drain recipe gives back what it has drained, however it went", "[cli]") {
  const ProgramDir dir;
  copy_recipe(dir, "drain-tenant", {"a", "b", "c"});
  sqlite(dir, "fleet/b.db", "CREATE TABLE step_2 (x)");
  CHECK(run_recipe(dir, "upgrade --confirm=production") == 3);
  INFO(dir.files().read("said"));
  CHECK(fs::is_empty(dir.files() / "drained"));
  CHECK(sqlite(dir, "fleet/a.db", "SELECT count(*) FROM step_3") == "0\n");
}

TEST_CASE("The drain recipe leaves a tenant alone in which somebody goes on working", "[cli]") {
  const ProgramDir dir;
  copy_recipe(dir, "drain-tenant", {"a", "b"});
  dir.files().write("busy/b", "");
  dir.files().write("drover.yaml",
                    replaced(dir.files().read("drover.yaml"),
                             "[./drain.sh], deadline: 2m",
                             "[./drain.sh], deadline: 500ms"));
  CHECK(run_recipe(dir, "upgrade --confirm=production") == 3);
  CHECK(dir.files().read("said").find(
            "before_tenant hook './drain.sh' did not end within 500 ms") != std::string::npos);
  CHECK(fs::is_empty(dir.files() / "drained"));
  CHECK(sqlite(dir, "fleet/b.db", kSteps) == "0\n");
}

// Backups of fleets of real PostgreSQL databases and schemas: what is wrecked comes back equal, and
// whatever goes wrong with a dump, no tenant without a proven one is written to.

#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/orchestrator/cli/program_child.h"
#include "tests/orchestrator/cli/staged_fleet.h"
#include "tests/support/schema_snapshot.h"

using drover::test::PgCluster;
using drover::test::ProgramChild;
using drover::test::ProgramDir;
using drover::test::ProgramResult;
using drover::test::rows_of_postgres;
using drover::test::schema_of_postgres;
using drover::test::shared_cluster;
using namespace drover::test::fleet;  // NOLINT(google-build-using-namespace): tests only
using namespace std::chrono_literals;

namespace {

using Lines = std::vector<std::string>;

constexpr const char* kRequired =
    "    backup: {policy: required, directory: backups, per_server: 4}\n";

/// All that a tenant holds: its rows and its schema.
Lines content_of(const PgCluster& cluster,
                 const std::string& database,
                 const std::string& schema = "public") {
  Lines lines = rows_of_postgres(cluster.conninfo(database), schema);
  const Lines more = schema_of_postgres(cluster.conninfo(database), schema);
  lines.insert(lines.end(), more.begin(), more.end());
  return lines;
}

void write_two_steps(const ProgramDir& dir) {
  write_step(dir,
             1,
             {"CREATE TABLE files (id bigserial PRIMARY KEY, name text NOT NULL, data bytea);\n"
              "INSERT INTO files (name, data) SELECT 'file ' || i, sha256(i::text::bytea) FROM "
              "generate_series(1, 50) i;\n"
              "CREATE TABLE results (file_id bigint REFERENCES files, n numeric);\n"
              "INSERT INTO results SELECT id, id / 7.0 FROM files;",
              "DROP TABLE results; DROP TABLE files;"});
  write_step(dir,
             2,
             {"ALTER TABLE files ADD COLUMN size bigint;\nUPDATE files SET size = length(data);",
              "ALTER TABLE files DROP COLUMN size;"});
}

/// A file system that is full soon, as long as this lives; absent without the right to mount one.
class SmallDisk {
 public:
  explicit SmallDisk(std::string folder)
      : folder_(std::move(folder)),
        is_mounted_(mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=400k,mode=0700") == 0) {}
  ~SmallDisk() {
    if (is_mounted_) {
      umount2(folder_.c_str(), MNT_DETACH);
    }
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool is_mounted() const noexcept { return is_mounted_; }

 private:
  const std::string folder_;
  const bool is_mounted_;
};

/// Files of a backup that is not there as a whole.
std::size_t leftovers(const ProgramDir& dir) {
  std::size_t count = 0;
  if (fs::exists(dir.files() / "backups")) {
    for (const auto& entry : fs::recursive_directory_iterator(dir.files() / "backups")) {
      count += entry.is_directory() || entry.path().extension() == ".json" ? 0U : 1U;
    }
  }
  return count;
}

/// Processes whose command line holds `word`.
bool is_running(const std::string& word) {
  return std::system(
             fmt::format("pgrep -f '[{}]{}' >/dev/null", word[0], word.substr(1)).c_str()) == 0;
}

/// A folder with a pg_dump of ours and the real pg_restore.
void write_tools(const ProgramDir& dir, const std::string& dump) {
  const std::string version =
      "case \"$1\" in --version) exec pg_dump --version;; esac\nfor word; do case \"$word\" in "
      "--file=*) file=${word#--file=};; esac; done\n";
  dir.files().write("tools/pg_dump", "#!/bin/sh\n" + version + dump + "\n");
  fs::permissions(dir.files() / "tools/pg_dump", fs::perms::owner_all);
  if (!fs::exists(dir.files() / "tools/pg_restore")) {
    dir.files().write("tools/pg_restore", "#!/bin/sh\nexec pg_restore \"$@\"\n");
    fs::permissions(dir.files() / "tools/pg_restore", fs::perms::owner_all);
  }
}

}  // namespace

TEST_CASE("a fleet of 100 is migrated behind backups, five are wrecked and come back equal",
          "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  const PgCluster cluster({.files = drover::test::PgClusterOptions::Files::memory_if_roomy});
  StagedFleet fleet;
  fleet.add(cluster, "shop_", 100);
  write_two_steps(dir);
  fleet.write(dir, {"name: rest"});
  REQUIRE(dir.run({"upgrade", "0001", "--yes"}).status == 0);
  const Words wrecked{"shop_003", "shop_017", "shop_042", "shop_077", "shop_099"};
  std::map<std::string, Lines> before;
  for (const std::string& tenant : wrecked) {
    fleet.execute(tenant, "INSERT INTO files (name) VALUES ('only in " + tenant + "')");
    before.emplace(tenant, content_of(cluster, tenant));
  }
  fleet.write(dir, {"name: canary, select: {count: 3}", "name: rest"}, kRequired);
  const json run = document(dir, {"upgrade", "--yes"}, 0);
  REQUIRE(run["summary"]["applied"] == 100);
  const json made = document(dir, {"backups", "list"}, 0)["backups"];
  REQUIRE(made.size() == 100);
  CHECK(std::all_of(made.begin(), made.end(), [&](const json& one) {
    return one["run"] == run["run"] && one["heads"] == json{"0001"} && one["rows"] >= 100;
  }));

  fleet.execute(wrecked[0], "DROP TABLE results, files");
  fleet.execute(wrecked[1], "DELETE FROM results WHERE n > 3");
  fleet.execute(wrecked[2], "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
  fleet.execute(wrecked[3], "UPDATE files SET data = NULL WHERE id = 7");
  fleet.execute(wrecked[4], "TRUNCATE files CASCADE; ALTER TABLE files DROP COLUMN name");
  const Lines bystander = content_of(cluster, "shop_050");
  Words restore{"restore", "--run", run["run"], "--yes", "--tenant"};
  restore.push_back(fmt::format("{}", fmt::join(wrecked, ",")));
  const json restored = document(dir, restore, 0);
  CHECK(restored["summary"]["applied"] == 5);
  for (const std::string& tenant : wrecked) {
    CAPTURE(tenant);
    CHECK(content_of(cluster, tenant) == before.at(tenant));
    CHECK(text_of(fleet.history(tenant)) == "up 0001");
  }
  CHECK(content_of(cluster, "shop_050") == bystander);
  CHECK(cluster.value("postgres",
                      "SELECT count(*) FROM pg_database WHERE datname LIKE 'shop\\_%\\_before\\_%' "
                      "AND NOT datallowconn") == "5");
  CHECK(document(dir, {"status"}, 0)["summary"]["total"] == 100);  // what is kept is no tenant
  CHECK(document(dir, {"upgrade", "--yes"}, 0)["summary"]["applied"] == 5);
  CHECK(dir.run({"restore", "--drill", "--sample", "5"}).status == 0);
  CHECK(dir.run({"backups", "verify"}).status == 0);
}

TEST_CASE("a pg_dump that fails, dies, hangs, floods or lies lets no tenant be written to",
          "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  StagedFleet fleet;
  fleet.add(shared_cluster(), "dump_", 2);
  write_two_steps(dir);
  struct Mode {
    std::string what;
    std::string script;
    std::string told;
  };
  const std::vector<Mode> modes{
      {"fails", "echo 'pg_dump: error: no' >&2; exit 1", "pg_dump exited with status 1: no"},
      {"is killed", "kill -9 $$", "pg_dump was killed by signal 9"},
      {"hangs", "exec sleep 4321", "pg_dump did not end within "},
      {"ignores TERM", "trap '' TERM; while :; do sleep 0.1; done", "pg_dump did not end within "},
      {"prints gigabytes of errors and output",
       "head -c 2000000000 /dev/zero; head -c 200000000 /dev/zero >&2; exit 1",
       "pg_dump "},
      {"calls nothing a success", "exit 0", "pg_restore exited with status 1: "},
      {"calls garbage a success", "echo garbage >\"$file\"", "pg_restore exited with status 1: "},
      {"cuts its file short",
       "pg_dump \"$@\" && truncate -s -300 \"$file\"",
       "pg_restore exited with status 1: "},
  };
  for (const Mode& mode : modes) {
    CAPTURE(mode.what);
    write_tools(dir, mode.script);
    fleet.write(dir,
                {"name: rest, budget: {failures: 5}"},
                "    backup: {policy: required, directory: backups, tools: tools, deadline: 2s}\n");
    const ProgramResult stopped = dir.run({"upgrade", "--yes"});
    CHECK(stopped.status == 3);
    INFO(stopped.err);
    CHECK(stopped.err.find("(backup): " + mode.told) != std::string::npos);
    for (const auto& [tenant, history] : fleet.histories()) {
      CHECK(history.empty());
      CHECK(fleet.ask(tenant, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == "0");
    }
    CHECK(leftovers(dir) == 0);
    CHECK_FALSE(is_running(dir.files().path().string() + "/backups"));
  }
  CHECK_FALSE(is_running("sleep 4321"));
}

TEST_CASE("a dump of another tenant that calls itself a success is not taken for this one",
          "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  StagedFleet fleet;
  fleet.add(shared_cluster(), "mixed_", 2);
  write_two_steps(dir);
  fleet.write(dir, {"name: rest"});
  REQUIRE(dir.run({"upgrade", "0001", "--yes"}).status == 0);
  write_tools(dir,
              fmt::format("exec pg_dump --format=custom --file=\"$file\" --dbname=\"{}\"",
                          shared_cluster().conninfo("mixed_000")));
  fleet.write(dir,
              {"name: rest, budget: {failures: 5}"},
              "    backup: {policy: required, directory: backups, tools: tools}\n");
  const json run = document(dir, {"upgrade", "--yes"}, 3);
  CHECK(outcomes(run) == "mixed_000 applied, mixed_001 failed");
  CHECK(text_of(fleet.history("mixed_001")) == "up 0001");
  CHECK(document(dir, {"backups", "list"}, 0)["backups"].size() == 1);
}

TEST_CASE("tools that are missing or older than the server are refused by the plan", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  StagedFleet fleet;
  fleet.add(shared_cluster(), "tools_", 1);
  write_two_steps(dir);
  fleet.write(
      dir, {"name: rest"}, "    backup: {policy: required, directory: backups, tools: tools}\n");
  const ProgramResult missing = dir.run({"plan"});
  CHECK(missing.status == 2);
  CHECK(missing.err.find("backups need pg_dump: ") != std::string::npos);
  dir.files().write("tools/pg_dump", "#!/bin/sh\necho 'pg_dump (PostgreSQL) 12.22'\n");
  dir.files().write("tools/pg_restore", "#!/bin/sh\necho 'pg_restore (PostgreSQL) 12.22'\n");
  fs::permissions(dir.files() / "tools/pg_dump", fs::perms::owner_all);
  fs::permissions(dir.files() / "tools/pg_restore", fs::perms::owner_all);
  const ProgramResult old = dir.run({"upgrade", "--yes"});
  CHECK(old.status == 2);
  CHECK(old.err.find("pg_dump is of version 12, and ") != std::string::npos);
  CHECK(fleet.history("tools_000").empty());
}

TEST_CASE("a backup that would not be of the schema, with its history, is refused by the plan",
          "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  make_schemas(dir, "cli_elsewhere", {"t_a"});
  write_two_steps(dir);
  write_settings(dir,
                 fmt::format("schemas: {{database: \"{}\", match: \"t_*\"}}",
                             shared_cluster().conninfo("cli_elsewhere")),
                 "    history_schema: public\n" + std::string(kRequired));
  const ProgramResult refused = dir.run({"plan"});
  CHECK(refused.status == 2);
  CHECK(refused.err.find("backup of schema 't_a' (tenant 't_a') would not hold its history") !=
        std::string::npos);
  write_settings(dir,
                 fmt::format("schemas: {{database: \"{}\", match: \"t_*\"}}",
                             shared_cluster().conninfo("cli_elsewhere")),
                 "    backup: {policy: required, directory: backups, provider: template_copy, "
                 "maintenance: true}\n");
  const ProgramResult copied = dir.run({"plan"});
  CHECK(copied.status == 2);
  CHECK(copied.err.find("'t_a' is schema 't_a', and a template copy is of a whole database") !=
        std::string::npos);
}

TEST_CASE("a full disk leaves every tenant without a backup as it was", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  StagedFleet fleet;
  fleet.add(shared_cluster(), "full_", 6);
  write_two_steps(dir);
  fleet.write(dir, {"name: rest"});
  REQUIRE(dir.run({"upgrade", "0001", "--yes"}).status == 0);
  for (int i = 0; i < 6; ++i) {  // bytes that cannot be compressed
    fleet.execute(fmt::format("full_{:03}", i),
                  "INSERT INTO files (name, data) SELECT 'big', decode(string_agg(md5((i * "
                  "random())::text), ''), 'hex') FROM generate_series(1, 8000) i");
  }
  fs::create_directory(dir.files() / "backups");
  const std::string folder = (dir.files() / "backups").string();
  const SmallDisk disk(folder);
  if (!disk.is_mounted()) {
    WARN("no tmpfs can be mounted here, so no disk is full");
    return;
  }
  fleet.write(dir,
              {"name: rest, in_flight: 1, budget: {failures: 6}"},
              "    backup: {policy: required, directory: backups, in_flight: 1}\n");
  const ProgramResult stopped = dir.run({"upgrade", "--yes"});
  const std::size_t left = leftovers(dir);
  const json made = document(dir, {"backups", "list"}, 0)["backups"];
  const int sound = dir.run({"backups", "verify"}).status;
  INFO(stopped.err);
  CHECK(stopped.status == 8);
  CHECK(stopped.err.find("No space left on device") != std::string::npos);
  CHECK(stopped.err.find("3 tenants of server '") != std::string::npos);
  CHECK(sound == 0);
  CHECK(left == made.size());
  std::size_t changed = 0;
  for (const auto& [tenant, history] : fleet.histories()) {
    const bool has_backup = std::any_of(
        made.begin(), made.end(), [&](const json& one) { return one["tenant"] == tenant; });
    changed += text_of(history) == "up 0001, up 0002" ? 1U : 0U;
    CHECK((text_of(history) == "up 0001" || has_backup));
  }
  CHECK(changed < 6);
}

TEST_CASE("a killed run leaves no half-made backup to the next, which goes on", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  StagedFleet fleet;
  fleet.add(shared_cluster(), "killed_", 4);
  write_two_steps(dir);
  write_tools(dir, "touch begun; exec pg_dump \"$@\"");
  dir.files().write("slow", "");
  write_tools(
      dir,
      fmt::format("echo part >\"$file\"; touch '{0}/begun'; while test -e '{0}/slow'; do sleep "
                  "0.05; done; rm -f \"$file\"; exec pg_dump \"$@\"",
                  dir.files().path().string()));
  fleet.write(
      dir, {"name: rest"}, "    backup: {policy: required, directory: backups, tools: tools}\n");
  ProgramChild child(dir, {"upgrade", "--yes"});
  wait_until([&] { return fs::exists(dir.files() / "begun"); });
  child.send(SIGKILL);
  child.wait();
  for (const auto& [tenant, history] : fleet.histories()) {
    CHECK(history.empty());
  }
  CHECK(leftovers(dir) > 0);
  fs::remove(dir.files() / "slow");
  wait_until([&] { return !is_running(dir.files().path().string() + "/tools"); });
  const json run = document(dir, {"upgrade", "--yes"}, 0);
  CHECK(run["summary"]["applied"] == 4);
  const json made = document(dir, {"backups", "list"}, 0)["backups"];
  CHECK(made.size() == 4);
  CHECK(leftovers(dir) == 4);
}

TEST_CASE("a schema of a shared database comes back alone", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  make_schemas(dir, "cli_saved", {"t_a", "t_b"});
  write_two_steps(dir);
  fs::remove(dir.files() / "migrations/0003_step.sql");
  PgCluster& cluster = shared_cluster();
  REQUIRE(dir.run({"upgrade", "0001", "--yes"}).status == 0);
  const Lines before = content_of(cluster, "cli_saved", "t_a");
  write_settings(
      dir,
      fmt::format("schemas: {{database: \"{}\", match: \"t_*\"}}", cluster.conninfo("cli_saved")),
      kRequired);
  REQUIRE(dir.run({"upgrade", "--yes"}).status == 0);
  const Lines other = content_of(cluster, "cli_saved", "t_b");
  cluster.execute("cli_saved", "DELETE FROM t_a.results; DROP TABLE t_a.files CASCADE");
  const ProgramResult restored = dir.run({"restore", "--tenant", "t_a", "--yes"});
  INFO(restored.err);
  REQUIRE(restored.status == 0);
  CHECK(content_of(cluster, "cli_saved", "t_a") == before);
  CHECK(content_of(cluster, "cli_saved", "t_b") == other);
  CHECK(dir.run({"restore", "--drill"}).status == 0);
  CHECK(states(dir, 0) ==
        std::map<std::string, std::string>{{"t_a", "behind"}, {"t_b", "current"}});
}

TEST_CASE("a tenant that is stuck half-way stays, is undone, or is put back, as its stage says",
          "[cli]") {
  REQUIRE(PgCluster::available());
  const std::string policy = GENERATE("stop", "downgrade", "restore");
  CAPTURE(policy);
  const ProgramDir dir;
  StagedFleet fleet;
  fleet.add(shared_cluster(), "stuck_", 2);
  write_two_steps(dir);
  dir.files().write(
      "migrations/0002_step.sql",
      "-- drover: revision 0002\n-- drover: parents 0001\n"
      "-- drover: message Step 2\n\n-- drover: up\nALTER TABLE files ADD COLUMN extra "
      "integer;\n\n-- drover: up no-transaction\n"
      "CREATE UNIQUE INDEX CONCURRENTLY names ON files (name);\n\n"
      "-- drover: down no-transaction\nDROP INDEX CONCURRENTLY IF EXISTS names;\n\n"
      "-- drover: down\nALTER TABLE files DROP COLUMN extra;\n");
  fleet.write(dir, {"name: rest"});
  REQUIRE(dir.run({"upgrade", "0001", "--yes"}).status == 0);
  fleet.execute("stuck_001", "INSERT INTO files (name) VALUES ('file 1')");  // a second one
  const Lines before = content_of(shared_cluster(), "stuck_001");
  fleet.write(dir, {"name: rest, on_partial: " + policy}, kRequired);
  const json run = document(dir, {"upgrade", "--yes"}, 3);
  const Lines after = content_of(shared_cluster(), "stuck_001");
  if (policy == "stop") {
    CHECK(outcomes(run) == "stuck_000 applied, stuck_001 partial");
    CHECK(after != before);
  } else {
    CHECK(outcomes(run) == "stuck_000 applied, stuck_001 failed");
    const json& stuck =
        run["tenants"][0]["id"] == "stuck_001" ? run["tenants"][0] : run["tenants"][1];
    CHECK(stuck["reason"] == (policy == "restore" ? "restored" : "downgraded"));
    CHECK(stuck["error"]["sqlstate"] == "23505");
    CHECK(after == before);
    CHECK(states(dir, 0).at("stuck_001") == "behind");
  }
}

TEST_CASE("template copies are made in maintenance, and put back", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  StagedFleet fleet;
  fleet.add(shared_cluster(), "copied_", 2);
  write_two_steps(dir);
  fleet.write(dir, {"name: rest"});
  REQUIRE(dir.run({"upgrade", "0001", "--yes"}).status == 0);
  const Lines before = content_of(shared_cluster(), "copied_001");
  fleet.write(dir,
              {"name: rest"},
              "    backup: {policy: required, provider: template_copy, maintenance: true, "
              "directory: backups}\n");
  const ProgramResult upgraded = dir.run({"upgrade", "--yes"});
  INFO(upgraded.err);
  REQUIRE(upgraded.status == 0);
  fleet.execute("copied_001", "DROP TABLE results");
  const ProgramResult restored = dir.run({"restore", "--tenant", "copied_001", "--yes"});
  INFO(restored.err);
  REQUIRE(restored.status == 0);
  CHECK(content_of(shared_cluster(), "copied_001") == before);
  CHECK(document(dir, {"status"}, 0)["summary"]["total"] == 2);
}

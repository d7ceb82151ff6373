// Backups of SQLite tenants through the program: made before a change, checked, put back, drilled,
// pruned, and in whose way they stand.

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <string>

#include <catch2/catch.hpp>

#include "orchestrator/plan/restore_file.h"
#include "tests/orchestrator/cli/fleet_dir.h"
#include "tests/support/schema_snapshot.h"

using drover::orchestrator::RestoreOrder;
using drover::test::ProgramDir;
using drover::test::ProgramResult;
using drover::test::rows_of_sqlite;
using namespace drover::test::fleet;  // NOLINT(google-build-using-namespace): tests only
namespace plan = drover::orchestrator::plan;

namespace {

constexpr const char* kRequired = "    backup: {policy: required, directory: backups}\n";

/// Files a, b, ... at the first revision, with a row each, and backups as `backup` says.
void write_saved_files(const ProgramDir& dir, int count, const std::string& backup = kRequired) {
  write_files(dir, count, "0001");
  for (int i = 0; i < count; ++i) {
    ask_file(dir, std::string(1, static_cast<char>('a' + i)), "INSERT INTO one VALUES (42);");
  }
  write_settings(dir, "sqlite: fleet/*.db", backup);
}

fs::path file_of(const ProgramDir& dir, const std::string& tenant) {
  return dir.files() / ("fleet/" + tenant + ".db");
}

json backups(const ProgramDir& dir, const Words& words = {}) {
  Words all{"backups", "list"};
  all.insert(all.end(), words.begin(), words.end());
  return document(dir, all, 0)["backups"];
}

/// What stands in the folder of backups, whatever its name.
std::vector<fs::path> kept_files(const ProgramDir& dir, const std::string& extension) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(dir.files() / "backups")) {
    if (entry.path().extension() == extension) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string outcome_of(const json& answer, const std::string& tenant, const std::string& key) {
  for (const json& one : answer["tenants"]) {
    if (one["id"] == tenant) {
      return one[key].is_string() ? one[key].get<std::string>() : one[key].dump();
    }
  }
  return "";
}

}  // namespace

TEST_CASE("every tenant has a proven backup of before its change, and none without a change",
          "[cli]") {
  const ProgramDir dir;
  write_saved_files(dir, 3);
  const std::vector<std::string> before = rows_of_sqlite(file_of(dir, "b"));
  const json run = document(dir, {"upgrade", "0002", "--yes"}, 0);
  REQUIRE(run["summary"]["applied"] == 3);
  const json made = backups(dir);
  REQUIRE(made.size() == 3);
  for (const json& backup : made) {
    CHECK(backup["run"] == run["run"]);
    CHECK(backup["heads"] == json{"0001"});
    CHECK(backup["provider"] == "sqlite");
    CHECK(backup["bytes"].get<int>() > 0);
    CHECK(backup["sha256"].get<std::string>().size() == 64);
    CHECK_FALSE(backup["uid"].is_null());
  }
  const json of_b = backups(dir, {"--tenant", "b"});
  REQUIRE(of_b.size() == 1);
  const std::vector<fs::path> copies = kept_files(dir, ".db");
  CHECK(std::any_of(copies.begin(), copies.end(), [&](const fs::path& copy) {
    return rows_of_sqlite(copy) == before;
  }));
  CHECK(kept_files(dir, ".part").empty());

  REQUIRE(document(dir, {"upgrade", "0002", "--yes"}, 0)["summary"]["current"] == 3);
  CHECK(backups(dir).size() == 3);
}

TEST_CASE("what is kept is for its owner only, and a folder that others may write is refused",
          "[cli]") {
  const ProgramDir dir;
  write_saved_files(dir, 1);
  REQUIRE(dir.run({"backup"}).status == 0);
  struct stat found = {};
  for (const auto& entry : fs::recursive_directory_iterator(dir.files() / "backups")) {
    REQUIRE(stat(entry.path().c_str(), &found) == 0);
    CHECK((found.st_mode & 0077U) == 0U);
  }
  fs::permissions(dir.files() / "backups", fs::perms::others_write, fs::perm_options::add);
  const ProgramResult refused = dir.run({"upgrade", "--yes"});
  CHECK(refused.status == 74);
  CHECK(refused.err.find("may be written by others, so backups there cannot be trusted") !=
        std::string::npos);
  CHECK(states(dir, 0).at("a") == "behind");
}

TEST_CASE("a backup that is young enough is not made again, unless the history has moved",
          "[cli]") {
  const ProgramDir dir;
  write_saved_files(dir, 1, "    backup: {policy: required, directory: backups, max_age: 1h}\n");
  REQUIRE(dir.run({"backup"}).status == 0);
  REQUIRE(dir.run({"upgrade", "0002", "--yes"}).status == 0);
  CHECK(backups(dir).size() == 1);
  REQUIRE(dir.run({"upgrade", "0003", "--yes"}).status == 0);
  const json made = backups(dir);
  REQUIRE(made.size() == 2);
  CHECK(made[1]["heads"] == json{"0002"});
}

TEST_CASE("the plan says what is backed up, where to, and that there is too little room", "[cli]") {
  const ProgramDir dir;
  write_saved_files(dir, 2);
  const ProgramResult planned = dir.run({"plan"});
  REQUIRE(planned.status == 0);
  CHECK(planned.out.find("- backups (required) by sqlite before 2 tenants are changed, at most ") !=
        std::string::npos);
  CHECK(planned.out.find(" free\n") != std::string::npos);
  CHECK_FALSE(fs::exists(dir.files() / "backups"));  // a plan makes nothing
}

TEST_CASE("a file is put back with what it held, which is kept, and the same backup again",
          "[cli]") {
  const ProgramDir dir;
  write_saved_files(dir, 2);
  REQUIRE(dir.run({"upgrade", "0002", "--yes"}).status == 0);
  const std::string id = backups(dir, {"--tenant", "a"})[0]["backup"];
  ask_file(dir, "a", "DROP TABLE one; INSERT INTO two VALUES (7);");
  const ProgramResult restored = dir.run({"restore", "--tenant", "a", "--yes"});
  INFO(restored.err);
  REQUIRE(restored.status == 0);
  CHECK(restored.err.find("LOST: WRITES SINCE") != std::string::npos);
  CHECK(ask_file(dir, "a", "SELECT x FROM one;") == "42\n");
  CHECK(states(dir, 0).at("a") == "behind");

  const json known = backups(dir, {"--tenant", "a"});
  REQUIRE(known.size() == 2);
  CHECK(known[1]["aside"] == true);
  const ProgramResult again = dir.run({"restore", "--tenant", "a", "--dry-run"});
  CHECK(again.err.find(id) != std::string::npos);
  // Only by its name is taken back what a restore has put aside.
  REQUIRE(dir.run({"restore", "--backup", known[1]["backup"], "--yes"}).status == 0);
  CHECK(ask_file(dir, "a", "SELECT x FROM two;") == "7\n");
}

TEST_CASE("a run's backups are put back together, as a run with an outcome for each", "[cli]") {
  const ProgramDir dir;
  write_saved_files(dir, 3);
  std::vector<std::vector<std::string>> before;
  for (const std::string tenant : {"a", "b", "c"}) {
    before.push_back(rows_of_sqlite(file_of(dir, tenant)));
  }
  const std::string run = document(dir, {"upgrade", "--yes"}, 0)["run"];
  const json restored = document(dir, {"restore", "--run", run, "--yes"}, 0);
  CHECK(restored["verb"] == "restore");
  CHECK(outcomes(restored) == "a applied, b applied, c applied");
  CHECK(outcome_of(restored, "b", "reason") == "restored");
  CHECK(rows_of_sqlite(file_of(dir, "a")) == before[0]);
  CHECK(rows_of_sqlite(file_of(dir, "b")) == before[1]);
  CHECK(rows_of_sqlite(file_of(dir, "c")) == before[2]);
  const std::string id = restored["run"];
  const json runs = document(dir, {"runs"}, 0)["runs"];
  CHECK(runs[0]["verb"] == "restore");
  CHECK(dir.run({"rollback", id, "--yes"}).err.find("put tenants back from backups") !=
        std::string::npos);
}

TEST_CASE("a file that an application has open in WAL mode is left alone, and told", "[cli]") {
  const ProgramDir dir;
  write_saved_files(dir, 1);
  ask_file(dir, "a", "PRAGMA journal_mode = wal;");
  REQUIRE(dir.run({"backup"}).status == 0);
  // sqlite3 has the file open and waits for another to appear.
  const std::string file = file_of(dir, "a").string();
  dir.files().write(
      "hold.sql",
      fmt::format("SELECT x FROM one;\n.shell touch '{0}/open'\n.shell for i in $(seq "
                  "600); do test -e '{0}/done' && break; sleep 0.05; done\n",
                  dir.files().path().string()));
  REQUIRE(std::system(fmt::format("sqlite3 '{}' <'{}/hold.sql' >/dev/null 2>&1 &",
                                  file,
                                  dir.files().path().string())
                          .c_str()) == 0);
  wait_until([&] { return fs::exists(dir.files() / "open"); });
  dir.files().write("drover.yaml",
                    dir.files().read("drover.yaml") + "    timeouts: {lock: 100ms}\n");
  const json refused = document(dir, {"restore", "--tenant", "a", "--yes"}, 3);
  dir.files().write("done", "");
  CHECK(outcomes(refused) == "a failed");
  CHECK(refused["tenants"][0]["error"]["kind"] == "restore_refused");
  CHECK(refused["tenants"][0]["error"]["message"] ==
        fmt::format("taking the file for us alone failed: somebody else has '{}' open", file));
}

TEST_CASE("one flipped byte is found, named, and never put back", "[cli]") {
  const ProgramDir dir;
  write_saved_files(dir, 2);
  REQUIRE(dir.run({"backup"}).status == 0);
  CHECK(dir.run({"backups", "verify"}).status == 0);
  const std::string id = backups(dir, {"--tenant", "b"})[0]["backup"];
  fs::path file;
  for (const fs::path& one : kept_files(dir, ".db")) {
    file = one.stem() == id ? one : file;
  }
  std::fstream stored(file, std::ios::in | std::ios::out | std::ios::binary);
  stored.seekp(static_cast<std::streamoff>(fs::file_size(file) / 2));
  stored.put('\x7f');
  stored.close();
  const ProgramResult found = dir.run({"backups", "verify"});
  CHECK(found.status == 7);
  CHECK(found.err.find(fmt::format(
            "backup {} of tenant 'b': its bytes are not those that were written", id)) !=
        std::string::npos);
  CHECK(found.out.find("1 of 2 backups sound") != std::string::npos);
  ask_file(dir, "b", "DELETE FROM one;");
  const json refused = document(dir, {"restore", "--tenant", "b", "--yes"}, 3);
  CHECK(refused["tenants"][0]["error"]["kind"] == "restore_not_proven");
  CHECK(ask_file(dir, "b", "SELECT count(*) FROM one;") == "0\n");
}

TEST_CASE("a drill restores a sample where it harms nobody, and compares it", "[cli]") {
  const ProgramDir dir;
  write_saved_files(dir, 4);
  REQUIRE(dir.run({"backup"}).status == 0);
  const json drills = document(dir, {"restore", "--drill", "--sample", "3"}, 0)["drills"];
  REQUIRE(drills.size() == 3);
  CHECK(drills[0]["error"].is_null());
  CHECK(drills[0]["tables"].get<int>() >= 5);
  CHECK(kept_files(dir, ".part").empty());
  CHECK(kept_files(dir, ".drill").empty());
  const ProgramResult refused = dir.run({"restore", "--tenant", "a", "--sample", "1", "--yes"});
  CHECK(refused.status == 2);
  CHECK(refused.err.find("--sample is for --drill") != std::string::npos);
  CHECK(document(dir, {"runs"}, 0).dump().find("restore") == std::string::npos);
}

TEST_CASE("a line of the manifest that was touched is told, and its backup not used", "[cli]") {
  const ProgramDir dir;
  write_saved_files(dir, 1);
  REQUIRE(dir.run({"backup"}).status == 0);
  const fs::path line = kept_files(dir, ".json").front();
  std::string text = dir.files().read(fs::relative(line, dir.files().path()).string());
  const std::size_t at = text.find("[\"one\",1,");
  REQUIRE(at != std::string::npos);
  text.replace(at, 9, "[\"one\",2,");
  std::ofstream(line) << text;
  CHECK(backups(dir).empty());
  const ProgramResult found = dir.run({"backups", "verify"});
  CHECK(found.status == 7);
  CHECK(found.err.find(line.filename().string() + " cannot be trusted") != std::string::npos);
  CHECK(dir.run({"restore", "--tenant", "a", "--yes"}).err.find("tenant 'a' has no backup") !=
        std::string::npos);
}

TEST_CASE("an order to restore waits for approval, and is carried out as it was approved",
          "[cli]") {
  const ProgramDir dir;
  write_saved_files(dir, 1);
  REQUIRE(dir.run({"backup"}).status == 0);
  write_settings(dir,
                 "sqlite: fleet/*.db",
                 kRequired + rollout_of({"name: rest"}, "      approvals: {count: 1}\n"));
  ask_file(dir, "a", "DELETE FROM one;");
  const ProgramResult refused = dir.run({"restore", "--tenant", "a", "--yes"});
  CHECK(refused.status == 8);
  CHECK(refused.err.find("environment 'test' wants its restores approved by somebody else") !=
        std::string::npos);
  REQUIRE(dir.run({"restore", "--tenant", "a", "--out", "own.json"}).status == 0);
  RestoreOrder order = plan::read_restore_file(dir.files() / "own.json");
  order.author = "ann@desk";  // who runs the tests cannot be two people
  plan::write_file(order, dir.files() / "order.json");
  const Words carry_out{"restore", "--order", "order.json", "--yes"};
  CHECK(dir.run(carry_out).err.find("0 of 1 approvals of the order are there") !=
        std::string::npos);
  REQUIRE(dir.run({"approve", "order.json", "--yes"}).status == 0);
  REQUIRE(dir.run(carry_out).status == 0);
  CHECK(ask_file(dir, "a", "SELECT x FROM one;") == "42\n");
  const json runs = document(dir, {"runs"}, 0)["runs"];
  CHECK(runs[0]["target"] == "order order.json");
  const ProgramResult told = dir.run({"runs", runs[0]["run"]});
  CHECK(told.out.find("order_approved") != std::string::npos);
  CHECK(told.out.find("what it held before is kept: backup ") != std::string::npos);
}

TEST_CASE("pruning keeps the newest, and what is young", "[cli]") {
  const ProgramDir dir;
  write_saved_files(
      dir, 1, "    backup: {policy: required, directory: backups, keep: {count: 2, age: 0ms}}\n");
  for (int i = 0; i < 4; ++i) {
    REQUIRE(dir.run({"backup"}).status == 0);
  }
  const json all = backups(dir);
  REQUIRE(all.size() == 4);
  CHECK(dir.run({"backups", "prune", "--dry-run"}).err.find("2 backups may go") !=
        std::string::npos);
  CHECK(backups(dir).size() == 4);
  const ProgramResult pruned = dir.run({"backups", "prune", "--yes"});
  REQUIRE(pruned.status == 0);
  CHECK(pruned.err.find("2 backups removed") != std::string::npos);
  const json left = backups(dir);
  REQUIRE(left.size() == 2);
  CHECK(left[0]["backup"] == all[2]["backup"]);
  CHECK(left[1]["backup"] == all[3]["backup"]);
  CHECK(kept_files(dir, ".db").size() == 2);
}

TEST_CASE("without a backup a tenant stays as it is, and three in a row stop the run", "[cli]") {
  const ProgramDir dir;
  const std::string stages = rollout_of({"name: rest, budget: {failures: 5}, in_flight: 1"});
  write_saved_files(dir,
                    5,
                    "    backup: {policy: required, provider: command, command: [sh, -c, "
                    "'echo no room >&2; exit 3'], directory: backups}\n" +
                        stages);
  const ProgramResult stopped = dir.run({"upgrade", "--yes"});
  INFO(stopped.err);
  CHECK(stopped.status == 8);
  CHECK(stopped.err.find("command 'sh' exited with status 3: no room") != std::string::npos);
  for (const std::string tenant : {"a", "b", "c", "d", "e"}) {
    CHECK(states(dir, 0).at(tenant) == "behind");
    CHECK(ask_file(dir, tenant, "SELECT count(*) FROM drover_events WHERE kind = 'failure';") ==
          "0\n");
  }
  const json runs = document(dir, {"runs"}, 0)["runs"];
  CHECK(runs[0]["state"] == "paused");

  // The cause is gone: the same run goes on, with those that lacked a backup too.
  write_settings(dir, "sqlite: fleet/*.db", kRequired + stages);
  const json resumed = document(dir, {"resume"}, 0);
  CHECK(resumed["run"] == runs[0]["run"]);
  CHECK(resumed["summary"]["applied"] == 5);
  CHECK(backups(dir).size() == 5);
}

TEST_CASE("with the best effort only a tenant is changed all the same, and that is told", "[cli]") {
  const ProgramDir dir;
  write_saved_files(dir,
                    2,
                    "    backup: {policy: best_effort, provider: command, command: [\"false\"], "
                    "directory: backups}\n");
  const ProgramResult done = dir.run({"upgrade", "--yes"});
  CHECK(done.status == 0);
  CHECK(done.err.find("2 tenants had no backup when it was its turn, the first is 'a'") !=
        std::string::npos);
}

TEST_CASE("a command of the user's keeps the backup, and puts it back", "[cli]") {
  const ProgramDir dir;
  dir.files().write("save.sh",
                    "mkdir -p elsewhere && cp \"$DROVER_CONNECTION\" \"elsewhere/$DROVER_BACKUP\" "
                    "&& printf '{\"handle\": \"%s\", \"bytes\": 8}' \"$DROVER_BACKUP\"\n");
  dir.files().write("back.sh", "cp \"elsewhere/$DROVER_HANDLE\" \"$DROVER_CONNECTION\"\n");
  write_saved_files(dir,
                    1,
                    "    backup: {policy: required, provider: command, command: [sh, save.sh], "
                    "restore_command: [sh, back.sh], directory: backups}\n");
  REQUIRE(dir.run({"upgrade", "--yes"}).status == 0);
  const json made = backups(dir);
  REQUIRE(made.size() == 1);
  CHECK(made[0]["handle"] == made[0]["backup"]);
  CHECK(made[0]["bytes"] == 8);
  REQUIRE(dir.run({"restore", "--tenant", "a", "--yes"}).status == 0);
  CHECK(states(dir, 0).at("a") == "behind");
}

TEST_CASE("a stage may want more, or less, than its environment", "[cli]") {
  const ProgramDir dir;
  write_saved_files(
      dir,
      2,
      kRequired +
          rollout_of({"name: canary, select: {ids: [a]}, backup: {policy: none}", "name: rest"}));
  REQUIRE(dir.run({"upgrade", "--yes"}).status == 0);
  const json made = backups(dir);
  REQUIRE(made.size() == 1);
  CHECK(made[0]["tenant"] == "b");
}

TEST_CASE("what is asked of backups where nothing is said of them is refused", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 1, "");
  for (const Words& words :
       {Words{"backup"}, Words{"backups", "list"}, Words{"restore", "--drill"}}) {
    const ProgramResult refused = dir.run(words);
    CHECK(refused.status == 2);
    CHECK(refused.err.find("environment 'test' does not say how backups are made") !=
          std::string::npos);
  }
  write_settings(dir, "sqlite: fleet/*.db", kRequired);
  CHECK(dir.run({"restore"}).err.find("nobody said which tenants are to be put back") !=
        std::string::npos);
  CHECK(dir.run({"restore", "--tenant", "a"}).err.find("tenant 'a' has no backup") !=
        std::string::npos);
  CHECK(dir.run({"restore", "--backup", "2026"}).err.find("there is no backup '2026'") !=
        std::string::npos);
}

// Real archives of the real pg_dump, and scripts in its place that fail in every way it may.

#include "orchestrator/backup/pg_dump_provider.h"

#include <sys/mount.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "engine/error.h"
#include "orchestrator/backup/backup_maker.h"
#include "orchestrator/backup/vault.h"
#include "tests/orchestrator/backup/restore_bench.h"
#include "tests/support/pg_seed.h"
#include "tests/support/temp_dir.h"

using namespace drover::orchestrator;
using namespace drover::orchestrator::backup;
using drover::Error;
using drover::engine::Patience;
using drover::engine::TenantFault;
using drover::test::TempDir;
namespace fs = std::filesystem;

namespace {

using BackupOrFault = std::variant<Backup, TenantFault>;

/// The message without what differs from run to run.
std::string words_of(const BackupOrFault& result) {
  const auto* const fault = std::get_if<TenantFault>(&result);
  return fault ? fmt::format("{}: {}", fault->kind, fault->message) : "made";
}

/// A folder with a script in place of pg_dump, beside the real pg_restore.
class FakeTools {
 public:
  explicit FakeTools(const std::string& script) {
    folder_.write("pg_dump", "#!/bin/sh\nREAL=" + real("pg_dump") + "\n" + script + "\n");
    chmod((folder_ / "pg_dump").c_str(), 0755);
    fs::create_symlink(real("pg_restore"), folder_ / "pg_restore");
  }

  const fs::path& path() const { return folder_.path(); }

 private:
  static std::string real(std::string_view program) {
    return (drover::test::pg_binaries() / program).string();
  }

  TempDir folder_;
};

/// Where a script finds the file that it is to write.
constexpr const char* kFile =
    R"(for word; do case $word in --file=*) FILE=${word#--file=};; esac; done
)";

/// One tenant and a vault for it.
struct Dumps : RestoreBench {
  explicit Dumps(std::string database) : RestoreBench(std::move(database)) {}

  BackupOrFault make(const fs::path& tools_folder,
                     const Patience& patience = {},
                     Extent extent = Extent::whole,
                     std::uint64_t bytes = 0) {
    const PgTools tools(tools_folder);
    DumpOptions options;
    options.jobs = 2;
    options.lock_timeout = std::chrono::milliseconds(300);
    options.large = 1'000;
    PgDumpProvider provider(tools, options);
    BackupSubject subject{tenant, extent, uid, {{"0001"}}, 1, "prod", "r-1"};
    subject.bytes = bytes;
    return make_backup(vault, provider, BackupOptions::Provider::pg_dump, subject, patience);
  }

  /// What is left in the vault beside the tenant's folder.
  std::size_t left() const {
    std::size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(vault_folder)) {
      count += entry.is_directory() && entry.path().parent_path() == vault_folder ? 0U : 1U;
    }
    return count;
  }

  TempDir temp;
  fs::path vault_folder = temp / "vault";
  Vault vault{vault_folder};
};

/// Waits until no process has `mark` in its arguments; false when one still has after 10 s.
bool none_runs(const std::string& mark) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (std::chrono::steady_clock::now() < until) {
    bool runs = false;
    for (const auto& entry : fs::directory_iterator("/proc")) {
      std::ifstream file(entry.path() / "cmdline", std::ios::binary);
      const std::string text(std::istreambuf_iterator<char>(file), {});
      runs = runs || text.find(mark) != std::string::npos;
    }
    if (!runs) {
      return true;
    }
    std::this_thread::yield();
  }
  return false;
}

Patience patience_of(std::chrono::milliseconds time) {
  Patience patience;
  patience.deadline = std::chrono::steady_clock::now() + time;
  return patience;
}

}  // namespace

TEST_CASE("a tenant's dump is a file that pg_restore has read, with its tables summed up") {
  Dumps bench("dmp_a");
  const BackupOrFault result = bench.make(drover::test::pg_binaries());
  REQUIRE(words_of(result) == "made");
  const Backup& backup = std::get<Backup>(result);
  CHECK(backup.file == backup.id.value + ".dump");
  CHECK(backup.uid == bench.uid);
  CHECK(backup.run == "r-1");
  CHECK(backup.rows_as == "copy");
  CHECK(backup.server_version.empty() == false);
  CHECK(backup.tool_version.empty() == false);
  CHECK(backup.finished >= backup.started);
  std::set<std::string> tables;
  for (const auto& table : backup.tables) {
    tables.insert(fmt::format("{} {}", table.table, table.rows));
  }
  CHECK(tables == std::set<std::string>{"public.drover_events 1",
                                        "public.drover_revisions 1",
                                        "public.drover_steps 0",
                                        "public.drover_tenant 1",
                                        "public.empty 0",
                                        "public.files 100"});
  const PgTools tools(drover::test::pg_binaries());
  const auto again = read_archive(tools, bench.vault.path_of(backup), "public", {});
  REQUIRE(std::holds_alternative<DumpContent>(again));
  CHECK(std::get<DumpContent>(again).tables == backup.tables);
  const auto live = read_live(tools, bench.tenant.target, Extent::whole, "public", {});
  REQUIRE(std::holds_alternative<DumpContent>(live));
  CHECK(std::get<DumpContent>(live).tables == backup.tables);
  CHECK(std::get<DumpContent>(live).revisions == std::vector<std::string>{"0001"});
  bench.execute("UPDATE files SET name = 'other' WHERE id = 7");
  const auto changed = read_live(tools, bench.tenant.target, Extent::whole, "public", {});
  REQUIRE(std::holds_alternative<DumpContent>(changed));
  CHECK(std::get<DumpContent>(changed).tables != backup.tables);
}

TEST_CASE("a large tenant is dumped by several connections into a folder") {
  Dumps bench("dmp_dir");
  const BackupOrFault result = bench.make(drover::test::pg_binaries(), {}, Extent::whole, 1'000);
  REQUIRE(words_of(result) == "made");
  const Backup& backup = std::get<Backup>(result);
  CHECK(backup.file == backup.id.value + ".dir");
  CHECK(fs::is_directory(bench.vault.path_of(backup)));
  CHECK(content_of(bench.vault.path_of(backup)).sha256 == backup.sha256);
  CHECK(backup.tables.size() == 6);
}

TEST_CASE("of a tenant that is a schema just that schema is dumped, whatever its name looks like") {
  Dumps bench("dmp_schema");
  const std::string schema = "a*.\"B c";
  bench.execute(R"(CREATE SCHEMA "a*.""B c"; CREATE TABLE "a*.""B c".own (id int);
                   CREATE SCHEMA "ab.""B c"; CREATE TABLE "ab.""B c".theirs (id int);)");
  bench.tenant.target.schema = schema;
  bench.uid = bench.begin_history();
  const BackupOrFault result =
      bench.make(drover::test::pg_binaries(), {}, Extent::schema, 1'000'000);
  REQUIRE(words_of(result) == "made");
  const Backup& backup = std::get<Backup>(result);
  CHECK(backup.schema == schema);
  CHECK(backup.file.ends_with(".dump"));
  REQUIRE(backup.tables.size() == 5);
  for (const auto& table : backup.tables) {
    CHECK(table.table.starts_with(schema + "."));
  }
}

TEST_CASE("a pg_dump that fails is told with its words, and nothing is left of it") {
  Dumps bench("dmp_fail");
  const auto said = [&](const std::string& script) {
    const FakeTools tools(std::string(kFile) + script);
    const std::string words = words_of(bench.make(tools.path()));
    CHECK(bench.left() == 0);
    return words;
  };
  CHECK(said("echo half > \"$FILE\"; echo 'pg_dump: error: out of luck' >&2; exit 1") ==
        "backup_failed: pg_dump exited with status 1: out of luck");
  CHECK(said("echo half > \"$FILE\"; kill -9 $$") ==
        "backup_failed: pg_dump was killed by signal 9");
  CHECK(said("yes 'pg_dump: error: again' | head -c 30000000 >&2; exit 1") ==
        "backup_failed: pg_dump exited with status 1: again");
  CHECK(said("yes gigabytes | head -c 300000000; exit 3") ==
        "backup_failed: pg_dump exited with status 3");
  bench.cluster.execute("postgres", "ALTER DATABASE dmp_fail ALLOW_CONNECTIONS false");
  CHECK(words_of(bench.make(drover::test::pg_binaries()))
            .find("database \"dmp_fail\" is not currently accepting connections") !=
        std::string::npos);
  CHECK(bench.left() == 0);
  bench.cluster.execute("postgres", "ALTER DATABASE dmp_fail ALLOW_CONNECTIONS true");
}

TEST_CASE("a pg_dump that hangs is ended with all it started, at the deadline or on a stop") {
  Dumps bench("dmp_hang");
  const FakeTools tools(std::string(kFile) +
                        "echo half > \"$FILE\"; sleep 6017.25 & trap '' TERM; sleep 6017.25");
  const auto before = std::chrono::steady_clock::now();
  CHECK(words_of(bench.make(tools.path(), patience_of(std::chrono::milliseconds(500))))
            .starts_with("backup_timed_out: pg_dump did not end within "));
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(30));
  CHECK(bench.left() == 0);
  CHECK(none_runs("6017.25"));
  std::stop_source stop;
  std::jthread later([&stop, &bench] {
    while (bench.left() == 0) {
      std::this_thread::yield();
    }
    stop.request_stop();
  });
  CHECK(words_of(bench.make(tools.path(), {drover::engine::SteadyTime::max(), stop.get_token()})) ==
        "interrupted: pg_dump was stopped");
  CHECK(bench.left() == 0);
  CHECK(none_runs("6017.25"));
}

TEST_CASE("a pg_dump that does not get its locks gives up by itself") {
  Dumps bench("dmp_lock");
  const FakeTools tools("exec \"$REAL\" \"$@\"");
  std::jthread holder(
      [&bench] { bench.execute("BEGIN; LOCK TABLE files; SELECT pg_sleep(3); COMMIT"); });
  while (bench.value("SELECT count(*) FROM pg_locks WHERE relation = 'files'::regclass AND mode = "
                     "'AccessExclusiveLock' AND granted") != "1") {
    std::this_thread::yield();
  }
  CHECK(words_of(bench.make(tools.path()))
            .starts_with("backup_failed: pg_dump exited with status 1: "));
  CHECK(bench.left() == 0);
}

TEST_CASE("a pg_dump that lies about success is not believed") {
  Dumps bench("dmp_lie");
  Dumps other("dmp_other");
  bench.cluster.create_database("dmp_void");
  const auto said = [&](const std::string& script) {
    const FakeTools tools(std::string(kFile) + script);
    const std::string words = words_of(bench.make(tools.path()));
    CHECK(bench.left() == 0);
    return words;
  };
  const auto as_if = [&](const std::string& database) {
    return fmt::format("exec \"$REAL\" --format=custom --file=\"$FILE\" --dbname='{}'",
                       bench.cluster.conninfo(database));
  };
  CHECK(said("exit 0").starts_with("backup_not_proven: pg_restore exited with status 1: "));
  CHECK(said(": > \"$FILE\"").starts_with("backup_not_proven: pg_restore exited with status 1: "));
  CHECK(said("\"$REAL\" \"$@\"; truncate -s -40 \"$FILE\"")
            .starts_with("backup_not_proven: pg_restore exited with status 1: "));
  CHECK(said(as_if("dmp_void")) ==
        "backup_not_proven: the backup holds no history of tenant 'dmp_lie'");
  CHECK(
      said(as_if("dmp_other")) ==
      fmt::format("backup_not_proven: the backup is of a tenant with uid {}, and 'dmp_lie' has {}",
                  other.uid,
                  bench.uid));
  CHECK(said("exec \"$REAL\" --schema-only \"$@\"") ==
        "backup_not_proven: the backup holds no history of tenant 'dmp_lie'");
  bench.execute("DELETE FROM drover_revisions");
  CHECK(said("exec \"$REAL\" \"$@\"") ==
        "backup_not_proven: the history in the backup lacks revision '0001', which tenant "
        "'dmp_lie' had");
  bench.cluster.execute("postgres", "DROP DATABASE dmp_void");
}

TEST_CASE("a full disk makes no backup, and leaves nothing of it") {
  const TempDir temp;
  Dumps bench("dmp_full");
  if (mount("drover-test", bench.vault_folder.c_str(), "tmpfs", 0, "size=256k,mode=0700") != 0) {
    WARN("skipped: a tmpfs cannot be mounted here");
    return;
  }
  bench.execute(
      "INSERT INTO files SELECT 1000 + i, md5(i::text) || md5((-i)::text) FROM "
      "generate_series(1, 20000) i");
  const std::string words = words_of(bench.make(drover::test::pg_binaries()));
  CHECK(words ==
        "backup_failed: pg_dump exited with status 1: could not write to output file: No space "
        "left on device");
  CHECK(bench.left() == 0);
  CHECK(bench.vault.all().empty());
  umount(bench.vault_folder.c_str());
}

TEST_CASE("client programs that are missing, too old or unsafe are refused") {
  const auto said = [](const std::string& version, int server) {
    const TempDir folder;
    for (const std::string program : {"pg_dump", "pg_restore"}) {
      folder.write(program,
                   fmt::format("#!/bin/sh\necho '{} (PostgreSQL) {}'\n", program, version));
      chmod((folder / program).c_str(), 0755);
    }
    try {
      PgTools(folder.path()).check("db1:5432", server);
    } catch (const Error& error) {
      return fmt::format("{}: {}", error.kind_name(), error.what());
    }
    return std::string("fine");
  };
  CHECK(said("15.20 (Debian 15.20-0+deb12u1)", 150'020) == "fine");
  CHECK(said("17.6", 150'020) == "fine");
  CHECK(said("18beta1", 170'001) == "fine");
  CHECK(said("14.13", 150'020) ==
        "tool_too_old: pg_dump is of version 14, and db1:5432 is of version 15");
  CHECK(said("15.7", 150'020) ==
        "tool_unsafe: pg_dump 15.7 lets a tenant run code as whoever backs it up (CVE-2024-7348)");
  CHECK(said("11.22", 110'000) ==
        "tool_unsafe: pg_dump 11.22 lets a tenant run code as whoever backs it up (CVE-2024-7348)");
  const TempDir empty;
  try {
    PgTools(empty.path()).check("db1:5432", 150'020);
    FAIL("a folder without programs is fine");
  } catch (const Error& error) {
    CHECK(error.kind_name() == "tool_missing");
    CHECK(std::string(error.what()).starts_with("backups need pg_dump: "));
    CHECK(error.hint() == "Look at backup.tools, which says where they are.");
  }
}

TEST_CASE(
    "a password reaches pg_dump by a passfile, and neither its arguments nor its environment") {
  const PgTools tools("/opt/pg");
  drover::engine::Target target;
  target.connection = "host=db1 dbname=acme";
  target.password = drover::engine::Secret("open sesame");
  const auto passfile = passfile_for(target);
  REQUIRE(passfile != nullptr);
  const auto request = tools.request("pg_dump", target, passfile.get(), {"--file=x"});
  CHECK(request.argv ==
        std::vector<std::string>{
            "/opt/pg/pg_dump", "--no-password", "--dbname=host=db1 dbname=acme", "--file=x"});
  CHECK(request.variables.at("PGPASSFILE") == passfile->path());
  for (const auto& [name, value] : request.variables) {
    CHECK(value.find("sesame") == std::string::npos);
  }
}

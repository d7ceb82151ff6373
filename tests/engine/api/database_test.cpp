// What an application sees of one database, on real SQLite files.

#include "engine/api/database.h"

#include <catch2/catch.hpp>

#include <sqlite3.h>

#include <atomic>

#include <fmt/format.h>

#include "tests/engine/api/application.h"

namespace drover::test {
namespace {

/// A connection to an SQLite file, beside Drover's own.
class SqliteFile {
 public:
  explicit SqliteFile(const std::filesystem::path& path) {
    REQUIRE(sqlite3_open(path.c_str(), &handle_) == SQLITE_OK);
  }
  SqliteFile(const SqliteFile&) = delete;
  SqliteFile& operator=(const SqliteFile&) = delete;
  ~SqliteFile() { sqlite3_close(handle_); }

  void run(const std::string& sql) {
    CAPTURE(sql);
    REQUIRE(sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  }

  /// The first column of all rows.
  Names column(const std::string& sql) {
    Names rows;
    const auto keep = [](void* into, int, char** values, char**) {
      static_cast<Names*>(into)->emplace_back(values[0] == nullptr ? "" : values[0]);
      return 0;
    };
    REQUIRE(sqlite3_exec(handle_, sql.c_str(), keep, &rows, nullptr) == SQLITE_OK);
    return rows;
  }

 private:
  sqlite3* handle_ = nullptr;
};

Names notes_of(const std::filesystem::path& path) {
  return SqliteFile(path).column("SELECT revision FROM notes ORDER BY rowid");
}

TEST_CASE("a new database is migrated once, and the second call finds it current") {
  const Application app;
  const DatabaseOptions options = app.file("app.db");
  const MigrationOutcome first = ensure_database_migrated(options);
  CHECK(first.outcome == "applied");
  CHECK(first.ok());
  CHECK(first.from.empty());
  CHECK(first.to == Names{"0002"});
  CHECK(first.revisions == Names{"0001", "0002"});
  const MigrationOutcome second = ensure_database_migrated(options);
  CHECK(second.outcome == "current");
  CHECK(second.from == Names{"0002"});
  CHECK(second.to == Names{"0002"});
  CHECK(second.revisions.empty());
  CHECK(notes_of(app.path("app.db")) == Names{"0001", "0002"});
}

TEST_CASE("a missing file is made only where that was asked for") {
  const Application app;
  DatabaseOptions options = app.file("app.db");
  options.create_files = CreateFiles::no;
  const Error error = error_of([&] { ensure_database_migrated(options); });
  CHECK(error.kind_name() == "file_missing");
  CHECK_FALSE(std::filesystem::exists(app.path("app.db")));
}

TEST_CASE("a status tells health pages what they ask") {
  const Application app;
  const DatabaseOptions options = app.file("app.db");
  SqliteFile(app.path("app.db")).run("CREATE TABLE older (x integer)");
  DatabaseStatus status = check_database_migration_status(options);
  CHECK(status.state == "behind");
  CHECK_FALSE(status.is_up_to_date);
  CHECK_FALSE(status.database_migrated);
  CHECK(status.current_revision.empty());
  CHECK(status.schema_version == "none");
  CHECK(status.pending == Names{"0001", "0002"});
  CHECK(get_database_schema_version(options).empty());

  const MigrationManager manager = get_migration_manager(options);
  REQUIRE(manager.upgrade_database("0001").outcome == "applied");
  status = manager.check_migration_status();
  CHECK(status.state == "behind");
  CHECK_FALSE(status.is_up_to_date);
  CHECK(status.database_migrated);
  CHECK(status.current_revision == "0001");
  CHECK(status.current_revisions == Names{"0001"});
  CHECK(status.schema_version == "0001");
  CHECK(status.pending == Names{"0002"});
  CHECK(get_database_schema_version(options) == Names{"0001"});

  REQUIRE(manager.upgrade_database().outcome == "applied");
  status = manager.check_migration_status();
  CHECK(status.state == "current");
  CHECK(status.is_up_to_date);
  CHECK(status.schema_version == "0002");
  CHECK(status.pending.empty());
  CHECK_FALSE(status.problem);
}

TEST_CASE("a database that cannot be reached has a status, and no version") {
  const Application app;
  DatabaseOptions options = app.file("app.db");
  options.create_files = CreateFiles::no;
  const DatabaseStatus status = check_database_migration_status(options);
  CHECK(status.state == "unreachable");
  CHECK(status.schema_version == "none");
  CHECK_FALSE(status.is_up_to_date);
  REQUIRE(status.problem);
  CHECK(status.problem->kind == "file_missing");
  CHECK(error_of([&] { get_database_schema_version(options); }).kind_name() == "file_missing");
}

TEST_CASE("several heads are all named, and create_migration joins them") {
  const Application app;
  app.write({"0003", "0001", "INSERT INTO notes VALUES ('0003');", "SELECT 1;"});
  MigrationManager manager(app.file("app.db"));
  REQUIRE(manager.upgrade_database("heads").ok());
  const DatabaseStatus status = manager.check_migration_status();
  CHECK(status.current_revisions == Names{"0002", "0003"});
  CHECK(status.schema_version == "0002, 0003");
  CHECK(status.is_up_to_date);
  manager.create_migration("Join the branches");
  const MigrationOutcome outcome = manager.upgrade_database();
  CHECK(outcome.revisions == Names{"0004"});
  CHECK(outcome.to == Names{"0004"});
}

TEST_CASE("a new migration follows the head and is known at once") {
  const Application app;
  MigrationManager manager(app.file("app.db"));
  REQUIRE(manager.upgrade_database().ok());
  const auto path = manager.create_migration("Add a checksum");
  CHECK(path == app.path("migrations/0003_add_a_checksum.sql"));
  CHECK(std::filesystem::exists(path));
  CHECK(manager.check_migration_status().pending == Names{"0003"});
  const MigrationOutcome outcome = manager.upgrade_database();
  CHECK(outcome.from == Names{"0002"});
  CHECK(outcome.to == Names{"0003"});
}

TEST_CASE("a downgrade takes a database back to where it is told") {
  const Application app;
  const MigrationManager manager(app.file("app.db"));
  REQUIRE(manager.upgrade_database().ok());
  MigrationOutcome outcome = manager.downgrade_database("-1");
  CHECK(outcome.outcome == "applied");
  CHECK(outcome.revisions == Names{"0002"});
  CHECK(outcome.to == Names{"0001"});
  CHECK(notes_of(app.path("app.db")) == Names{"0001"});
  outcome = manager.downgrade_database("base");
  CHECK(outcome.revisions == Names{"0001"});
  CHECK(outcome.to.empty());
  CHECK_FALSE(manager.check_migration_status().database_migrated);
}

TEST_CASE("an async call goes on when its manager is gone") {
  const Application app;
  const DatabaseOptions options = app.file("app.db");
  CHECK(ensure_database_migrated_async(options).get().outcome == "applied");
  std::future<MigrationOutcome> down;
  std::future<DatabaseStatus> status;
  {
    const MigrationManager manager(options);
    down = manager.downgrade_database_async("0001");
    CHECK(down.get().revisions == Names{"0002"});
    status = manager.check_migration_status_async();
  }
  CHECK(status.get().schema_version == "0001");
  CHECK(MigrationManager(options).upgrade_database_async().get().to == Names{"0002"});
}

TEST_CASE("what stops an async call arrives with its future") {
  const Application app;
  app.write(kBroken);
  std::future<MigrationOutcome> future = ensure_database_migrated_async(app.file("app.db"));
  CHECK(error_of([&] { future.get(); }).place().line == 6);
}

TEST_CASE("a call that was stopped or is late changes nothing") {
  const Application app;
  const DatabaseOptions options = app.file("app.db");
  SqliteFile(app.path("app.db")).run("CREATE TABLE older (x integer)");
  const MigrationManager manager(options);
  std::stop_source stop;
  stop.request_stop();
  const CallLimits stopped{kForever, stop.get_token()};
  const CallLimits late{std::chrono::steady_clock::now() - std::chrono::seconds(1), {}};
  for (const CallLimits& limits : {stopped, late}) {
    const MigrationOutcome outcome = manager.upgrade_database("head", limits);
    CHECK_FALSE(outcome.ok());
    CHECK(outcome.revisions.empty());
    CHECK_THROWS_AS(manager.ensure_migrated(limits), Error);
  }
  CHECK(manager.check_migration_status().pending == Names{"0001", "0002"});
}

TEST_CASE("a migration that fails is named with its place, and what went before stays") {
  const Application app;
  app.write(kBroken);
  const DatabaseOptions options = app.file("app.db");
  const MigrationOutcome outcome = MigrationManager(options).upgrade_database();
  CHECK(outcome.outcome == "failed");
  CHECK(outcome.revisions == Names{"0001", "0002"});
  CHECK(outcome.to == Names{"0002"});
  REQUIRE(outcome.problem);
  CHECK(outcome.problem->code == ErrorCode::incomplete);
  CHECK(outcome.problem->revision == "0003");
  CHECK_FALSE(outcome.problem->kind.empty());
  CHECK_FALSE(outcome.problem->hint.empty());
  CHECK(std::filesystem::path(outcome.problem->place.file).filename() == "0003.sql");
  CHECK(outcome.problem->place.line == 6);
  const Error error = error_of([&] { ensure_database_migrated(options); });
  CHECK(error.kind_name() == outcome.problem->kind);
  CHECK(error.place() == outcome.problem->place);
  CHECK(notes_of(app.path("app.db")) == Names{"0001", "0002"});
}

TEST_CASE("migration files that make no sense are refused before any database is touched") {
  const Application app;
  app.write({"0003", "0009", "SELECT 1;", "SELECT 1;"});
  CHECK(error_of([&] { ensure_database_migrated(app.file("app.db")); }).code() == ErrorCode::usage);
  CHECK_FALSE(std::filesystem::exists(app.path("app.db")));
}

TEST_CASE("a current file is found current while somebody else is writing to it") {
  const Application app;
  const DatabaseOptions options = app.file("app.db");
  ensure_database_migrated(options);
  SqliteFile other(app.path("app.db"));
  other.run("BEGIN IMMEDIATE");
  CHECK(ensure_database_migrated(options).outcome == "current");
  other.run("ROLLBACK");
}

TEST_CASE("a database marked production is not migrated by its application") {
  const Application app;
  DatabaseOptions options = app.file("app.db");
  ensure_database_migrated(options);
  SqliteFile(app.path("app.db")).run("UPDATE drover_tenant SET production = 1");
  CHECK(ensure_database_migrated(options).outcome == "current");
  app.write({"0003", "0002", "INSERT INTO notes VALUES ('0003');", "SELECT 1;"});
  const Error error = error_of([&] { ensure_database_migrated(options); });
  CHECK(error.code() == ErrorCode::usage);
  CHECK(error.kind_name() == "auto_migrate_refused");
  CHECK(error.what() ==
        std::string("the database is marked production, and these revisions are pending: 0003"));
  CHECK(error.hint() == "Let an operator run the upgrade before the application starts.");
  CHECK(notes_of(app.path("app.db")) == Names{"0001", "0002"});
}

TEST_CASE("of many replicas that start at once on a new file, one applies each revision") {
  const Application app;
  const DatabaseOptions options = app.file("app.db");
  std::atomic<int> there = 0;
  CHECK(at_once(8, [&](int) {
          there += ensure_database_migrated(options).to == Names{"0002"} ? 1 : 0;
        }).empty());
  CHECK(there == 8);
  CHECK(notes_of(app.path("app.db")) == Names{"0001", "0002"});
}

TEST_CASE("twenty databases are migrated side by side") {
  const Application app;
  const auto name = [](int i) { return fmt::format("{}.db", i); };
  CHECK(at_once(20, [&](int i) { ensure_database_migrated(app.file(name(i))); }).empty());
  for (int i = 0; i < 20; ++i) {
    CHECK(notes_of(app.path(name(i))) == Names{"0001", "0002"});
  }
}

}  // namespace
}  // namespace drover::test

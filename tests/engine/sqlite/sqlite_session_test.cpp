#include "engine/sqlite/sqlite_session.h"

#include <chrono>
#include <filesystem>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "engine/sqlite/sqlite_target.h"
#include "tests/conformance/session_conformance.h"
#include "tests/support/temp_dir.h"

namespace fs = std::filesystem;

using drover::engine::Exchange;
using drover::engine::Milliseconds;
using drover::engine::OpenOptions;
using drover::engine::OpenResult;
using drover::engine::Session;
using drover::engine::SqlError;
using drover::engine::Statement;
using drover::engine::sqlite::kApplicationId;
using drover::engine::sqlite::sqlite_target;
using drover::engine::sqlite::SqliteSessionFactory;
using drover::test::open_session;
using drover::test::rows_of;
using drover::test::run;
using drover::test::run_migration;
using drover::test::TempDir;
using Origin = SqlError::Origin;

namespace {

std::unique_ptr<Session> open(const fs::path& file, const OpenOptions& options = {}) {
  SqliteSessionFactory factory;
  return open_session(factory, sqlite_target(file), options);
}

SqlError open_error(const fs::path& file, const OpenOptions& options = {}) {
  SqliteSessionFactory factory;
  const OpenResult opened = factory.open(sqlite_target(file), options, {});
  REQUIRE(opened.session == nullptr);
  REQUIRE(opened.error->origin == Origin::connection);
  return opened.error.value();
}

std::string value(Session& session, std::string_view sql) {
  return rows_of(run(session, sql)).front().front().value_or("NULL");
}

/// A new database with the table t in it.
fs::path make_database(const TempDir& dir, std::string_view pragma = "SELECT 1") {
  const fs::path file = dir / "a.db";
  const auto session = open(file, {.create_file = true});
  REQUIRE(run(*session, pragma).ok());
  REQUIRE(run(*session, "CREATE TABLE t (a integer)").ok());
  REQUIRE(run(*session, "INSERT INTO t VALUES (1)").ok());
  return file;
}

OpenOptions reading() {
  OpenOptions options;
  options.purpose = OpenOptions::Purpose::read;
  return options;
}

}  // namespace

TEST_CASE("files that are no databases are refused, each with its reason") {
  const TempDir dir;
  const std::string folder = fs::canonical(dir.path());
  REQUIRE(open_error(dir / "gone.db").sqlstate == "SQLITE_CANTOPEN");
  REQUIRE(open_error(dir / "gone.db").message ==
          "cannot open '" + folder + "/gone.db': No such file or directory");
  REQUIRE_FALSE(fs::exists(dir / "gone.db"));

  const fs::path empty = dir.write("empty.db", "");
  REQUIRE(open_error(empty).sqlstate == "SQLITE_EMPTY");
  REQUIRE(open_error(empty).message == "'" + folder + "/empty.db' holds nothing");

  fs::create_directory(dir / "folder.db");
  REQUIRE(open_error(dir / "folder.db").sqlstate == "SQLITE_CANTOPEN_ISDIR");
  REQUIRE(open_error("/dev/null").sqlstate == "SQLITE_CANTOPEN");

  for (const std::string& text : {std::string("x"),
                                  std::string("some text\n"),
                                  std::string(4096, 'x'),
                                  std::string(100'000, '\0')}) {
    const fs::path other = dir.write("other.db", text);
    for (const bool create : {false, true}) {
      OpenOptions options;
      options.create_file = create;
      INFO(text.size());
      REQUIRE(open_error(other, options).sqlstate == "SQLITE_NOTADB");
      REQUIRE(open_error(other, options).message ==
              "'" + folder + "/other.db' is not an SQLite database");
      REQUIRE(dir.read("other.db") == text);
    }
  }
}

TEST_CASE("a file is made only where it was asked for, and says whose it is") {
  const TempDir dir;
  OpenOptions read_and_create = reading();
  read_and_create.create_file = true;
  REQUIRE(open_error(dir / "new.db", read_and_create).sqlstate == "SQLITE_CANTOPEN");

  OpenOptions create;
  create.create_file = true;
  const std::string ours = std::to_string(kApplicationId);
  REQUIRE(value(*open(dir / "new.db", create), "PRAGMA application_id") == ours);
  REQUIRE(value(*open(dir.write("empty.db", ""), create), "PRAGMA application_id") == ours);
  REQUIRE(fs::file_size(dir / "empty.db") > 0);
}

TEST_CASE("an application's own id is left alone") {
  const TempDir dir;
  const fs::path file = make_database(dir, "PRAGMA application_id = 77");
  REQUIRE(value(*open(file, {.create_file = true}), "PRAGMA application_id") == "77");
}

TEST_CASE("names that SQLite understands otherwise are names of files") {
  const TempDir dir;
  for (const char* const name : {":memory:", "file:x?mode=memory"}) {
    open(dir / name, {.create_file = true});
    INFO(name);
    REQUIRE(fs::file_size(dir / name) > 0);
  }
}

TEST_CASE("a read session changes nothing and leaves nothing") {
  const TempDir dir;
  for (const char* const journal : {"PRAGMA journal_mode = delete", "PRAGMA journal_mode = wal"}) {
    const fs::path file = make_database(dir, journal);
    {
      const auto session = open(file, reading());
      INFO(journal);
      REQUIRE(value(*session, "SELECT count(*) FROM t") == "1");
      REQUIRE(run(*session, "INSERT INTO t VALUES (2)").error->sqlstate == "SQLITE_READONLY");
    }
    REQUIRE(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()) == 1);
    fs::remove(file);
  }
}

TEST_CASE("a read session sees what stands in the log of a writer") {
  const TempDir dir;
  const fs::path file = make_database(dir, "PRAGMA journal_mode = wal");
  const auto writer = open(file);
  REQUIRE(run(*writer, "INSERT INTO t VALUES (2)").ok());
  REQUIRE(value(*open(file, reading()), "SELECT count(*) FROM t") == "2");
}

TEST_CASE("a read session rolls back what a dead writer left") {
  const TempDir dir;
  const fs::path file = make_database(dir);
  {
    const auto writer = open(file);
    REQUIRE(run(*writer, "PRAGMA cache_size = 1").ok());
    REQUIRE(run(*writer, "PRAGMA cache_spill = 1").ok());
    REQUIRE(run(*writer, "BEGIN IMMEDIATE").ok());
    REQUIRE(run(*writer,
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) "
                "INSERT INTO t SELECT i FROM n")
                .ok());
    // As if the machine had stopped here: the half-written file and its journal.
    fs::copy_file(file, dir / "b.db");
    fs::copy_file(file.string() + "-journal", dir / "b.db-journal");
  }
  REQUIRE(fs::file_size(dir / "b.db-journal") > 0);
  const auto session = open(dir / "b.db", reading());
  REQUIRE(value(*session, "SELECT count(*) FROM t") == "1");
  REQUIRE(run(*session, "INSERT INTO t VALUES (2)").error->sqlstate == "SQLITE_READONLY");
}

TEST_CASE("a locked file is waited for, up to the lock timeout") {
  const TempDir dir;
  const fs::path file = make_database(dir);
  const auto holder = open(file);
  REQUIRE(run(*holder, "BEGIN IMMEDIATE").ok());

  const auto other = open(file, {.lock_timeout = Milliseconds(60)});
  const auto start = std::chrono::steady_clock::now();
  const Exchange refused = run(*other, "BEGIN IMMEDIATE");
  REQUIRE(refused.error->origin == Origin::server);
  REQUIRE(refused.error->sqlstate == "SQLITE_BUSY");
  REQUIRE(std::chrono::steady_clock::now() - start >= Milliseconds(60));
  REQUIRE(other->alive());

  const auto patient = open(file, {.lock_timeout = Milliseconds(60000)});
  std::jthread releases([&] { REQUIRE(run(*holder, "COMMIT").ok()); });
  REQUIRE(run(*patient, "BEGIN IMMEDIATE").ok());
}

TEST_CASE("the deadline and the stop end the wait for a locked file") {
  const TempDir dir;
  const fs::path file = make_database(dir);
  const auto holder = open(file);
  REQUIRE(run(*holder, "BEGIN IMMEDIATE").ok());
  const Statement begin{"BEGIN IMMEDIATE"};

  const auto late = open(file, {.lock_timeout = Milliseconds(60000)});
  const auto deadline = std::chrono::steady_clock::now() + Milliseconds(30);
  REQUIRE(late->exchange({&begin, 1}, {deadline, {}}).error->origin == Origin::deadline);
  REQUIRE_FALSE(late->alive());

  const auto stopped = open(file, {.lock_timeout = Milliseconds(60000)});
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  const drover::engine::Patience patience{drover::engine::SteadyTime::max(), stop.get_token()};
  REQUIRE(stopped->exchange({&begin, 1}, patience).error->origin == Origin::stopped);
}

TEST_CASE("a migration cannot reach out of its file or change the session's safety") {
  const TempDir dir;
  const auto session = open(make_database(dir));
  const std::string elsewhere = dir / "elsewhere.db";
  const std::vector<std::pair<std::string, std::string>> refused = {
      {"ATTACH '" + elsewhere + "' AS x", "ATTACH"},
      {"attach '' as x", "ATTACH"},
      {"DETACH main", "DETACH"},
      {"VACUUM INTO '" + elsewhere + "'", "VACUUM INTO"},
      {"/* a */ BEGIN", "transaction control (BEGIN)"},
      {"COMMIT", "transaction control (COMMIT)"},
      {"SAVEPOINT s", "transaction control (BEGIN)"},
      {"SELECT load_extension('x')", "load_extension()"},
      {"PRAGMA writable_schema = 1", "PRAGMA writable_schema"},
      {"PRAGMA Foreign_Keys(0)", "PRAGMA foreign_keys"}};
  for (const auto& [sql, what] : refused) {
    const Exchange exchange = run_migration(*session, sql);
    INFO(sql);
    REQUIRE_FALSE(exchange.ok());
    REQUIRE(exchange.error->origin == Origin::refused);
    REQUIRE(exchange.error->message == what + " is not possible in a migration");
    REQUIRE(session->alive());
  }
  REQUIRE_FALSE(fs::exists(elsewhere));
  REQUIRE(run(*session, "PRAGMA foreign_keys = ON").ok());
  REQUIRE(run_migration(*session, "PRAGMA foreign_keys").ok());
}

TEST_CASE("a PRAGMA that a transaction ignores is refused there, and works outside") {
  const TempDir dir;
  const auto session = open(make_database(dir));
  REQUIRE(run(*session, "BEGIN").ok());
  REQUIRE(run_migration(*session, "PRAGMA journal_mode = wal").error->message ==
          "PRAGMA journal_mode is not possible in a migration");
  REQUIRE(run_migration(*session, "PRAGMA user_version = 7").ok());
  REQUIRE(run(*session, "COMMIT").ok());
  REQUIRE(run_migration(*session, "PRAGMA journal_mode = wal").ok());
  REQUIRE(value(*session, "PRAGMA journal_mode") == "wal");
}

TEST_CASE("VACUUM works in a migration") {
  const TempDir dir;
  const auto session = open(make_database(dir));
  REQUIRE(run_migration(*session, "-- tidy up\nVACUUM").ok());
  REQUIRE(run_migration(*session, "ATTACH '' AS x").error->origin == Origin::refused);
}

TEST_CASE("statements read facts of their tenant") {
  const TempDir dir;
  OpenOptions options;
  options.facts = {{"tenant", "acme"}, {"label.region", "eu ä"}};
  const auto session = open(make_database(dir), options);
  REQUIRE(value(*session, "SELECT drover_setting('tenant')") == "acme");
  REQUIRE(value(*session, "SELECT drover_setting('label.region')") == "eu ä");
  REQUIRE(value(*session, "SELECT drover_setting('unknown')") == "NULL");
  REQUIRE(value(*session, "SELECT drover_setting(NULL)") == "NULL");
}

TEST_CASE("one statement is one statement") {
  const TempDir dir;
  const auto session = open(make_database(dir));
  const Exchange two = run(*session, "INSERT INTO t VALUES (2); INSERT INTO t VALUES (3)");
  REQUIRE(two.error->origin == Origin::refused);
  REQUIRE(two.error->message == "a statement holds a second one");
  REQUIRE(run(*session, "INSERT INTO t VALUES (2); -- and a comment\n ;").ok());
  REQUIRE(run(*session, " -- nothing\n").ok());
  REQUIRE(value(*session, "SELECT count(*) FROM t") == "2");
}

TEST_CASE("a missing parameter is an error, not a NULL") {
  const TempDir dir;
  const auto session = open(make_database(dir));
  const Exchange exchange = run(*session, "INSERT INTO t VALUES (?1)");
  REQUIRE(exchange.error->sqlstate == "SQLITE_RANGE");
  REQUIRE(exchange.error->message == "the statement takes 1 parameters and was given 0");
}

TEST_CASE("statements of one message outside a transaction are their own") {
  const TempDir dir;
  const auto session = open(make_database(dir));
  const std::vector<Statement> message = {{"INSERT INTO t VALUES (2)"}, {"nonsense"}};
  REQUIRE(session->exchange(message, {}).results.size() == 1);
  REQUIRE(value(*session, "SELECT count(*) FROM t") == "2");
}

TEST_CASE("a ROLLBACK of ours is welcome where SQLite has rolled back already") {
  const TempDir dir;
  const auto session = open(make_database(dir));
  REQUIRE(run(*session, "BEGIN").ok());
  REQUIRE(run(*session, "INSERT OR ROLLBACK INTO t SELECT abs(-9223372036854775808)").error);
  REQUIRE(run(*session, "ROLLBACK").ok());
  REQUIRE(run(*session, "ROLLBACK").ok());
  REQUIRE_FALSE(session->in_transaction());
}

TEST_CASE("affected counts are those of changes only") {
  const TempDir dir;
  const auto session = open(make_database(dir));
  const std::vector<Statement> message = {
      {"INSERT INTO t VALUES (2), (3)"},
      {"CREATE TABLE u (a)"},
      {"WITH w AS (SELECT a FROM t) INSERT INTO u SELECT a FROM w"},
      {"WITH w AS (SELECT a FROM t) SELECT * FROM w"},
      {"DELETE FROM t WHERE a > 9"}};
  const Exchange exchange = session->exchange(message, {});
  REQUIRE(exchange.ok());
  std::vector<std::uint64_t> counts;
  for (const auto& result : exchange.results) {
    counts.push_back(result.affected);
  }
  REQUIRE(counts == std::vector<std::uint64_t>{2, 0, 3, 0, 0});
}

TEST_CASE("equal files have equal targets") {
  const TempDir dir;
  fs::create_directory(dir / "sub");
  fs::create_directory_symlink(dir / "sub", dir / "link");
  const auto target = sqlite_target(dir / "sub" / "a.db");
  REQUIRE(sqlite_target(dir / "link" / "." / "a.db") == target);
  REQUIRE(sqlite_target(dir / "sub" / ".." / "link" / "a.db") == target);
  REQUIRE(target.dialect == drover::engine::Dialect::sqlite);
  REQUIRE(target.connection == fs::canonical(dir / "sub") / "a.db");
  REQUIRE(target.server == fs::canonical(dir / "sub"));
  REQUIRE(target.database == "a.db");
  REQUIRE(target.schema.empty());
  REQUIRE_THROWS_WITH(sqlite_target(""), "a target names no SQLite file");
  REQUIRE_THROWS_WITH(sqlite_target("folder/"), "a target names no SQLite file");
}

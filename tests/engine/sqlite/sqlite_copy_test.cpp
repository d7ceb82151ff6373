// Copies of live SQLite files, copies put back into them, and digests that tell copies apart.

#include "engine/sqlite/sqlite_copy.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <stop_token>
#include <string>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "engine/sqlite/sqlite_digest.h"
#include "engine/sqlite/sqlite_session.h"
#include "engine/sqlite/sqlite_target.h"
#include "tests/conformance/session_conformance.h"
#include "tests/support/temp_dir.h"

namespace drover::engine::sqlite {
namespace {

namespace fs = std::filesystem;
using drover::test::open_session;
using drover::test::rows_of;
using drover::test::run;
using drover::test::TempDir;

constexpr Milliseconds kShort{200};

std::unique_ptr<Session> open(const fs::path& file, bool create = false) {
  static SqliteSessionFactory factory;
  OpenOptions options;
  options.create_file = create;
  options.lock_timeout = kShort;
  return open_session(factory, sqlite_target(file), options);
}

std::string value(Session& session, std::string_view sql) {
  return rows_of(run(session, sql)).front().front().value_or("NULL");
}

/// A database with a few tables of `rows` rows, in the journal mode `mode`.
fs::path make_database(const fs::path& file, std::string_view mode, int rows = 100) {
  const auto session = open(file, true);
  REQUIRE(run(*session, fmt::format("PRAGMA journal_mode = {}", mode)).ok());
  REQUIRE(run(*session, "CREATE TABLE files (id INTEGER PRIMARY KEY, name TEXT, data BLOB)").ok());
  REQUIRE(run(*session, "CREATE TABLE odd (k TEXT PRIMARY KEY, v REAL) WITHOUT ROWID").ok());
  REQUIRE(run(*session,
              fmt::format("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i "
                          "< {}) INSERT INTO files SELECT i, 'file ' || i, randomblob(500) FROM n",
                          rows))
              .ok());
  REQUIRE(run(*session, "INSERT INTO odd VALUES ('a', 0.1), ('b', NULL), ('c', 1e300)").ok());
  return file;
}

FileContent content_of(const fs::path& file, FileUse use = FileUse::live) {
  FileContent content = read_content(file, use, kShort, {});
  INFO(file << ": " << (content.error ? content.error->message : ""));
  REQUIRE_FALSE(content.error);
  return content;
}

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.insert(entry.path().filename());
  }
  return names;
}

TEST_CASE("a copy holds what the file holds, for its owner only and with nothing beside it") {
  const auto* const mode = GENERATE("WAL", "DELETE");
  const TempDir dir;
  const fs::path file = make_database(dir / "a.db", mode);
  const auto user = open(file);
  REQUIRE(run(*user, "INSERT INTO files VALUES (1000, 'only in the WAL', NULL)").ok());
  fs::create_directory(dir / "copies");
  const fs::path copy = dir / "copies" / "a.copy";
  REQUIRE_FALSE(copy_to_new_file(file, copy, kShort, {}));
  CHECK(differences(content_of(file).tables, content_of(copy, FileUse::stored).tables).empty());
  CHECK(names_in(dir / "copies") == std::set<std::string>{"a.copy"});
  struct stat found = {};
  REQUIRE(stat(copy.c_str(), &found) == 0);
  CHECK((found.st_mode & 0777U) == 0600U);
  CHECK(value(*user, "SELECT count(*) FROM files") == "101");
}

TEST_CASE("a copy is not made over a file that is there") {
  const TempDir dir;
  const fs::path file = make_database(dir / "a.db", "WAL");
  std::ofstream(dir / "there") << "something";
  const auto error = copy_to_new_file(file, dir / "there", kShort, {});
  REQUIRE(error);
  CHECK(error->message == fmt::format("cannot make '{}': File exists", (dir / "there").string()));
  CHECK(fs::file_size(dir / "there") == 9);
}

TEST_CASE("a writer in the middle of a transaction is waited for in the rollback modes") {
  const TempDir dir;
  const fs::path file = make_database(dir / "a.db", "DELETE");
  const auto writer = open(file);
  REQUIRE(run(*writer, "BEGIN EXCLUSIVE").ok());
  const auto error = copy_to_new_file(file, dir / "copy", kShort, {});
  REQUIRE(error);
  CHECK(error->sqlstate == "SQLITE_BUSY");
  REQUIRE(run(*writer, "ROLLBACK").ok());
  fs::remove(dir / "copy");
  CHECK_FALSE(copy_to_new_file(file, dir / "copy", kShort, {}));
}

TEST_CASE("a stop ends a copy") {
  const TempDir dir;
  const fs::path file = make_database(dir / "a.db", "WAL");
  std::stop_source stop;
  stop.request_stop();
  const auto error =
      copy_to_new_file(file, dir / "copy", kShort, {SteadyTime::max(), stop.get_token()});
  REQUIRE(error);
  CHECK(error->origin == SqlError::Origin::stopped);
}

TEST_CASE("a copy is put back into a live file, and what was there is saved first") {
  const auto* const mode = GENERATE("WAL", "DELETE");
  const TempDir dir;
  const fs::path file = make_database(dir / "a.db", mode);
  REQUIRE_FALSE(copy_to_new_file(file, dir / "copy", kShort, {}));
  const std::vector<TableDigest> saved = content_of(dir / "copy", FileUse::stored).tables;
  {
    const auto user = open(file);
    REQUIRE(run(*user, "DELETE FROM files").ok());
    REQUIRE(run(*user, "DROP TABLE odd").ok());
  }
  {
    LiveFile live(file, kShort, {});
    REQUIRE_FALSE(live.refusal());
    REQUIRE_FALSE(live.copy_to(dir / "before"));
    REQUIRE_FALSE(live.replace_by(dir / "copy"));
    CHECK(differences(saved, live.content().tables).empty());
    CHECK(read_content(file, FileUse::live, kShort, {}).error->sqlstate == "SQLITE_BUSY");
  }
  CHECK(differences(saved, content_of(file).tables).empty());
  CHECK(content_of(dir / "before", FileUse::stored).tables.size() == 2);
  const auto user = open(file);
  REQUIRE(run(*user, "INSERT INTO files VALUES (1000, 'after', NULL)").ok());
  CHECK(value(*user, "SELECT count(*) FROM files") == "101");
}

TEST_CASE(
    "connections that are open and idle see what was put back, but in WAL mode are in the way") {
  const TempDir dir;
  const fs::path file = make_database(dir / "a.db", "DELETE");
  REQUIRE_FALSE(copy_to_new_file(file, dir / "copy", kShort, {}));
  const auto user = open(file);
  REQUIRE(run(*user, "DELETE FROM files").ok());
  {
    LiveFile live(file, kShort, {});
    REQUIRE_FALSE(live.refusal());
    REQUIRE_FALSE(live.replace_by(dir / "copy"));
  }
  CHECK(value(*user, "SELECT count(*) FROM files") == "100");

  REQUIRE(value(*user, "PRAGMA journal_mode = WAL") == "wal");
  REQUIRE(value(*user, "SELECT count(*) FROM files") == "100");
  const LiveFile live(file, kShort, {});
  REQUIRE(live.refusal());
  CHECK(live.refusal()->message == fmt::format("somebody else has '{}' open", file.string()));
}

TEST_CASE("a live file that somebody is reading is left as it is") {
  const TempDir dir;
  const fs::path file = make_database(dir / "a.db", "DELETE");
  const auto user = open(file);
  REQUIRE(run(*user, "BEGIN").ok());
  REQUIRE(value(*user, "SELECT count(*) FROM files") == "100");
  const LiveFile live(file, kShort, {});
  REQUIRE(live.refusal());
  CHECK(live.refusal()->sqlstate == "SQLITE_BUSY");
}

TEST_CASE("another page size is taken over") {
  const TempDir dir;
  const fs::path file = make_database(dir / "a.db", "DELETE");
  REQUIRE_FALSE(copy_to_new_file(file, dir / "copy", kShort, {}));
  {
    const auto user = open(file);
    REQUIRE(run(*user, "PRAGMA page_size = 16384").ok());
    REQUIRE(run(*user, "VACUUM").ok());
  }
  LiveFile live(file, kShort, {});
  REQUIRE_FALSE(live.replace_by(dir / "copy"));
  CHECK(
      differences(content_of(dir / "copy", FileUse::stored).tables, live.content().tables).empty());
}

TEST_CASE("every row and every value counts in the digest, and their order does not") {
  const TempDir dir;
  const fs::path file = make_database(dir / "a.db", "DELETE");
  const std::vector<TableDigest> before = content_of(file).tables;
  const auto user = open(file);
  const auto found = [&](std::string_view change) {
    REQUIRE(run(*user, change).ok());
    return differences(before, content_of(file).tables);
  };
  using Found = std::vector<std::string>;
  CHECK(found("UPDATE odd SET v = '0.1' WHERE k = 'a'") ==
        Found{});  // a REAL column makes a number of it again
  CHECK(found("UPDATE files SET data = 'x' WHERE id = 7") == Found{"rows of table 'files' differ"});
  REQUIRE(run(*user, "UPDATE files SET data = CAST('x' AS BLOB) WHERE id = 7").ok());
  const std::vector<TableDigest> as_blob = content_of(file).tables;
  REQUIRE(run(*user, "UPDATE files SET data = 'x' WHERE id = 7").ok());
  CHECK(differences(as_blob, content_of(file).tables) == Found{"rows of table 'files' differ"});
  CHECK(found("DELETE FROM files WHERE id = 7") == Found{"table 'files' has 99 rows, and had 100"});
  CHECK(found("PRAGMA user_version = 3") ==
        Found{"table 'files' has 99 rows, and had 100", "rows of table 'sqlite_schema' differ"});
}

TEST_CASE("a flipped byte that SQLite does not see is seen by the digest, or by its check") {
  const TempDir dir;
  const fs::path file = make_database(dir / "a.db", "DELETE", 400);
  REQUIRE_FALSE(copy_to_new_file(file, dir / "copy", kShort, {}));
  const std::vector<TableDigest> was = content_of(dir / "copy", FileUse::stored).tables;
  std::string bytes;
  {
    std::ifstream in(dir / "copy", std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  const auto found_at = [&](std::size_t at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
    std::ofstream(dir / "damaged", std::ios::binary) << damaged;
    const FileContent content = read_content(dir / "damaged", FileUse::stored, kShort, {});
    return content.error || !differences(was, content.tables).empty();
  };
  // The middle of a name in a row: the most harmful of all.
  CHECK(found_at(bytes.find("file 77") + 5));
}

TEST_CASE("what is no database is told, not read") {
  const TempDir dir;
  std::ofstream(dir / "empty") << "";
  std::ofstream(dir / "text") << std::string(2000, 'x');
  CHECK(read_content(dir / "empty", FileUse::stored, kShort, {}).error->sqlstate == "SQLITE_EMPTY");
  CHECK(read_content(dir / "text", FileUse::stored, kShort, {}).error->sqlstate == "SQLITE_NOTADB");
  CHECK(read_content(dir / "none", FileUse::live, kShort, {}).error->sqlstate == "SQLITE_CANTOPEN");
}

TEST_CASE("names that mean something in a URI are names of files") {
  const TempDir dir;
  const fs::path file = make_database(dir / "a?mode=memory#%41.db", "DELETE");
  CHECK(content_of(file, FileUse::stored).tables.size() == 3);
}

}  // namespace
}  // namespace drover::engine::sqlite

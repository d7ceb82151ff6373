// What statements lock, in words, and how a revision's locks are summed up. The suite `postgres`
// asks a server whether the words are true.

#include "engine/parse/statement_locks.h"

#include <string>

#include <catch2/catch.hpp>

#include "tests/engine/parse/lock_forms.h"
#include "tests/engine/parse/migration_files.h"

using namespace drover::engine;
using namespace drover::engine::parse;

namespace {

std::string words(const std::vector<TableLock>& locks) {
  std::string text;
  for (const TableLock& lock : locks) {
    text += (text.empty() ? "" : "; ") + to_string(lock);
  }
  return text;
}

std::string words_of(std::string_view statement) {
  return words(locks_of(statement));
}

/// What a file with `sections` locks going up.
std::string locked_by(const std::string& sections) {
  const Migration migration = parsed(kHeader + sections + "\n" + kDown);
  return words(locks_of(up_units(migration, Dialect::postgres)));
}

}  // namespace

TEST_CASE("every form says what it locks", "[engine][parse]") {
  for (const LockForm& form : kLockForms) {
    INFO(form.statement);
    CHECK(words_of(form.statement) == form.locks);
  }
}

TEST_CASE("a name is the same however it is written", "[engine][parse]") {
  CHECK(words_of("lock /* x */ FILES, \"files\", \"Files\"") ==
        "ACCESS EXCLUSIVE on files; ACCESS EXCLUSIVE on \"Files\"");
  CHECK(words_of("DROP TABLE App . \"files\", \"a.b\".c, \"1st\", \"q\"\"q\"") ==
        "ACCESS EXCLUSIVE on app.files; ACCESS EXCLUSIVE on \"a.b\".c; ACCESS EXCLUSIVE on "
        "\"1st\"; ACCESS EXCLUSIVE on \"q\"\"q\"");
}

TEST_CASE("names of lock modes read back", "[engine][parse]") {
  for (int i = 0; i < 8; ++i) {
    const auto mode = static_cast<LockMode>(i);
    CHECK(lock_mode_named(name_of(mode)) == mode);
  }
  CHECK(lock_mode_named("row share") == LockMode::row_share);
  CHECK(lock_mode_named("SHARE EXCLUSIVE") == std::nullopt);
  CHECK(blocked_by(LockMode::access_exclusive) == Blocks::reads_and_writes);
  CHECK(blocked_by(LockMode::exclusive) == Blocks::writes);
  CHECK(blocked_by(LockMode::share_row_exclusive) == Blocks::writes);
  CHECK(blocked_by(LockMode::share) == Blocks::writes);
  CHECK(blocked_by(LockMode::share_update_exclusive) == Blocks::nothing);
  CHECK(blocked_by(LockMode::row_exclusive) == Blocks::nothing);
}

TEST_CASE("a statement that is cut short gives what is known of it, or nothing",
          "[engine][parse]") {
  for (const LockForm& form : kLockForms) {
    for (std::size_t length = 0; length < form.statement.size(); ++length) {
      locks_of(form.statement.substr(0, length));  // Ends, and reads nothing behind the text.
    }
  }
  CHECK(words_of("ALTER TABLE files ADD").empty());
  CHECK(words_of("ALTER TABLE files ADD CONSTRAINT").empty());
  CHECK(words_of("DROP TABLE files,").empty());
  CHECK(words_of("CREATE TABLE a (b integer REFERENCES").empty());
  CHECK(words_of("LOCK TABLE files IN FINE MODE").empty());
}

TEST_CASE("a revision's locks are the strongest of each table", "[engine][parse]") {
  CHECK(locked_by("-- drover: up\n"
                  "INSERT INTO logs VALUES (1);\n"
                  "CREATE INDEX ON files (name);\n"
                  "ALTER TABLE files ADD COLUMN a text;\n"
                  "UPDATE files SET a = 'x';\n") ==
        "ACCESS EXCLUSIVE on files, scans it; ROW EXCLUSIVE on logs");
}

TEST_CASE("work in a later transaction is not done under the lock of an earlier one",
          "[engine][parse]") {
  CHECK(locked_by("-- drover: up postgres\n"
                  "ALTER TABLE files ADD CONSTRAINT c CHECK (a > 1) NOT VALID;\n"
                  "-- drover: up postgres no-transaction\n"
                  "ALTER TABLE files VALIDATE CONSTRAINT c;\n"
                  "CREATE INDEX CONCURRENTLY i ON folders (path);\n"
                  "-- drover: up postgres\n"
                  "DROP INDEX j;\n"
                  "-- drover: up sqlite\n"
                  "DROP TABLE elsewhere;\n") ==
        "ACCESS EXCLUSIVE on files; ACCESS EXCLUSIVE on the table of index j; "
        "SHARE UPDATE EXCLUSIVE on folders, scans it");
  CHECK(locked_by("-- drover: up postgres\n"
                  "ALTER TABLE files ADD CONSTRAINT c CHECK (a > 1) NOT VALID;\n"
                  "ALTER TABLE files VALIDATE CONSTRAINT c;\n") ==
        "ACCESS EXCLUSIVE on files, scans it");
}

TEST_CASE("tables that a revision makes itself are not spoken of", "[engine][parse]") {
  CHECK(locked_by("-- drover: up\n"
                  "CREATE TABLE shares (id integer, file_id integer REFERENCES files);\n"
                  "CREATE INDEX ON shares (file_id);\n"
                  "INSERT INTO shares SELECT id FROM files;\n"
                  "CREATE VIEW open_shares AS SELECT * FROM shares;\n"
                  "COMMENT ON VIEW open_shares IS 'x';\n") == "SHARE ROW EXCLUSIVE on files");
  CHECK(locked_by("-- drover: up\n"
                  "CREATE TABLE app.files_new (id integer);\n"
                  "DROP TABLE app.files;\n"
                  "ALTER TABLE app.files_new RENAME TO files;\n"
                  "CREATE INDEX ON app.files (id);\n") == "ACCESS EXCLUSIVE on app.files");
  // A table that may be there already is not the revision's own.
  CHECK(locked_by("-- drover: up\n"
                  "CREATE TABLE IF NOT EXISTS shares (id integer);\n"
                  "ALTER TABLE shares ADD a text;\n") == "ACCESS EXCLUSIVE on shares");
}

TEST_CASE("a batch locks rows only", "[engine][parse]") {
  const Migration migration =
      parsed(batch("table=files key=id", "UPDATE files SET a = 1 WHERE {range};"));
  CHECK(words(locks_of(up_units(migration, Dialect::postgres))) == "ROW EXCLUSIVE on files");
}

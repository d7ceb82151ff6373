#include <string>

#include <catch2/catch.hpp>

#include "engine/sqlite/sqlite_session.h"
#include "engine/sqlite/sqlite_target.h"
#include "tests/conformance/session_conformance.h"
#include "tests/support/temp_dir.h"

namespace {

constexpr drover::test::ConformanceTexts kTexts = {
    .create = "CREATE TABLE note (id integer PRIMARY KEY, body text)",
    .insert = "INSERT INTO note VALUES (?1, ?2)",
    .select = "SELECT id, body FROM note ORDER BY id",
    .update_all = "UPDATE note SET body = 'changed'",
    .echo = "SELECT ?1",
    .endless =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    .many_rows =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000) SELECT i FROM "
        "n",
    .unknown_column = "SELECT 'äöü', nope FROM note",
    .duplicate_state = "SQLITE_CONSTRAINT_PRIMARYKEY",
    .unknown_state = "SQLITE_ERROR",
    .cancelled_state = "SQLITE_INTERRUPT"};

class SqliteWorld final : public drover::test::SessionWorld {
 public:
  drover::engine::SessionFactory& factory() override { return factory_; }

  drover::engine::Target fresh_target() override {
    const auto target =
        drover::engine::sqlite::sqlite_target(dir_ / (std::to_string(++number_) + ".db"));
    drover::test::open_session(factory_, target, {.create_file = true});
    return target;
  }

  const drover::test::ConformanceTexts& texts() const override { return kTexts; }

 private:
  drover::test::TempDir dir_;
  int number_ = 0;
  drover::engine::sqlite::SqliteSessionFactory factory_;
};

}  // namespace

TEST_CASE("an SQLite session keeps what every session promises") {
  SqliteWorld world;
  drover::test::check_session_conformance(world);
}

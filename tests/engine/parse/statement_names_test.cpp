#include "engine/parse/statement_names.h"

#include <catch2/catch.hpp>

#include "engine/parse/statement_kind.h"

namespace drover::engine::parse {
namespace {

struct Row {
  const char* statement;
  const char* object;
  const char* table;
};

const Row kRows[] = {
    {"CREATE INDEX CONCURRENTLY a_i ON a (i)", "a_i", "a"},
    {"create unique index concurrently if not exists \"A i\" on only app.\"my files\" using gin "
     "(x)",
     "\"A i\"",
     "app.\"my files\""},
    {"CREATE INDEX CONCURRENTLY ON a (i)", "", "a"},
    {"CREATE /* on */ INDEX CONCURRENTLY a_i -- on b\n ON a (lower(t)) WHERE i > 0", "a_i", "a"},
    {"DROP INDEX CONCURRENTLY IF EXISTS app.a_i CASCADE", "app.a_i", ""},
    {"ALTER TABLE IF EXISTS app.a DETACH PARTITION app . a1 CONCURRENTLY", "app . a1", "app.a"},
    {"ALTER TABLE a DETACH PARTITION a1 FINALIZE", "a1", "a"},
    {"ALTER TYPE app.mood ADD VALUE IF NOT EXISTS 'it''s' AFTER 'ok'", "app.mood", "'it''s'"},
    {"ALTER TABLE ONLY a VALIDATE CONSTRAINT \"c d\"", "\"c d\"", "a"},
    {"ALTER TABLE a ADD COLUMN b int, VALIDATE CONSTRAINT c", "c", "a"},
    {"ALTER DOMAIN email VALIDATE CONSTRAINT c", "c", "email"},
    {"CREATE DATABASE shop TEMPLATE template0", "shop", ""},
    {"DROP DATABASE IF EXISTS shop WITH (FORCE)", "shop", ""},
    {"CREATE TABLESPACE fast LOCATION '/mnt'", "fast", ""},
    {"DROP TABLESPACE IF EXISTS fast", "fast", ""},
    {"VACUUM a", "", ""},
    {"CREATE INDEX a_i ON a (i)", "", ""},
};

TEST_CASE("names are found as they are written") {
  const Row& row = kRows[GENERATE(range(std::size_t{0}, std::size(kRows)))];
  SqlStatement statement{row.statement, kind_of(row.statement, Dialect::postgres)};
  name_objects(statement, Dialect::postgres);
  CAPTURE(row.statement);
  CHECK(statement.object == row.object);
  CHECK(statement.table == row.table);
}

TEST_CASE("names point into the statement, so that what follows them can be read on") {
  constexpr std::string_view kText = "CREATE INDEX CONCURRENTLY a_i ON a (i)";
  SqlStatement statement{kText, StatementKind::create_index_concurrently};
  name_objects(statement, Dialect::postgres);
  CHECK(statement.table.data() == kText.data() + kText.find(" a (") + 1);
}

TEST_CASE("SQLite's statements, and forms that are not known, have no names") {
  SqlStatement vacuum{"VACUUM", StatementKind::vacuum};
  name_objects(vacuum, Dialect::sqlite);
  CHECK(vacuum.object.empty());
  SqlStatement odd{"ALTER TYPE mood ADD VALUE $1", StatementKind::alter_type_add_value};
  name_objects(odd, Dialect::postgres);
  CHECK(odd.object.empty());
}

}  // namespace
}  // namespace drover::engine::parse

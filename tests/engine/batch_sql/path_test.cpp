// Which tables can be gone through, and by what.

#include <catch2/catch.hpp>

#include "tests/engine/batch_sql/walk.h"

namespace drover::engine::test {
namespace {

template <typename Tenant>
std::string fault_of(const Tenant& tenant, const std::string& keys) {
  return Walk(tenant.target(), {keys}).fault();
}

}  // namespace

TEMPLATE_TEST_CASE("a table that is not there is named", "[batch_sql]", PgTenant, FileTenant) {
  const TestType tenant;
  tenant.sql("CREATE TABLE other (id integer PRIMARY KEY)");
  CHECK(fault_of(tenant, "table=hits") ==
        "batch_table_missing: table 'hits' of the batch is not there");
}

TEMPLATE_TEST_CASE("a view is not a table", "[batch_sql]", PgTenant, FileTenant) {
  const TestType tenant;
  tenant.sql("CREATE TABLE other (id integer PRIMARY KEY)");
  tenant.sql("CREATE VIEW hits AS SELECT * FROM other");
  CHECK(fault_of(tenant, "table=hits") ==
        "batch_table_missing: table 'hits' of the batch is not there");
}

TEST_CASE("a table without a primary key asks for one", "[batch_sql]") {
  const PgTenant tenant;
  tenant.sql("CREATE TABLE hits (id integer NOT NULL UNIQUE)");
  CHECK(fault_of(tenant, "table=hits") ==
        "batch_key_missing: table 'hits' of the batch has no primary key");
  CHECK(fault_of(tenant, "table=hits key=id") == "found");
}

TEST_CASE("a key on PostgreSQL is a whole valid unique index and nothing less", "[batch_sql]") {
  const PgTenant tenant;
  tenant.sql(R"(CREATE TABLE hits (id integer PRIMARY KEY, a integer NOT NULL, b integer NOT NULL,
      c integer, d integer NOT NULL, e text NOT NULL, f integer NOT NULL, g integer NOT NULL);
    CREATE INDEX ON hits (a);
    CREATE UNIQUE INDEX ON hits (a, b);
    CREATE UNIQUE INDEX ON hits (c);
    CREATE UNIQUE INDEX ON hits (d) WHERE d > 0;
    CREATE UNIQUE INDEX ON hits (lower(e));
    CREATE UNIQUE INDEX ON hits (f) INCLUDE (a);
    CREATE UNIQUE INDEX broken ON hits (g);
    UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass)");
  const auto not_unique = [](const std::string& columns) {
    return fmt::format(
        "batch_key_not_unique: table 'hits' of the batch has no unique index on just {}, in this "
        "order",
        columns);
  };
  CHECK(fault_of(tenant, "table=hits key=a") == not_unique("a"));
  CHECK(fault_of(tenant, "table=hits key=b,a") == not_unique("b, a"));
  CHECK(fault_of(tenant, "table=hits key=a,b") == "found");
  CHECK(fault_of(tenant, "table=hits key=A,\"b\"") == "found");
  CHECK(fault_of(tenant, "table=hits key=\"A\",b") == not_unique("\"A\", b"));
  CHECK(fault_of(tenant, "table=hits key=c") ==
        "batch_key_nullable: table 'hits' of the batch lets its key column c be NULL, and such "
        "rows would never be met");
  CHECK(fault_of(tenant, "table=hits key=d") == not_unique("d"));
  CHECK(fault_of(tenant, "table=hits key=e") == not_unique("e"));
  CHECK(fault_of(tenant, "table=hits key=f") == "found");
  CHECK(fault_of(tenant, "table=hits key=g") == not_unique("g"));
  CHECK(fault_of(tenant, "table=hits key=nothing") == not_unique("nothing"));
}

TEST_CASE("a key on SQLite is a whole unique index and nothing less", "[batch_sql]") {
  const FileTenant tenant;
  tenant.sql(
      "CREATE TABLE hits (id INTEGER PRIMARY KEY, a NOT NULL, b NOT NULL, d NOT NULL, e NOT NULL)");
  tenant.sql("CREATE INDEX i1 ON hits (a)");
  tenant.sql("CREATE UNIQUE INDEX i2 ON hits (a, b)");
  tenant.sql("CREATE UNIQUE INDEX i3 ON hits (d) WHERE d > 0");
  tenant.sql("CREATE UNIQUE INDEX i4 ON hits (lower(e))");
  for (const char* const key : {"a", "d", "e", "b,a", "nothing"}) {
    INFO(key);
    CHECK(fault_of(tenant, fmt::format("table=hits key={}", key)).starts_with("batch_key_not_uni"));
  }
  CHECK(fault_of(tenant, "table=hits key=a,b") == "found");
  CHECK(fault_of(tenant, "table=hits key=id") == "found");
}

TEST_CASE("names of SQLite's tables mean the same in any case and with any quotes", "[batch_sql]") {
  const FileTenant tenant;
  tenant.sql("CREATE TABLE Hits (id INTEGER PRIMARY KEY, n)");
  tenant.sql("CREATE TABLE \"o\"\"dd.one\" (\"the \"\"id\" INTEGER PRIMARY KEY, n)");
  CHECK(fault_of(tenant, "table=hITS") == "found");
  CHECK(fault_of(tenant, "table=main.Hits") == "found");
  CHECK(fault_of(tenant, "table=main.\"Hits\"") == "found");
  CHECK(fault_of(tenant, "table=\"o\"\"dd.one\"") == "found");
  CHECK(fault_of(tenant, "table=hits key=ID") == "found");
}

TEMPLATE_TEST_CASE("a statement must not change the key that it goes by",
                   "[batch_sql]",
                   PgTenant,
                   FileTenant) {
  const TestType tenant;
  tenant.sql("CREATE TABLE hits (\"Id\" integer PRIMARY KEY, n integer NOT NULL UNIQUE)");
  const std::string sql = GENERATE("UPDATE hits SET \"Id\" = \"Id\" + 1 WHERE {range}",
                                   "UPDATE hits SET (n, \"Id\") = (1, 2) WHERE {range}");
  Walk walk(tenant.target(), {"table=hits", "", sql});
  CHECK(walk.fault() ==
        "batch_key_changes: table 'hits' of the batch is gone through by \"Id\", which the "
        "statement changes");
}

TEST_CASE("keys that SQLite lets be NULL are looked at", "[batch_sql]") {
  const FileTenant tenant;
  tenant.sql("CREATE TABLE hits (id TEXT PRIMARY KEY, n integer)");
  tenant.sql("INSERT INTO hits VALUES ('a', 0)");
  Walk walk(tenant.target(), {});
  const std::string question = walk.found().look_for_null;
  REQUIRE_FALSE(question.empty());
  CHECK(walk.speaker.answer({question}).rows.empty());
  tenant.sql("INSERT INTO hits VALUES (NULL, 0)");
  CHECK(walk.speaker.answer({question}).rows.size() == 1);
}

TEST_CASE("keys that SQLite never lets be NULL are not looked at", "[batch_sql]") {
  const std::string table = GENERATE("(id INTEGER PRIMARY KEY, n)",
                                     "(id TEXT PRIMARY KEY, n) WITHOUT ROWID",
                                     "(id TEXT NOT NULL PRIMARY KEY, n)");
  INFO(table);
  const FileTenant tenant;
  tenant.sql("CREATE TABLE hits " + table);
  CHECK(Walk(tenant.target(), {}).found().look_for_null.empty());
}

TEST_CASE("the size of a table and whether it is known come from statistics", "[batch_sql]") {
  const PgTenant tenant;
  tenant.sql("CREATE TABLE hits (id integer PRIMARY KEY, n integer)");
  tenant.sql("INSERT INTO hits SELECT i, 0 FROM generate_series(1, 1234) i");
  CHECK_FALSE(Walk(tenant.target(), {}).found().analysed);
  tenant.sql("ANALYZE hits");
  CHECK(Walk(tenant.target(), {}).found().analysed);
  CHECK(Walk(tenant.target(), {}).found().estimated_rows == 1234);
}

TEST_CASE("another table under the same name has another oid", "[batch_sql]") {
  const PgTenant tenant;
  tenant.sql("CREATE TABLE hits (id integer PRIMARY KEY, n integer)");
  const std::int64_t before = Walk(tenant.target(), {}).found().path.table_oid;
  CHECK(Walk(tenant.target(), {}).found().path.table_oid == before);
  tenant.sql("DROP TABLE hits; CREATE TABLE hits (id integer PRIMARY KEY, n integer)");
  CHECK(Walk(tenant.target(), {}).found().path.table_oid != before);
}

}  // namespace drover::engine::test

// What a batch asks besides its work: plans, halves of ranges, pages of the heap, and its check.

#include <catch2/catch.hpp>

#include "tests/engine/batch_sql/walk.h"

namespace drover::engine::test {
namespace {

/// hits with 5,000 rows, analysed on PostgreSQL, and an older table of nearly the same name.
template <typename Tenant>
void fill(const Tenant& tenant, const std::string& columns = "id integer PRIMARY KEY") {
  tenant.sql(fmt::format("CREATE TABLE hits ({}, n integer NOT NULL, at integer)", columns));
  tenant.sql(
      "INSERT INTO hits WITH RECURSIVE i (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i "
      "WHERE i < 5000) SELECT i, 0, i FROM i");
  tenant.sql("CREATE TABLE hits_old (id integer, n integer)");
  tenant.sql("ANALYZE");
}

/// The line that reads all of hits for one transaction of `text`.
template <typename Tenant>
std::string whole_read(const Tenant& tenant,
                       const SectionText& text,
                       const BatchKey& from,
                       const BatchKey& to) {
  Walk walk(tenant.target(), text);
  const FoundPath found = walk.found();
  const BatchScript script = walk.script();
  const std::string& part = found.parts.front();
  return script.whole_table_read(walk.speaker.answer(script.explain(script.work(part, from, to))),
                                 part);
}

}  // namespace

TEMPLATE_TEST_CASE("a statement that reads a range is told from one that reads all",
                   "[batch_sql]",
                   PgTenant,
                   FileTenant) {
  const TestType tenant;
  fill(tenant);
  const auto reads_all = [&](const std::string& sql) {
    return !whole_read(tenant, {"table=hits", "", sql}, {"100"}, {"200"}).empty();
  };
  CHECK_FALSE(reads_all("UPDATE hits SET n = 1 WHERE {range}"));
  CHECK_FALSE(reads_all("UPDATE hits AS h SET n = 1 WHERE {range}"));
  CHECK_FALSE(reads_all("DELETE FROM hits WHERE {range}"));
  CHECK_FALSE(reads_all("INSERT INTO hits_old SELECT id, n FROM hits h WHERE {range}"));
  CHECK_FALSE(reads_all("UPDATE hits SET n = o.n FROM hits_old o WHERE {range} AND o.id = at"));
  CHECK(reads_all("UPDATE hits SET n = 1 WHERE {range} OR at < 0"));
  CHECK(reads_all("UPDATE hits AS h SET n = 1 WHERE NOT {range}"));
  CHECK(reads_all("UPDATE hits SET n = (SELECT max(b.at) FROM hits b) WHERE {range}") ==
        (tenant.target().dialect == Dialect::postgres));  // SQLite: SCAN b, an alias of the inner
}

TEST_CASE("whole reads of tables with odd names, and of leaves, are seen", "[batch_sql]") {
  const PgTenant tenant;
  tenant.sql(R"(CREATE TABLE "Odd Table" (id integer PRIMARY KEY, n integer);
    INSERT INTO "Odd Table" SELECT i, 0 FROM generate_series(1, 5000) i;
    CREATE TABLE hits (id integer PRIMARY KEY, n integer) PARTITION BY RANGE (id);
    CREATE TABLE "Leaf 1" PARTITION OF hits FOR VALUES FROM (1) TO (10000);
    CREATE TABLE leaf_2 PARTITION OF hits FOR VALUES FROM (10000) TO (20000);
    INSERT INTO hits SELECT i, 0 FROM generate_series(1, 5000) i;
    ANALYZE)");
  const SectionText odd{"table=\"Odd Table\"", "", "UPDATE \"Odd Table\" SET n = 1 WHERE {range}"};
  CHECK(whole_read(tenant, odd, {"1"}, {"50"}).empty());
  CHECK(whole_read(tenant, odd, {"0"}, {"5000"}).starts_with("Seq Scan on \"Odd Table\""));
  CHECK(whole_read(tenant, {}, {"1"}, {"50"}).empty());
  CHECK(whole_read(tenant, {}, {"0"}, {"5000"}).starts_with("Seq Scan on \"Leaf 1\""));
}

TEST_CASE("the middle of a range is found, whatever its key", "[batch_sql]") {
  const PgTenant tenant;
  tenant.sql(R"(CREATE TABLE hits ("Key 1" text COLLATE "und-x-icu", "order" integer,
      n integer NOT NULL, PRIMARY KEY ("Key 1", "order"));
    INSERT INTO hits SELECT chr(96 + i / 100), i % 100, 0 FROM generate_series(100, 2599) i)");
  const std::string order = GENERATE("asc", "desc");
  Walk walk(tenant.target(), {"table=hits order=" + order});
  const BatchScript script = walk.script();
  const bool up = order == "asc";
  const std::optional<BatchKey> from = up ? BatchKey{"e", "49"} : BatchKey{"o", "49"};
  const BatchKey end = up ? BatchKey{"o", "49"} : BatchKey{"e", "49"};
  constexpr double kAll = 100;  // of the pages, so that the answer is exact
  const auto middle = key_of(walk.speaker.answer(script.middle("", from, end, kAll)));
  REQUIRE(middle);
  const auto rows = [&](const std::optional<BatchKey>& after, const BatchKey& until) {
    return std::stoi(walk.speaker.value(script.count("", after, until)));
  };
  CHECK(rows(from, end) == 1000);
  CHECK(std::abs(rows(from, *middle) - rows(*middle, end)) <= 2);
  CHECK_FALSE(key_of(walk.speaker.answer(script.middle("", end, end, kAll))));
}

TEST_CASE("a heap without pages ends before its first", "[batch_sql]") {
  const PgTenant tenant;
  tenant.sql("CREATE TABLE hits (id integer PRIMARY KEY, n integer)");
  Walk walk(tenant.target(), {"postgres table=hits scan=heap", "-- drover: done n > 0\n"});
  CHECK(walk.speaker.value(walk.script().last("")) == "-1");
}

TEMPLATE_TEST_CASE("one row is changed by its key and by nothing else",
                   "[batch_sql]",
                   PgTenant,
                   FileTenant) {
  const TestType tenant;
  tenant.sql("CREATE TABLE hits (a integer, b text, n integer, PRIMARY KEY (a, b))");
  tenant.sql("INSERT INTO hits VALUES (1, 'x', 0), (1, 'it''s', 0), (2, 'x', 0)");
  Walk walk(tenant.target(), {});
  const BatchScript script = walk.script();
  const auto key = key_of(walk.speaker.answer(script.probe("", std::nullopt, {"2", "'x'"}, 1)));
  REQUIRE(key);
  CHECK(walk.speaker.answer(script.work_one("", *key)).affected == 1);
  CHECK(tenant.value("SELECT b FROM hits WHERE n = 1") == "it's");
  CHECK(tenant.value("SELECT sum(n) FROM hits") == "1");
}

TEST_CASE("one row of a leaf is changed there", "[batch_sql]") {
  const PgTenant tenant;
  tenant.sql(R"(CREATE TABLE hits (id integer PRIMARY KEY, n integer) PARTITION BY RANGE (id);
    CREATE TABLE "Leaf 1" PARTITION OF hits FOR VALUES FROM (1) TO (100);
    INSERT INTO hits VALUES (1, 0), (2, 0))");
  Walk walk(tenant.target(), {});
  const std::string part = walk.found().parts.front();
  CHECK(walk.speaker.answer(walk.script().work_one(part, {"2"})).affected == 1);
  CHECK(tenant.value("SELECT n FROM hits WHERE id = 2") == "1");
}

}  // namespace drover::engine::test

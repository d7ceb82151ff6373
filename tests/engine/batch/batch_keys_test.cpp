// Keys of every kind: each row is met once, whatever the key's type, order and name; and tables
// that cannot be gone through are refused before anything is changed.

#include <catch2/catch.hpp>

#include "tests/engine/batch/batch_rig.h"

namespace drover::engine::test {
namespace {

/// A table `hits` with a key and a column n of zeros, and the batch that adds one to each.
struct KeyCase {
  std::string about;
  std::vector<std::string> table;  ///< Statements that make it.
  std::string directive;
  std::string rows;  ///< How many it has.
  std::string statement = "UPDATE hits SET n = n + 1 WHERE {range}";
  std::string lines = {};
};

MigrationSet set_for(const KeyCase& one, Dialect dialect = Dialect::postgres) {
  const std::string_view name = name_of(dialect);
  std::string up;
  for (const std::string& statement : one.table) {
    up += statement + ";\n";
  }
  return line_of({fmt::format("-- drover: up {}\n{}-- drover: down\nSELECT 1;\n", name, up),
                  fmt::format("-- drover: batch {} {}\n{}{};\n-- drover: down\nSELECT 1;\n",
                              name,
                              one.directive,
                              one.lines,
                              one.statement)});
}

std::string only_ones(const std::string& rows) {
  return rows == "0" ? "" : rows + " x 1";
}

template <typename Tenant>
void check_each_row_once(const KeyCase& one) {
  CAPTURE(one.about);
  const Tenant tenant;
  BatchRig rig;
  const MigrationSet set = set_for(one, tenant.target().dialect);
  CHECK(told(rig.up(tenant.target(), set)) == "applied");
  CHECK(counts(tenant) == only_ones(one.rows));
  CHECK(tenant.value("SELECT coalesce(sum(rows_seen), 0) FROM drover_batch_ranges") == one.rows);
  CHECK(tenant.value("SELECT coalesce(sum(rows_changed), 0) FROM drover_batch_ranges") == one.rows);
  CHECK(tenant.value("SELECT state FROM drover_batches") == "done");
}

/// The fault of a batch that is refused; nothing may have changed then.
template <typename Tenant>
std::string refusal_of(const KeyCase& one) {
  CAPTURE(one.about);
  const Tenant tenant;
  BatchRig rig;
  const MigrationSet set = set_for(one, tenant.target().dialect);
  const ApplyOutcome outcome = rig.up(tenant.target(), set);
  CHECK(outcome.kind == Kind::partial);
  CHECK(tenant.value("SELECT count(*) FROM drover_batch_ranges") == "0");
  CHECK(tenant.value("SELECT state FROM drover_batches") == "announced");
  CHECK(tenant.value("SELECT owner FROM drover_batches").empty());
  return outcome.fault ? outcome.fault->kind + ": " + outcome.fault->message : "";
}

constexpr const char* kSmall = "table=hits rows=7..7";
constexpr const char* kSmallDown = "table=hits rows=7..7 order=desc";

const std::vector<KeyCase>& keys_of_postgres() {
  static const std::vector<KeyCase> cases{
      {"integer, with gaps",
       {"CREATE TABLE hits (id integer PRIMARY KEY, n integer DEFAULT 0 NOT NULL)",
        "INSERT INTO hits SELECT i * i FROM generate_series(-50, -1) i",
        "INSERT INTO hits SELECT -i * i FROM generate_series(1, 50) i"},
       kSmall,
       "100"},
      {"bigint with gaps of 10^11",
       {"CREATE TABLE hits (id bigint PRIMARY KEY, n integer DEFAULT 0 NOT NULL)",
        "INSERT INTO hits SELECT i * 100000000000 FROM generate_series(-50::bigint, 49) i"},
       kSmall,
       "100"},
      {"bigint, from above",
       {"CREATE TABLE hits (id bigint PRIMARY KEY, n integer DEFAULT 0 NOT NULL)",
        "INSERT INTO hits SELECT i FROM generate_series(1, 100) i"},
       kSmallDown,
       "100"},
      {"uuid",
       {"CREATE TABLE hits (id uuid PRIMARY KEY, n integer DEFAULT 0 NOT NULL)",
        "INSERT INTO hits SELECT gen_random_uuid() FROM generate_series(1, 100)"},
       kSmall,
       "100"},
      {"text under a collation of ICU's",
       {"CREATE TABLE hits (id text COLLATE \"und-x-icu\" PRIMARY KEY, "
        "n integer DEFAULT 0 NOT NULL)",
        "INSERT INTO hits SELECT chr(65 + i % 5) || lower(chr(65 + i % 7)) || '-' || i "
        "FROM generate_series(1, 50) i",
        "INSERT INTO hits SELECT lower(id) FROM hits WHERE id <> lower(id)"},
       kSmall,
       "100"},
      {"text with quotes, backslashes, commas, braces, blanks and other scripts",
       {"CREATE TABLE hits (id text PRIMARY KEY, n integer DEFAULT 0 NOT NULL)",
        "INSERT INTO hits SELECT (ARRAY['''', '\"', '\\', ',', '{', ' ', '', E'\\n', E'\\t', "
        "E'\\x01', 'ключ', '鍵', '🔑', 'NULL', '[\"a\"]'])[1 + i % 15] || i / 15 "
        "FROM generate_series(0, 99) i"},
       kSmall,
       "100"},
      {"numeric",
       {"CREATE TABLE hits (id numeric PRIMARY KEY, n integer DEFAULT 0 NOT NULL)",
        "INSERT INTO hits SELECT i / 7.0 FROM generate_series(-49, 48) i",
        "INSERT INTO hits VALUES ('NaN'), (1e300)"},
       kSmall,
       "100"},
      {"double precision, where digits count",
       {"CREATE TABLE hits (id double precision PRIMARY KEY, n integer DEFAULT 0 NOT NULL)",
        "INSERT INTO hits SELECT i / 3.0::float8 FROM generate_series(1, 98) i",
        "INSERT INTO hits VALUES ('-Infinity'), ('Infinity')"},
       kSmall,
       "100"},
      {"timestamptz, microseconds apart",
       {"CREATE TABLE hits (id timestamptz PRIMARY KEY, n integer DEFAULT 0 NOT NULL)",
        "INSERT INTO hits SELECT timestamptz '2026-10-25 00:00+00' + i * interval '1 microsecond' "
        "FROM generate_series(1, 98) i",
        "INSERT INTO hits VALUES ('infinity'), ('0044-03-15 12:00 BC')"},
       kSmall,
       "100"},
      {"char(5), bytea and an enum",
       {"CREATE TYPE mood AS ENUM ('z', 'a', 'm')",
        "CREATE TABLE hits (a char(5), b bytea, c mood, n integer DEFAULT 0 NOT NULL, "
        "PRIMARY KEY (a, b, c))",
        "INSERT INTO hits SELECT chr(65 + i / 30), decode(lpad(to_hex(i % 5), 2, '0'), 'hex'), "
        "(ARRAY['z', 'a', 'm'])[1 + i % 3]::mood FROM generate_series(0, 89) i ON CONFLICT DO "
        "NOTHING"},
       kSmall,
       "45"},
      {"integer and text",
       {"CREATE TABLE hits (a integer, b text, n integer DEFAULT 0 NOT NULL, PRIMARY KEY (a, b))",
        "INSERT INTO hits SELECT i / 30, 'b' || i % 30 FROM generate_series(0, 99) i"},
       kSmall,
       "100"},
      {"integer and text, from above",
       {"CREATE TABLE hits (a integer, b text, n integer DEFAULT 0 NOT NULL, PRIMARY KEY (a, b))",
        "INSERT INTO hits SELECT i / 30, 'b' || i % 30 FROM generate_series(0, 99) i"},
       kSmallDown,
       "100"},
      {"a unique index that is named",
       {"CREATE TABLE hits (id text PRIMARY KEY, number integer NOT NULL, "
        "n integer DEFAULT 0 NOT NULL)",
        "CREATE UNIQUE INDEX ON hits (number)",
        "INSERT INTO hits SELECT md5(i::text), i FROM generate_series(1, 100) i"},
       "table=hits key=number rows=7..7",
       "100"},
      {"one row",
       {"CREATE TABLE hits (id integer PRIMARY KEY, n integer DEFAULT 0 NOT NULL)",
        "INSERT INTO hits VALUES (2147483647)"},
       kSmall,
       "1"},
      {"no row",
       {"CREATE TABLE hits (id integer PRIMARY KEY, n integer DEFAULT 0 NOT NULL)"},
       kSmall,
       "0"},
      {"as many rows as go into a transaction",
       {"CREATE TABLE hits (id integer PRIMARY KEY, n integer DEFAULT 0 NOT NULL)",
        "INSERT INTO hits SELECT i FROM generate_series(1, 14) i"},
       kSmall,
       "14"},
      {"an alias, a condition and a join",
       {"CREATE TABLE hits (id integer PRIMARY KEY, n integer DEFAULT 0 NOT NULL)",
        "CREATE TABLE plus (id integer PRIMARY KEY, one integer NOT NULL)",
        "INSERT INTO hits SELECT i FROM generate_series(1, 100) i",
        "INSERT INTO plus SELECT i, 1 FROM generate_series(1, 100) i"},
       kSmall,
       "100",
       "UPDATE hits AS h SET n = h.n + p.one FROM plus p WHERE p.id = h.id AND {range}",
       "-- drover: where h.id IS NOT NULL\n"},
  };
  return cases;
}

const std::vector<KeyCase>& keys_of_sqlite() {
  static const std::string numbers =
      " WITH RECURSIVE i (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM i WHERE i < 99) ";
  static const std::vector<KeyCase> cases{
      {"INTEGER PRIMARY KEY, with gaps of 10^11",
       {"CREATE TABLE hits (id INTEGER PRIMARY KEY, n INTEGER DEFAULT 0 NOT NULL)",
        "INSERT INTO hits" + numbers + "SELECT (i - 50) * 100000000000, 0 FROM i"},
       kSmall,
       "100"},
      {"INTEGER PRIMARY KEY, from above",
       {"CREATE TABLE hits (id INTEGER PRIMARY KEY, n INTEGER DEFAULT 0 NOT NULL)",
        "INSERT INTO hits" + numbers + "SELECT i, 0 FROM i"},
       kSmallDown,
       "100"},
      {"TEXT, with quotes and other scripts",
       {"CREATE TABLE hits (id TEXT PRIMARY KEY, n INTEGER DEFAULT 0 NOT NULL) WITHOUT ROWID",
        "INSERT INTO hits" + numbers +
            "SELECT CASE i % 7 WHEN 0 THEN '''' WHEN 1 THEN '\"' WHEN 2 THEN '\\' WHEN 3 THEN "
            "'ключ' WHEN 4 THEN '鍵' WHEN 5 THEN '🔑' ELSE char(10) END || (i / 7), 0 FROM i"},
       kSmall,
       "100"},
      {"TEXT that ignores case, in a table with a rowid",
       {"CREATE TABLE hits (id TEXT COLLATE NOCASE PRIMARY KEY, n INTEGER DEFAULT 0 NOT NULL)",
        "INSERT INTO hits" + numbers + "SELECT char(65 + i % 2 * 32 + i % 26) || i, 0 FROM i"},
       kSmall,
       "100"},
      {"REAL and BLOB",
       {"CREATE TABLE hits (a REAL, b BLOB, n INTEGER DEFAULT 0 NOT NULL, PRIMARY KEY (a, b)) "
        "WITHOUT ROWID",
        "INSERT INTO hits" + numbers + "SELECT (i / 10) / 3.0, CAST(i % 10 AS BLOB), 0 FROM i"},
       kSmall,
       "100"},
      {"INTEGER and TEXT",
       {"CREATE TABLE hits (a INTEGER, b TEXT, n INTEGER DEFAULT 0 NOT NULL, PRIMARY KEY (a, b)) "
        "WITHOUT ROWID",
        "INSERT INTO hits" + numbers + "SELECT i / 30, 'b' || (i % 30), 0 FROM i"},
       kSmall,
       "100"},
      {"a unique index that is named",
       {"CREATE TABLE hits (id TEXT PRIMARY KEY, number INTEGER NOT NULL, "
        "n INTEGER DEFAULT 0 NOT NULL)",
        "CREATE UNIQUE INDEX hits_number ON hits (number)",
        "INSERT INTO hits" + numbers + "SELECT hex(i), i, 0 FROM i"},
       "table=hits key=number rows=7..7",
       "100"},
      {"one row",
       {"CREATE TABLE hits (id INTEGER PRIMARY KEY, n INTEGER DEFAULT 0 NOT NULL)",
        "INSERT INTO hits VALUES (1, 0)"},
       kSmall,
       "1"},
      {"no row",
       {"CREATE TABLE hits (id INTEGER PRIMARY KEY, n INTEGER DEFAULT 0 NOT NULL)"},
       kSmall,
       "0"},
  };
  return cases;
}

TEST_CASE("each row is met once, whatever its key, on PostgreSQL", "[batch]") {
  for (const KeyCase& one : keys_of_postgres()) {
    check_each_row_once<PgTenant>(one);
  }
}

TEST_CASE("each row is met once, whatever its key, on SQLite", "[batch]") {
  for (const KeyCase& one : keys_of_sqlite()) {
    check_each_row_once<FileTenant>(one);
  }
}

TEST_CASE("names that must be quoted are", "[batch]") {
  const PgTenant tenant;
  BatchRig rig;
  tenant.sql("CREATE SCHEMA IF NOT EXISTS \"Odd Schema\"");
  const KeyCase odd{
      "odd names",
      {"CREATE TABLE \"Odd Schema\".\"Odd Name\" (\"Ключ\" integer PRIMARY KEY, n integer)",
       "INSERT INTO \"Odd Schema\".\"Odd Name\" SELECT i, 0 FROM generate_series(1, 100) i"},
      "table=\"Odd Schema\".\"Odd Name\" key=\"Ключ\" rows=7..7",
      "100",
      "UPDATE \"Odd Schema\".\"Odd Name\" SET n = n + 1 WHERE {range}"};
  CHECK(told(rig.up(tenant.target(), set_for(odd))) == "applied");
  CHECK(tenant.value("SELECT count(*) FROM \"Odd Schema\".\"Odd Name\" WHERE n = 1") == "100");
  tenant.sql("DROP SCHEMA \"Odd Schema\" CASCADE");
}

/// By range and by list, three levels deep in one place, with an empty leaf.
std::vector<std::string> partitioned() {
  return {
      "CREATE TABLE hits (id bigint, kind text, n integer DEFAULT 0 NOT NULL, "
      "PRIMARY KEY (id, kind)) PARTITION BY RANGE (id)",
      "CREATE TABLE hits_low PARTITION OF hits FOR VALUES FROM (MINVALUE) TO (60)",
      "CREATE TABLE hits_high PARTITION OF hits FOR VALUES FROM (60) TO (1000) "
      "PARTITION BY LIST (kind)",
      "CREATE TABLE hits_none PARTITION OF hits FOR VALUES FROM (1000) TO (2000)",
      "CREATE TABLE \"hits A\" PARTITION OF hits_high FOR VALUES IN ('a')",
      "CREATE TABLE hits_rest PARTITION OF hits_high DEFAULT",
      "INSERT INTO hits SELECT i, CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END "
      "FROM generate_series(1, 100) i"};
}

TEST_CASE("a table in partitions is gone through leaf by leaf", "[batch]") {
  for (const std::string statement :
       {"UPDATE hits SET n = n + 1 WHERE {range}",
        "UPDATE hits AS h SET n = h.n + 1 WHERE {range}",
        "UPDATE hits SET n = hits.n + 1 FROM (SELECT 1) one WHERE hits.id > 0 AND {range}"}) {
    CAPTURE(statement);
    for (const std::string done : {"", "-- drover: done n = 1\n"}) {
      const PgTenant tenant;
      BatchRig rig;
      const KeyCase one{"", partitioned(), kSmall, "100", statement, done};
      CHECK(told(rig.up(tenant.target(), set_for(one))) == "applied");
      CHECK(counts(tenant) == "100 x 1");
      CHECK(tenant.value("SELECT string_agg(replace(part, current_schema() || '.', '') || ' ' || "
                         "rows_seen, ', ' ORDER BY number) FROM drover_batch_ranges") ==
            "hits_low 59, \"hits A\" 21, hits_rest 20");
    }
  }
}

TEST_CASE("rows that would move to another partition are refused with what to write", "[batch]") {
  const PgTenant tenant;
  BatchRig rig;
  const KeyCase one{"",
                    partitioned(),
                    "table=hits scan=heap",
                    "100",
                    "UPDATE hits SET kind = 'a' WHERE {range}",
                    "-- drover: done kind = 'a'\n"};
  const ApplyOutcome outcome = rig.up(tenant.target(), set_for(one));
  REQUIRE(outcome.fault);
  CHECK(outcome.fault->sqlstate == "23514");
  CHECK_THAT(outcome.fault->hint, Catch::Contains("cannot move rows from one to another"));
}

TEST_CASE("a table with random keys is gone through as it lies on disk", "[batch]") {
  const PgTenant tenant;
  BatchRig rig;
  const KeyCase heap{"heap",
                     {"CREATE TABLE hits (id uuid PRIMARY KEY, n integer NOT NULL, filler text)",
                      "INSERT INTO hits SELECT gen_random_uuid(), 0, repeat('x', 400) FROM "
                      "generate_series(1, 2000)"},
                     "table=hits scan=heap rows=100..100",
                     "2000",
                     "UPDATE hits SET n = n + 1 WHERE {range}",
                     "-- drover: done n > 0\n"};
  CHECK(told(rig.up(tenant.target(), set_for(heap))) == "applied");
  CHECK(counts(tenant) == "2000 x 1");
  CHECK(std::stoi(tenant.value("SELECT batches FROM drover_batch_ranges")) > 10);
  CHECK(tenant.value("SELECT redone FROM drover_batches") == "0");
}

TEST_CASE("rows can be copied and deleted in batches", "[batch]") {
  const PgTenant tenant;
  BatchRig rig;
  const std::vector<std::string> table{
      "CREATE TABLE hits (id integer PRIMARY KEY, n integer DEFAULT 0 NOT NULL)",
      "CREATE TABLE copies (id integer NOT NULL)",
      "INSERT INTO hits SELECT i FROM generate_series(1, 100) i"};
  const KeyCase copy{"copy",
                     table,
                     kSmall,
                     "100",
                     "INSERT INTO copies SELECT h.id FROM hits h WHERE {range} AND h.id % 2 = 0"};
  CHECK(told(rig.up(tenant.target(), set_for(copy))) == "applied");
  CHECK(tenant.value("SELECT count(*) || ' ' || count(DISTINCT id) FROM copies") == "50 50");
  CHECK(tenant.value("SELECT rows_seen || ' ' || rows_changed FROM drover_batch_ranges") ==
        "100 50");

  const PgTenant emptied;
  const KeyCase remove{
      "delete", table, kSmall, "100", "DELETE FROM hits WHERE {range} AND id % 10 > 0"};
  CHECK(told(rig.up(emptied.target(), set_for(remove))) == "applied");
  CHECK(emptied.value("SELECT count(*) FROM hits") == "10");
  CHECK(emptied.value("SELECT rows_changed FROM drover_batch_ranges") == "90");
}

TEST_CASE("tables that cannot be gone through are refused on PostgreSQL", "[batch]") {
  const auto hits = [](const std::string& columns) {
    return std::vector<std::string>{
        "CREATE TABLE hits (" + columns + ", n integer DEFAULT 0 NOT NULL)",
        "INSERT INTO hits SELECT i FROM generate_series(1, 100) i"};
  };
  CHECK(refusal_of<PgTenant>({"no key", hits("id integer"), kSmall, ""}) ==
        "batch_key_missing: table 'hits' of the batch has no primary key");
  CHECK(refusal_of<PgTenant>({"a key that may be NULL",
                              hits("id integer UNIQUE"),
                              "table=hits key=id rows=7..7",
                              ""}) ==
        "batch_key_nullable: table 'hits' of the batch lets its key column id be NULL, and such "
        "rows would never be met");
  CHECK(refusal_of<PgTenant>({"a key that is not unique",
                              hits("id integer PRIMARY KEY"),
                              "table=hits key=n rows=7..7",
                              "",
                              "UPDATE hits SET id = id WHERE {range}"}) ==
        "batch_key_not_unique: table 'hits' of the batch has no unique index on just n, in this "
        "order");
  CHECK(refusal_of<PgTenant>({"a key that changes",
                              hits("id integer PRIMARY KEY"),
                              kSmall,
                              "",
                              "UPDATE hits SET id = -id WHERE {range}"}) ==
        "batch_key_changes: table 'hits' of the batch is gone through by id, which the statement "
        "changes");
  CHECK(refusal_of<PgTenant>({"a part that is unique",
                              {"CREATE TABLE hits (id integer NOT NULL, n integer)",
                               "CREATE UNIQUE INDEX ON hits (id) WHERE n = 0"},
                              "table=hits key=id rows=7..7",
                              ""}) ==
        "batch_key_not_unique: table 'hits' of the batch has no unique index on just id, in this "
        "order");
  CHECK(refusal_of<PgTenant>({"a table that is not there",
                              hits("id integer PRIMARY KEY"),
                              "table=misses rows=7..7",
                              "",
                              "UPDATE misses SET n = 1 WHERE {range}"}) ==
        "batch_table_missing: table 'misses' of the batch is not there");
  CHECK_THAT(refusal_of<PgTenant>({"a range among others",
                                   hits("id integer PRIMARY KEY"),
                                   kSmall,
                                   "",
                                   "UPDATE hits SET n = 1 WHERE {range} OR n = 5"}),
             Catch::StartsWith("batch_reads_all: each transaction of the batch would read the "
                               "whole table: Seq Scan on hits"));
}

TEST_CASE("tables that cannot be gone through are refused on SQLite", "[batch]") {
  CHECK(refusal_of<FileTenant>(
            {"no key", {"CREATE TABLE hits (id INTEGER, n INTEGER)"}, kSmall, ""}) ==
        "batch_key_missing: table 'hits' of the batch has no primary key");
  CHECK(refusal_of<FileTenant>({"a key that is NULL once",
                                {"CREATE TABLE hits (id TEXT PRIMARY KEY, n INTEGER)",
                                 "INSERT INTO hits VALUES ('a', 0), (NULL, 0)"},
                                kSmall,
                                ""}) ==
        "batch_key_nullable: table \"hits\" has rows without a key, which a batch would never "
        "meet");
  CHECK(refusal_of<FileTenant>({"a table that is not there",
                                {"CREATE TABLE hits (id INTEGER PRIMARY KEY, n INTEGER)"},
                                "table=misses rows=7..7",
                                "",
                                "UPDATE misses SET n = 1 WHERE {range}"}) ==
        "batch_table_missing: table 'misses' of the batch is not there");
  CHECK(refusal_of<FileTenant>({"a range among others",
                                {"CREATE TABLE hits (id INTEGER PRIMARY KEY, n INTEGER)",
                                 "INSERT INTO hits VALUES (1, 0), (2, 0)"},
                                kSmall,
                                "",
                                "UPDATE hits SET n = 1 WHERE {range} OR n = 5"}) ==
        "batch_reads_all: each transaction of the batch would read the whole table: SCAN hits");
}

}  // namespace
}  // namespace drover::engine::test

// Whatever the key is: stepping through a table meets every row exactly once.

#include <catch2/catch.hpp>

#include "tests/engine/batch_sql/walk.h"

namespace drover::engine::test {
namespace {

constexpr int kRows = 307;  // no multiple of any size below

/// A table `hits` whose key is filled by an expression over i = 1..kRows.
struct KeyCase {
  std::string name;
  std::string columns;  ///< "id integer PRIMARY KEY"
  std::string values;   ///< Of the key.
};

/// Texts that collations and escapes care about: cases, accents, quotes, blanks, nothing at all.
const std::string kOddTexts =  // NOLINT(cert-err58-cpp): a test's own
    "CASE WHEN i = 1 THEN '' WHEN i % 7 = 0 THEN 'É' || i WHEN i % 7 = 1 THEN 'e' || i "
    "WHEN i % 7 = 2 THEN 'E ''' || i WHEN i % 7 = 3 THEN '\"\\' || i WHEN i % 7 = 4 "
    "THEN 'z,{' || i WHEN i % 7 = 5 THEN 'null' || i ELSE '  ' || i || '  ' END";

/// The same key walked with each size.
template <typename Tenant>
void check_walk(const Tenant& tenant, const SectionText& text, int rows = kRows) {
  Walk walk(tenant.target(), text);
  int rounds = 0;
  for (const std::uint64_t size : {1U, 3U, 1000U}) {
    INFO("size " << size);
    CHECK(walk.go(size) == in_stretches(static_cast<std::uint64_t>(rows), size));
    ++rounds;
    CHECK(tenant.value(fmt::format("SELECT count(*) FROM hits WHERE n <> {}", rounds)) == "0");
  }
}

template <typename Tenant>
void fill(const Tenant& tenant, const KeyCase& key, int rows = kRows) {
  tenant.sql(fmt::format("CREATE TABLE hits (n integer NOT NULL, {})", key.columns));
  tenant.sql(
      fmt::format("INSERT INTO hits WITH RECURSIVE i (i) AS (SELECT 1 UNION ALL SELECT i + 1 "
                  "FROM i WHERE i < {}) SELECT 0, {} FROM i",
                  rows,
                  key.values));
}

std::vector<KeyCase> keys_of_postgres() {
  return {
      {"integer, also below zero", "id integer PRIMARY KEY", "i - 150"},
      {"bigint with gaps", "id bigint PRIMARY KEY", "i * 100000000000"},
      {"smallint", "id smallint PRIMARY KEY", "i"},
      {"uuid", "id uuid PRIMARY KEY", "md5(i::text)::uuid"},
      {"text of ICU", "id text COLLATE \"und-x-icu\" PRIMARY KEY", kOddTexts},
      {"text of C", "id text COLLATE \"C\" PRIMARY KEY", kOddTexts},
      {"text of the database", "id text PRIMARY KEY", kOddTexts},
      {"varchar", "id varchar(20) PRIMARY KEY", kOddTexts},
      {"char", "id character(12) PRIMARY KEY", "'k' || i"},
      {"numeric", "id numeric PRIMARY KEY", "CASE i WHEN 1 THEN 'NaN' ELSE i / 7.0 END"},
      {"numeric of a scale", "id numeric(20, 3) PRIMARY KEY", "i * -1.001"},
      {"double precision", "id double precision PRIMARY KEY", "1.0::float8 / i"},
      {"real", "id real PRIMARY KEY", "1.0::float4 / i"},
      {"timestamptz",
       "id timestamptz PRIMARY KEY",
       "CASE i WHEN 1 THEN 'infinity' WHEN 2 THEN '-infinity' ELSE timestamptz "
       "'1883-11-18 04:00:00.000001+00' + i * interval '173 days 1 hour 1 microsecond' END"},
      {"timestamp of a precision",
       "id timestamp(3) PRIMARY KEY",
       "timestamp '2026-10-25 00:00' + i * interval '17 milliseconds'"},
      {"date", "id date PRIMARY KEY", "date '0001-01-01 BC' + i"},
      {"interval", "id interval PRIMARY KEY", "i * interval '1 month -3 days 00:00:00.5'"},
      {"bytea", "id bytea PRIMARY KEY", "sha256(i::text::bytea)"},
      {"inet", "id inet PRIMARY KEY", "inet '10.0.0.0/8' + i"},
      {"bits", "id bit(12) PRIMARY KEY", "i::bit(12)"},
      {"an array", "id text[] PRIMARY KEY", "ARRAY[" + kOddTexts + ", NULL]"},
      {"integer and text",
       "a integer, b text COLLATE \"und-x-icu\", PRIMARY KEY (a, b)",
       "i % 5, " + kOddTexts},
      {"three columns",
       "a boolean, b uuid, c date, PRIMARY KEY (c, a, b)",
       "i % 2 = 0, md5(i::text)::uuid, date '2026-01-01' + i % 3"},
  };
}

std::vector<KeyCase> keys_of_sqlite() {
  return {
      {"rowid, also below zero", "id INTEGER PRIMARY KEY", "i - 150"},
      {"rowid with gaps", "id INTEGER PRIMARY KEY", "i * 100000000000"},
      {"text", "id TEXT PRIMARY KEY NOT NULL", kOddTexts},
      {"text without case", "id TEXT COLLATE NOCASE PRIMARY KEY", kOddTexts},
      {"real", "id REAL PRIMARY KEY", "1.0 / i"},
      {"blob", "id BLOB PRIMARY KEY", "randomblob(8)"},
      {"anything",
       "id PRIMARY KEY",
       "CASE i % 4 WHEN 0 THEN i WHEN 1 THEN i + 0.5 WHEN 2 THEN 't' || i "
       "ELSE CAST('b' || i AS BLOB) END"},
      {"integer and text", "a INTEGER, b TEXT, PRIMARY KEY (a, b)", "i % 5, " + kOddTexts},
      {"integers out of order", "a INTEGER, b INTEGER, PRIMARY KEY (b, a)", "i, i % 3"},
  };
}

}  // namespace

TEST_CASE("a walk by any key of PostgreSQL meets each row once", "[batch_sql]") {
  const std::vector<KeyCase> keys = keys_of_postgres();
  const KeyCase& key = keys[GENERATE_REF(range<std::size_t>(0, keys.size()))];
  const std::string order = GENERATE("asc", "desc");
  INFO(key.name << ", " << order);
  const PgTenant tenant;
  fill(tenant, key);
  check_walk(tenant, {"table=hits order=" + order});
}

TEST_CASE("a walk by any key of SQLite meets each row once", "[batch_sql]") {
  const std::vector<KeyCase> keys = keys_of_sqlite();
  const KeyCase& key = keys[GENERATE_REF(range<std::size_t>(0, keys.size()))];
  const std::string order = GENERATE("asc", "desc");
  const bool rowid = GENERATE(true, false);
  INFO(key.name << ", " << order << (rowid ? "" : ", WITHOUT ROWID"));
  const FileTenant tenant;
  tenant.sql(fmt::format(
      "CREATE TABLE hits (n integer NOT NULL, {}){}", key.columns, rowid ? "" : " WITHOUT ROWID"));
  tenant.sql(
      fmt::format("INSERT INTO hits WITH RECURSIVE i (i) AS (SELECT 1 UNION ALL SELECT i + 1 "
                  "FROM i WHERE i < {}) SELECT 0, {} FROM i",
                  kRows,
                  key.values));
  check_walk(tenant, {"table=hits order=" + order});
}

TEMPLATE_TEST_CASE("a walk bears tables of one row and of none",
                   "[batch_sql]",
                   PgTenant,
                   FileTenant) {
  const TestType tenant;
  tenant.sql("CREATE TABLE hits (id integer PRIMARY KEY, n integer NOT NULL)");
  check_walk(tenant, {}, 0);
  tenant.sql("INSERT INTO hits VALUES (7, 0)");
  check_walk(tenant, {}, 1);
}

TEST_CASE("a walk goes by enums and domains of the tenant's own", "[batch_sql]") {
  const PgTenant tenant;
  tenant.sql("CREATE TYPE \"Mood\" AS ENUM ('sad', 'ok', 'Happy, \"very\"')");
  tenant.sql("CREATE DOMAIN small AS integer CHECK (VALUE < 1000)");
  fill(tenant,
       {"",
        "a \"Mood\", b small, PRIMARY KEY (a, b)",
        "(enum_range(NULL::\"Mood\"))[1 + i % 3], i"});
  check_walk(tenant, {});
}

TEMPLATE_TEST_CASE("a walk bears names that need quotes", "[batch_sql]", PgTenant, FileTenant) {
  const TestType tenant;
  tenant.sql(R"(CREATE TABLE "Odd Table" ("the Key" integer, "order" integer,
    n integer NOT NULL, PRIMARY KEY ("order", "the Key")))");
  tenant.sql("CREATE VIEW hits AS SELECT * FROM \"Odd Table\"");
  tenant.sql(
      R"(INSERT INTO "Odd Table" WITH RECURSIVE i (i) AS (SELECT 1 UNION ALL SELECT i + 1
    FROM i WHERE i < 307) SELECT i, i % 3, 0 FROM i)");
  check_walk(tenant,
             {"table=\"Odd Table\"", "", "UPDATE \"Odd Table\" SET n = n + 1 WHERE {range}"});
}

TEMPLATE_TEST_CASE("a walk by a named unique key meets each row once",
                   "[batch_sql]",
                   PgTenant,
                   FileTenant) {
  const TestType tenant;
  fill(tenant,
       {"",
        "id integer PRIMARY KEY, a integer NOT NULL, b text NOT NULL, UNIQUE (b, a)",
        "i, i % 9, 'b' || (i % 50)"});
  check_walk(tenant, {"table=hits key=b,a"});
}

TEMPLATE_TEST_CASE("statements with aliases, joins and conditions stay within their range",
                   "[batch_sql]",
                   PgTenant,
                   FileTenant) {
  const TestType tenant;
  fill(tenant, {"", "id integer PRIMARY KEY", "i"});
  tenant.sql("CREATE TABLE plus (id integer PRIMARY KEY, by_what integer NOT NULL)");
  tenant.sql("INSERT INTO plus SELECT id, 1 FROM hits");
  check_walk(tenant,
             {"table=hits",
              "-- drover: where h.id > 0 OR h.id < -5\n",
              "UPDATE hits AS h SET n = n + p.by_what FROM plus p WHERE p.id = h.id AND {range}"});
}

TEMPLATE_TEST_CASE("a batch that inserts or deletes goes over each row once",
                   "[batch_sql]",
                   PgTenant,
                   FileTenant) {
  const TestType tenant;
  fill(tenant, {"", "id integer PRIMARY KEY", "i"});
  tenant.sql("CREATE TABLE copies (id integer)");
  Walk copy(tenant.target(),
            {"table=hits", "", "INSERT INTO copies SELECT h.id FROM hits h WHERE {range}"});
  CHECK(copy.go(50) == in_stretches(kRows, 50));
  CHECK(tenant.value("SELECT count(*) - count(DISTINCT id) FROM copies") == "0");
  Walk remove(tenant.target(), {"table=hits", "", "DELETE FROM hits WHERE {range}"});
  CHECK(remove.go(50) == in_stretches(kRows, 50));
  CHECK(tenant.value("SELECT count(*) FROM hits") == "0");
}

TEMPLATE_TEST_CASE("rows that are done or not meant are passed over",
                   "[batch_sql]",
                   PgTenant,
                   FileTenant) {
  const TestType tenant;
  tenant.sql("CREATE TABLE hits (id integer PRIMARY KEY, n integer, kind text)");
  tenant.sql(
      "INSERT INTO hits VALUES (1, 0, 'a'), (2, NULL, 'a'), (3, 1, 'a'), (4, 0, 'b'), "
      "(5, 0, NULL)");
  Walk walk(tenant.target(),
            {"table=hits",
             "-- drover: done n > 0\n-- drover: where kind = 'a'\n",
             "UPDATE hits SET n = coalesce(n, 0) + 1 WHERE {range}"});
  CHECK(walk.go(2) == std::vector<std::uint64_t>{2, 0, 0});  // NULL is not done
  CHECK(walk.go(2) == std::vector<std::uint64_t>{0, 0, 0});
  CHECK(tenant.value("SELECT count(*) FROM hits WHERE n = 1") == "3");
}

TEST_CASE("each leaf of a partitioned table is gone through by itself", "[batch_sql]") {
  const PgTenant tenant;
  tenant.sql(R"(CREATE TABLE hits (id integer, day date, n integer NOT NULL, PRIMARY KEY (id, day))
      PARTITION BY RANGE (day);
    CREATE TABLE "Hits 1" PARTITION OF hits FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
    CREATE TABLE hits_2 PARTITION OF hits FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')
      PARTITION BY LIST (id);
    CREATE TABLE hits_2a PARTITION OF hits_2 FOR VALUES IN (1, 2, 3);
    CREATE TABLE hits_2b PARTITION OF hits_2 DEFAULT;
    CREATE TABLE hits_3 PARTITION OF hits DEFAULT;
    INSERT INTO hits SELECT i, date '2026-01-01' + i % 80, 0 FROM generate_series(1, 307) i)");
  const std::string sql = GENERATE("UPDATE hits SET n = hits.n + 1 WHERE {range}",
                                   "UPDATE hits h SET n = h.n + 1 WHERE {range}",
                                   "UPDATE hits SET n = n + 1 WHERE id IN (SELECT id FROM hits) "
                                   "AND {range}");
  INFO(sql);
  Walk walk(tenant.target(), {"table=hits", "", sql});
  CHECK(walk.found().parts.size() == 4);
  for (const std::uint64_t size : {1U, 3U, 1000U}) {
    std::uint64_t sum = 0;
    for (const std::uint64_t changed : walk.go(size)) {
      CHECK(changed <= size);
      sum += changed;
    }
    CHECK(sum == kRows);
  }
  CHECK(tenant.value("SELECT count(*) FROM hits WHERE n <> 3") == "0");
}

}  // namespace drover::engine::test

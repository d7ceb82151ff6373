/// Compares the scanner with PostgreSQL's own grammar: both must split alike and mean the same
/// kind.

#ifdef DROVER_HAS_PG_QUERY

#include <cstddef>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <pg_query.h>
#include <catch2/catch.hpp>

#include "engine/parse/sql_scanner.h"
#include "engine/parse/statement_kind.h"

using namespace drover::engine;
using namespace drover::engine::parse;

using Kind = StatementKind;

namespace {

/// The statements of `text` as the grammar splits it, without what the scanner leaves out.
std::vector<std::string> split_by_grammar(const std::string& text) {
  const PgQuerySplitResult result = pg_query_split_with_parser(text.c_str());
  INFO(text);
  if (result.error != nullptr) {
    INFO(result.error->message);
    REQUIRE(result.error == nullptr);
  }
  std::vector<std::string> statements;
  for (int i = 0; i < result.n_stmts; ++i) {
    const auto at = static_cast<std::size_t>(result.stmts[i]->stmt_location);
    const auto size = static_cast<std::size_t>(result.stmts[i]->stmt_len);
    const Scan scan = split_statements(std::string_view(text).substr(at, size), Dialect::postgres);
    REQUIRE(scan.statements.size() == 1);
    statements.emplace_back(scan.statements.front());
  }
  pg_query_free_split_result(result);
  return statements;
}

std::vector<std::string> split_by_scanner(const std::string& text) {
  const Scan scan = split_statements(text, Dialect::postgres);
  REQUIRE(scan.open.empty());
  return {scan.statements.begin(), scan.statements.end()};
}

/// The tree of one statement, as JSON.
std::string tree_of(const std::string& statement) {
  const PgQueryParseResult result = pg_query_parse(statement.c_str());
  INFO(statement);
  REQUIRE(result.error == nullptr);
  std::string tree = result.parse_tree;
  pg_query_free_parse_result(result);
  return tree;
}

/// What the grammar says of kinds: a statement is of `kind` if its tree has all of `marks`, and
/// none of the kinds below it do.
struct Mark {
  Kind kind;
  std::vector<std::string> marks;
};

const std::vector<Mark> kMarks = {
    {Kind::create_index_concurrently, {"\"stmt\":{\"IndexStmt\":", "\"concurrent\":true"}},
    {Kind::drop_index_concurrently,
     {"\"stmt\":{\"DropStmt\":", "\"OBJECT_INDEX\"", "\"concurrent\":true"}},
    {Kind::refresh_concurrently, {"\"stmt\":{\"RefreshMatViewStmt\":", "\"concurrent\":true"}},
    {Kind::reindex_concurrently,
     {"\"stmt\":{\"ReindexStmt\":", "{\"DefElem\":{\"defname\":\"concurrently\",\"defaction\""}},
    {Kind::reindex, {"\"stmt\":{\"ReindexStmt\":"}},
    {Kind::detach_concurrently, {"\"AT_DetachPartition\"", "\"concurrent\":true"}},
    {Kind::detach_concurrently, {"\"AT_DetachPartitionFinalize\""}},
    {Kind::validate_constraint, {"\"AT_ValidateConstraint\""}},
    {Kind::validate_constraint, {"\"stmt\":{\"AlterDomainStmt\":", "\"subtype\":\"V\""}},
    {Kind::alter_type_add_value, {"\"stmt\":{\"AlterEnumStmt\":", "\"newValIsAfter\""}},
    {Kind::alter_system, {"\"stmt\":{\"AlterSystemStmt\":"}},
    {Kind::alter_database_tablespace,
     {"\"stmt\":{\"AlterDatabaseStmt\":", "\"defname\":\"tablespace\""}},
    {Kind::subscription, {"\"stmt\":{\"CreateSubscriptionStmt\":"}},
    {Kind::subscription, {"\"stmt\":{\"AlterSubscriptionStmt\":"}},
    {Kind::subscription, {"\"stmt\":{\"DropSubscriptionStmt\":"}},
    {Kind::vacuum, {"\"stmt\":{\"VacuumStmt\":", "\"is_vacuumcmd\":true"}},
    {Kind::create_database, {"\"stmt\":{\"CreatedbStmt\":"}},
    {Kind::drop_database, {"\"stmt\":{\"DropdbStmt\":"}},
    {Kind::create_tablespace, {"\"stmt\":{\"CreateTableSpaceStmt\":"}},
    {Kind::drop_tablespace, {"\"stmt\":{\"DropTableSpaceStmt\":"}},
    {Kind::transaction_control, {"\"stmt\":{\"TransactionStmt\":"}},
    {Kind::transaction_control,
     {"\"stmt\":{\"VariableSetStmt\":{\"kind\":\"VAR_SET_MULTI\",\"name\":\"TRANSACTION\""}},
    {Kind::transaction_control,
     {"\"stmt\":{\"VariableSetStmt\":{\"kind\":\"VAR_SET_MULTI\",\"name\":\"SESSION "
      "CHARACTERISTICS\""}},
    {Kind::copy, {"\"stmt\":{\"CopyStmt\":"}},
    {Kind::select, {"\"stmt\":{\"SelectStmt\":"}},
};

Kind kind_by_grammar(const std::string& statement) {
  const std::string tree = tree_of(statement);
  for (const Mark& mark : kMarks) {
    bool all = true;
    for (const std::string& text : mark.marks) {
      all = all && tree.find(text) != std::string::npos;
    }
    if (all) {
      return mark.kind;
    }
  }
  const bool cluster_all = tree.find("\"stmt\":{\"ClusterStmt\":") != std::string::npos &&
                           tree.find("\"relation\"") == std::string::npos;
  return cluster_all ? Kind::cluster_all : Kind::other;
}

/// Valid statements of every sort, each of which must be split and named alike.
const std::vector<std::string> kCorpus = {
    "SELECT 1",
    "SELECT ';' AS \"a;b\", E'\\';', $$;$$, $a$;$$;$a$",
    "SELECT E'a'\n'\\';'",
    "SELECT 'a'\n'b\\'",
    "SELECT U&'d\\0061t;' , U&\"d\\0061t;\", B'01', X'3B', N'a;'",
    "SELECT /* ; /* ; */ ; */ 1 -- ;",
    "SELECT a$b$c FROM t AS a$b$c(a$b$c)",
    "SELECT 1 --;\n + 2",
    "SELECT a <@ b, a @> b, -1, a - -1, 1 <> 2, a->>'b;' FROM t",
    "SELECT (ARRAY[1, 2])[1], '{1;2}'::int[], a[1:2] FROM t",
    "SELECT 1.5e3, .5, 1., $1::int",
    "SELECT date'2020-01-01', interval '1;' day",
    "VALUES (1, 'a;'), (2, 'b')",
    "TABLE t",
    "(SELECT 1) UNION ALL (SELECT 2)",
    "((VALUES (1)))",
    "WITH a AS (SELECT 1) SELECT * FROM a",
    "WITH a AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM a",
    "WITH update AS (SELECT 1) TABLE update",
    "WITH a AS (SELECT 1) (SELECT * FROM a)",
    "WITH RECURSIVE a(b, c) AS (SELECT 1, 2 UNION ALL SELECT b, c FROM a) SEARCH DEPTH FIRST BY b, "
    "c SET delete SELECT * FROM a",
    "WITH RECURSIVE a(b, c) AS (SELECT 1, 2 UNION ALL SELECT b, c FROM a) CYCLE b, c SET insert "
    "USING update SELECT * FROM a",
    "WITH RECURSIVE a(b) AS (SELECT 1) CYCLE insert, delete SET c TO true DEFAULT false USING "
    "merge "
    "SELECT 1",
    "WITH a AS MATERIALIZED (SELECT 1), b AS NOT MATERIALIZED (SELECT 2) INSERT INTO t SELECT 1",
    "WITH a AS (SELECT 1) UPDATE t SET b = 1 FROM a",
    "WITH a AS (SELECT 1) DELETE FROM t USING a",
    "WITH a AS (SELECT 1) MERGE INTO t USING a ON true WHEN MATCHED THEN DELETE",
    "INSERT INTO t (a, b) VALUES (1, 'x;y') ON CONFLICT (a) DO UPDATE SET b = excluded.b",
    "UPDATE t SET a = CASE WHEN b THEN 'END;' ELSE 'x' END",
    "DELETE FROM t WHERE a IN (SELECT b FROM u)",
    "MERGE INTO t USING u ON t.a = u.a WHEN NOT MATCHED THEN INSERT VALUES (1)",
    "CREATE TABLE t (a int PRIMARY KEY, b text DEFAULT ';' CHECK (b <> ';'))",
    "CREATE TABLE \"concurrently;\" AS SELECT 1",
    "CREATE VIEW v AS SELECT 1 AS begin",
    "CREATE INDEX i ON t (a) WHERE b > 1",
    "CREATE INDEX ON t USING gin (a)",
    "CREATE INDEX CONCURRENTLY i ON t (a)",
    "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (lower(a))",
    "CREATE INDEX CONCURRENTLY ON t (a)",
    "DROP INDEX i",
    "DROP INDEX CONCURRENTLY i",
    "DROP INDEX CONCURRENTLY IF EXISTS i, j",
    "DROP TABLE IF EXISTS t CASCADE",
    "REINDEX TABLE t",
    "REINDEX INDEX CONCURRENTLY i",
    "REINDEX (VERBOSE) TABLE CONCURRENTLY t",
    "REINDEX (CONCURRENTLY) TABLE t",
    "REINDEX SYSTEM d",
    "REINDEX (VERBOSE, TABLESPACE x) SCHEMA s",
    "ALTER TABLE p DETACH PARTITION q",
    "ALTER TABLE p DETACH PARTITION q CONCURRENTLY",
    "ALTER TABLE IF EXISTS p DETACH PARTITION s.q CONCURRENTLY",
    "ALTER TABLE p DETACH PARTITION q FINALIZE",
    "ALTER TABLE p ATTACH PARTITION q FOR VALUES FROM (1) TO (2)",
    "ALTER TABLE t ADD COLUMN a int, ADD CONSTRAINT c CHECK (a > 1) NOT VALID",
    "ALTER TABLE t VALIDATE CONSTRAINT c",
    "ALTER TABLE ONLY t ALTER a TYPE numeric(1, 2) USING a::numeric, VALIDATE CONSTRAINT c",
    "ALTER TABLE t RENAME COLUMN detach TO partition",
    "ALTER DOMAIN d VALIDATE CONSTRAINT c",
    "ALTER TYPE mood ADD VALUE 'sad;' AFTER 'ok'",
    "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'sad'",
    "ALTER TYPE mood RENAME VALUE 'a' TO 'b'",
    "ALTER TYPE t ADD ATTRIBUTE value int",
    "ALTER SYSTEM SET work_mem = '1MB'",
    "ALTER SYSTEM RESET ALL",
    "ALTER DATABASE d SET TABLESPACE x",
    "ALTER DATABASE d SET work_mem = '1MB'",
    "ALTER DATABASE d OWNER TO x",
    "CREATE SUBSCRIPTION s CONNECTION 'a;' PUBLICATION p",
    "ALTER SUBSCRIPTION s DISABLE",
    "DROP SUBSCRIPTION IF EXISTS s",
    "CREATE PUBLICATION p FOR ALL TABLES",
    "VACUUM",
    "VACUUM (FULL, ANALYZE) t",
    "ANALYZE t",
    "CREATE DATABASE d TEMPLATE x",
    "DROP DATABASE IF EXISTS d WITH (FORCE)",
    "CREATE TABLESPACE x LOCATION '/x'",
    "DROP TABLESPACE x",
    "CLUSTER",
    "CLUSTER VERBOSE",
    "CLUSTER t USING i",
    "REFRESH MATERIALIZED VIEW v",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
    "BEGIN",
    "BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY",
    "START TRANSACTION",
    "COMMIT AND NO CHAIN",
    "COMMIT PREPARED 'x;'",
    "END",
    "ROLLBACK TO a",
    "ROLLBACK PREPARED 'x'",
    "ABORT",
    "SAVEPOINT a",
    "RELEASE a",
    "PREPARE TRANSACTION 'x'",
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "SET LOCAL search_path = a, b",
    "SET SESSION AUTHORIZATION x",
    "PREPARE p AS SELECT 1",
    "COPY t FROM STDIN",
    "COPY (SELECT 1) TO '/x;'",
    "COPY t (a, b) FROM PROGRAM 'x' WITH (FORMAT csv)",
    "DISCARD ALL",
    "DO $x$ BEGIN PERFORM 1; END; $x$",
    "DO LANGUAGE plpgsql 'BEGIN PERFORM 1; END'",
    "CALL p(1)",
    "EXPLAIN ANALYZE SELECT 1",
    "LOCK TABLE t",
    "COMMENT ON TABLE t IS 'a;b'",
    "GRANT SELECT ON t TO x",
    "CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2)",
    "CREATE RULE r AS ON INSERT TO t DO INSTEAD (INSERT INTO u VALUES (';'); DELETE FROM u;)",
    "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $f$ SELECT 1; SELECT 2; $f$",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN CASE WHEN true THEN 1 END",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END",
    "CREATE OR REPLACE FUNCTION f(a int) RETURNS int BEGIN ATOMIC SELECT CASE WHEN a > 1 THEN CASE "
    "a WHEN 2 THEN 3 END END; SELECT (CASE WHEN true THEN 1 END); END",
    "CREATE PROCEDURE p() BEGIN ATOMIC INSERT INTO t VALUES (1); END",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT t.end, 1 AS case FROM t; END",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC END",
    "CREATE SCHEMA s CREATE TABLE t (a int) CREATE VIEW v AS SELECT 1",
};

}  // namespace

TEST_CASE("the scanner names every kind as the grammar does", "[engine][parse]") {
  for (const std::string& statement : kCorpus) {
    INFO(statement);
    CHECK(static_cast<int>(kind_of(statement, Dialect::postgres)) ==
          static_cast<int>(kind_by_grammar(statement)));
  }
}

TEST_CASE("the scanner splits every statement off as the grammar does", "[engine][parse]") {
  for (const std::string& statement : kCorpus) {
    const std::string text = "SELECT 1;" + statement + "\n;SELECT 2";
    INFO(text);
    CHECK(split_by_scanner(text) == split_by_grammar(text));
    CHECK(split_by_scanner(text).size() == 3);
  }
}

TEST_CASE("any files of valid statements are split as the grammar does", "[engine][parse]") {
  const unsigned seed = GENERATE(range(0U, 60U));
  CAPTURE(seed);
  std::mt19937 random(seed);
  const std::vector<std::string> between = {
      ";", " ; ", ";\n", "\n;;\n", ";-- it's; \"\n", ";/* $$ ' /* ; */ */", "--;\n;", "/*'*/;"};

  std::string text;
  for (int i = 0; i < 25; ++i) {
    text += kCorpus[random() % kCorpus.size()] + "\n" + between[random() % between.size()];
  }

  const auto statements = split_by_scanner(text);
  CHECK(statements.size() == 25);
  CHECK(statements == split_by_grammar(text));
}

TEST_CASE("what the scanner calls whole, the grammar can read", "[engine][parse]") {
  const unsigned seed = GENERATE(range(0U, 60U));
  CAPTURE(seed);
  std::mt19937 random(seed);
  const std::vector<std::string> literals = {"'a;'",
                                             "E'\\';'",
                                             "$$;'$$",
                                             "$q$ $$ ; $q$",
                                             "U&';'",
                                             "X'3b'",
                                             "'it''s'",
                                             "e'\\\\'",
                                             "/*;'*/ 1",
                                             "-- ;'\n 1",
                                             "(1)",
                                             "\";\"",
                                             "1",
                                             "N';'"};

  std::string text;
  std::size_t statements = 1;
  for (int i = 0; i < 30; ++i) {
    const std::string& literal = literals[random() % literals.size()];
    const bool ends = random() % 4 == 0;
    text += (text.empty() || text.ends_with(';') ? "SELECT " : ", ") + literal;
    text += ends && i < 29 ? ";" : " ";
    statements += ends && i < 29 ? 1U : 0U;
  }

  CHECK(split_by_scanner(text).size() == statements);
  CHECK(split_by_scanner(text) == split_by_grammar(text));
}

#endif

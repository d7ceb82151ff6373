#include "engine/parse/statement_kind.h"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

using namespace drover::engine;
using namespace drover::engine::parse;

using Kind = StatementKind;

namespace {

struct Case {
  Kind kind;
  std::string statement;
};

void check_kinds(Dialect dialect, const std::vector<Case>& cases) {
  for (const Case& each : cases) {
    INFO(each.statement);
    CHECK(static_cast<int>(kind_of(each.statement, dialect)) == static_cast<int>(each.kind));
  }
}

}  // namespace

TEST_CASE("kinds of statements of PostgreSQL", "[engine][parse]") {
  check_kinds(
      Dialect::postgres,
      {
          {Kind::create_index_concurrently, "CREATE INDEX CONCURRENTLY i ON t (a)"},
          {Kind::create_index_concurrently,
           "create /* x */ unique -- y\n index concurrently on t (a)"},
          {Kind::create_index_concurrently, "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)"},
          {Kind::other, "CREATE INDEX i ON t (a)"},
          {Kind::other, "CREATE INDEX \"concurrently\" ON t (a)"},
          {Kind::drop_index_concurrently, "DROP INDEX CONCURRENTLY IF EXISTS i, j"},
          {Kind::other, "DROP INDEX i"},
          {Kind::reindex_concurrently, "REINDEX INDEX CONCURRENTLY i"},
          {Kind::reindex_concurrently, "REINDEX (VERBOSE) TABLE CONCURRENTLY t"},
          {Kind::reindex_concurrently, "REINDEX (CONCURRENTLY) TABLE t"},
          {Kind::reindex_concurrently, "REINDEX (VERBOSE, CONCURRENTLY true) SCHEMA s"},
          {Kind::reindex, "REINDEX (CONCURRENTLY false) TABLE t"},
          {Kind::reindex, "REINDEX (CONCURRENTLY 0) TABLE t"},
          {Kind::reindex, "REINDEX (TABLESPACE x) TABLE t"},
          {Kind::reindex, "REINDEX DATABASE d"},
          {Kind::detach_concurrently, "ALTER TABLE p DETACH PARTITION q CONCURRENTLY"},
          {Kind::detach_concurrently,
           "ALTER TABLE IF EXISTS ONLY a.\"p\" DETACH PARTITION b.q CONCURRENTLY"},
          {Kind::detach_concurrently, "ALTER TABLE p DETACH PARTITION q FINALIZE"},
          {Kind::other, "ALTER TABLE p DETACH PARTITION q"},
          {Kind::other, "ALTER TABLE p ADD CHECK (concurrently > 1)"},
          {Kind::detach_concurrently, "ALTER TABLE detach DETACH PARTITION q CONCURRENTLY"},
          {Kind::validate_constraint, "ALTER TABLE t VALIDATE CONSTRAINT c"},
          {Kind::validate_constraint, "ALTER TABLE t ADD a numeric(1, 2), VALIDATE CONSTRAINT c"},
          {Kind::validate_constraint, "ALTER DOMAIN d VALIDATE CONSTRAINT c"},
          {Kind::other, "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 1) NOT VALID"},
          {Kind::alter_type_add_value, "ALTER TYPE a.mood ADD VALUE IF NOT EXISTS 'sad'"},
          {Kind::other, "ALTER TYPE t ADD ATTRIBUTE value int"},
          {Kind::alter_system, "ALTER SYSTEM RESET ALL"},
          {Kind::alter_database_tablespace, "ALTER DATABASE d SET TABLESPACE x"},
          {Kind::other, "ALTER DATABASE d SET work_mem = '1MB'"},
          {Kind::subscription, "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p"},
          {Kind::subscription, "ALTER SUBSCRIPTION s REFRESH PUBLICATION"},
          {Kind::subscription, "DROP SUBSCRIPTION s"},
          {Kind::refresh_concurrently, "REFRESH MATERIALIZED VIEW CONCURRENTLY v"},
          {Kind::other, "REFRESH MATERIALIZED VIEW v"},
          {Kind::vacuum, "VACUUM"},
          {Kind::vacuum, "vacuum (full, analyze) t"},
          {Kind::other, "ANALYZE t"},
          {Kind::create_database, "CREATE DATABASE d"},
          {Kind::drop_database, "DROP DATABASE IF EXISTS d"},
          {Kind::create_tablespace, "CREATE TABLESPACE x LOCATION '/x'"},
          {Kind::drop_tablespace, "DROP TABLESPACE x"},
          {Kind::cluster_all, "CLUSTER"},
          {Kind::cluster_all, "CLUSTER VERBOSE"},
          {Kind::cluster_all, "CLUSTER (VERBOSE)"},
          {Kind::other, "CLUSTER t"},
          {Kind::other, "CLUSTER (VERBOSE) t USING i"},
          {Kind::copy, "COPY t FROM STDIN"},
          {Kind::copy, "COPY (SELECT 1) TO '/x'"},
          {Kind::other, "COMMENT ON TABLE t IS 'COPY'"},
          {Kind::other, ""},
          {Kind::other, "\"select\" 1"},
          {Kind::other, "'BEGIN'"},
      });
}

TEST_CASE("transaction control of PostgreSQL", "[engine][parse]") {
  for (const std::string statement : {"BEGIN",
                                      "BEGIN WORK",
                                      "START TRANSACTION",
                                      "COMMIT",
                                      "COMMIT PREPARED 'x'",
                                      "END",
                                      "ROLLBACK TO SAVEPOINT a",
                                      "ROLLBACK PREPARED 'x'",
                                      "ABORT",
                                      "SAVEPOINT a",
                                      "RELEASE SAVEPOINT a",
                                      "PREPARE TRANSACTION 'x'",
                                      "SET TRANSACTION SNAPSHOT 'x'",
                                      "SET LOCAL TRANSACTION READ ONLY",
                                      "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"}) {
    INFO(statement);
    CHECK(kind_of(statement, Dialect::postgres) == Kind::transaction_control);
  }
  for (const std::string statement : {"PREPARE p AS SELECT 1",
                                      "SET transaction_timeout = 1",
                                      "SET SESSION AUTHORIZATION x",
                                      "SET LOCAL role x",
                                      "SET x = transaction",
                                      "LOCK TABLE t",
                                      "CALL commit()"}) {
    INFO(statement);
    CHECK(kind_of(statement, Dialect::postgres) == Kind::other);
  }
}

TEST_CASE("a query is told from a statement that writes", "[engine][parse]") {
  check_kinds(Dialect::postgres,
              {
                  {Kind::select, "SELECT 1"},
                  {Kind::select, "VALUES (1)"},
                  {Kind::select, "TABLE t"},
                  {Kind::select, "(SELECT 1)"},
                  {Kind::select, "((VALUES (1)) UNION SELECT 2)"},
                  {Kind::other, "(1)"},
                  {Kind::select, "WITH a AS (SELECT 1) SELECT * FROM a"},
                  {Kind::select, "WITH a AS (DELETE FROM t RETURNING 1) TABLE a"},
                  {Kind::select,
                   "WITH RECURSIVE a (b) AS NOT MATERIALIZED (SELECT 1), c AS (SELECT 2) SELECT 1"},
                  {Kind::select, "WITH update AS (SELECT 1), \"delete\" AS (SELECT 2) SELECT 1"},
                  {Kind::select, "WITH a AS (SELECT 1) (SELECT * FROM a)"},
                  {Kind::select,
                   "WITH RECURSIVE a AS (SELECT 1) SEARCH DEPTH FIRST BY insert, b SET update, "
                   "delete AS (SELECT 1) SELECT 1"},
                  {Kind::select,
                   "WITH RECURSIVE a AS (SELECT 1) CYCLE b, c SET update TO true DEFAULT false "
                   "USING delete SELECT 1"},
                  {Kind::other, "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a"},
                  {Kind::other, "WITH a AS (SELECT 1) UPDATE t SET b = 1"},
                  {Kind::other, "WITH a AS (SELECT 1) DELETE FROM t"},
                  {Kind::other, "WITH a AS (SELECT 1) MERGE INTO t USING a ON true"},
                  {Kind::other, "WITH a AS (SELECT 1)"},
                  {Kind::other, "EXPLAIN SELECT 1"},
              });
  check_kinds(Dialect::sqlite,
              {
                  {Kind::select, "SELECT 1"},
                  {Kind::select, "VALUES (1)"},
                  {Kind::select, "WITH a(b) AS (SELECT 1) SELECT * FROM a"},
                  {Kind::other, "WITH a AS (SELECT 1) REPLACE INTO t SELECT * FROM a"},
                  {Kind::other, "TABLE t"},
              });
}

TEST_CASE("kinds of statements of SQLite", "[engine][parse]") {
  check_kinds(Dialect::sqlite,
              {
                  {Kind::pragma, "PRAGMA user_version"},
                  {Kind::vacuum, "VACUUM INTO 'x'"},
                  {Kind::attach_detach, "ATTACH DATABASE 'x' AS x"},
                  {Kind::attach_detach, "DETACH x"},
                  {Kind::transaction_control, "BEGIN EXCLUSIVE"},
                  {Kind::transaction_control, "COMMIT"},
                  {Kind::transaction_control, "END TRANSACTION"},
                  {Kind::transaction_control, "ROLLBACK TO a"},
                  {Kind::transaction_control, "SAVEPOINT a"},
                  {Kind::transaction_control, "RELEASE a"},
                  {Kind::other, "REINDEX t"},
                  {Kind::other, "ALTER TABLE t RENAME TO u"},
                  {Kind::other, "COPY t"},
                  {Kind::other, "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END"},
              });
}

TEST_CASE("what PostgreSQL refuses inside a transaction", "[engine][parse]") {
  const std::vector<Kind> refused = {Kind::create_index_concurrently,
                                     Kind::drop_index_concurrently,
                                     Kind::reindex_concurrently,
                                     Kind::reindex,
                                     Kind::detach_concurrently,
                                     Kind::vacuum,
                                     Kind::create_database,
                                     Kind::drop_database,
                                     Kind::alter_system,
                                     Kind::alter_database_tablespace,
                                     Kind::create_tablespace,
                                     Kind::drop_tablespace,
                                     Kind::subscription,
                                     Kind::cluster_all};
  for (const Kind kind : refused) {
    CHECK(needs_no_transaction(kind));
  }
  for (const Kind kind : {Kind::other,
                          Kind::refresh_concurrently,
                          Kind::alter_type_add_value,
                          Kind::validate_constraint,
                          Kind::select,
                          Kind::pragma,
                          Kind::transaction_control,
                          Kind::copy,
                          Kind::attach_detach}) {
    CHECK_FALSE(needs_no_transaction(kind));
  }
}

TEST_CASE("patterns fit from the first token on", "[engine][parse]") {
  const auto fit = [](std::string_view statement, std::string_view pattern) {
    return fits(statement, Dialect::postgres, pattern);
  };

  CHECK(fit("COPY t (a) FROM STDIN", "copy ... from stdin"));
  CHECK(fit("COPY (SELECT from stdin) FROM from STDIN", "copy ... from stdin"));
  CHECK_FALSE(fit("COPY (SELECT 1 FROM stdin) TO 'x'", "copy ... from stdin"));
  CHECK(fit("a (b (c)) d", "a () d $"));
  CHECK(fit("a d", "a [()] d $"));
  CHECK_FALSE(fit("a d e", "a d $"));
  CHECK(fit("a 'x' d", "a ? d"));
  CHECK_FALSE(fit("a", "a ?"));
}

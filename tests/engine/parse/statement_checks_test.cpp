#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/engine/parse/migration_files.h"

using namespace std::string_literals;

namespace drover::engine::parse {

TEST_CASE("statements that may not stand where they stand are refused", "[engine][parse]") {
  check_refused(
      "transaction_control",
      "Remove it; what must not run in one transaction goes into several sections.",
      {
          {"BEGIN",
           up_postgres("BEGIN;"),
           "4:1",
           "'BEGIN' controls the transaction, which Drover does itself"},
          {"START TRANSACTION",
           up_postgres("START TRANSACTION;"),
           "4:1",
           "'START TRANSACTION' controls the transaction, which Drover does itself"},
          {"COMMIT AND CHAIN",
           up_postgres("COMMIT AND CHAIN;"),
           "4:1",
           "'COMMIT AND CHAIN' controls the transaction, which Drover does itself"},
          {"END",
           up_postgres("END;"),
           "4:1",
           "'END' controls the transaction, which Drover does itself"},
          {"ROLLBACK",
           up_postgres("ROLLBACK;"),
           "4:1",
           "'ROLLBACK' controls the transaction, which Drover does itself"},
          {"ABORT",
           up_postgres("ABORT;"),
           "4:1",
           "'ABORT' controls the transaction, which Drover does itself"},
          {"SAVEPOINT a",
           up_postgres("SAVEPOINT a;"),
           "4:1",
           "'SAVEPOINT a' controls the transaction, which Drover does itself"},
          {"RELEASE a",
           up_postgres("RELEASE a;"),
           "4:1",
           "'RELEASE a' controls the transaction, which Drover does itself"},
          {"PREPARE TRANSACTION 'x'",
           up_postgres("PREPARE TRANSACTION 'x';"),
           "4:1",
           "'PREPARE TRANSACTION 'x'' controls the transaction, which Drover does itself"},
          {"COMMIT PREPARED 'x'",
           up_postgres("COMMIT PREPARED 'x';"),
           "4:1",
           "'COMMIT PREPARED 'x'' controls the transaction, which Drover does itself"},
          {"SET TRANSACTION READ ONLY",
           up_postgres("SET TRANSACTION READ ONLY;"),
           "4:1",
           "'SET TRANSACTION READ ONLY' controls the transaction, which Drover does itself"},
          {"SET LOCAL TRANSACTION READ ONLY",
           up_postgres("SET LOCAL TRANSACTION READ ONLY;"),
           "4:1",
           "'SET LOCAL TRANSACTION READ ONLY' controls the transaction, which Drover does itself"},
          {"SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
           up_postgres("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY;"),
           "4:1",
           "'SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY' controls the transaction, which "
           "Drover does itself"},
          {"begin /* and */   isolation level serializable",
           up_postgres("begin /* and */\n  isolation level serializable;"),
           "4:1",
           "'begin /* and */ isolation level serializable' controls the transaction, which Drover "
           "does itself"},
          {"COMMIT outside of a transaction too",
           up_no_transaction("VACUUM; COMMIT;"),
           "4:9",
           "'COMMIT' controls the transaction, which Drover does itself"},
          {"COMMIT in a down section",
           kHeader + "-- drover: up\n-- drover: down postgres\nSELECT 1;\n  COMMIT;\n-- drover: "
                     "down sqlite\n",
           "6:3",
           "'COMMIT' controls the transaction, which Drover does itself"},
          {"BEGIN IMMEDIATE",
           up_sqlite("BEGIN IMMEDIATE;"),
           "4:1",
           "'BEGIN IMMEDIATE' controls the transaction, which Drover does itself"},
          {"RELEASE in SQLite",
           up_sqlite("RELEASE a;"),
           "4:1",
           "'RELEASE a' controls the transaction, which Drover does itself"},
      });
  check_refused("copy",
                "Write the rows as an INSERT statement.",
                {
                    {"COPY FROM STDIN",
                     up_postgres("COPY t (a, b) FROM STDIN;\n1\t2\n\\.\n"),
                     "4:1",
                     "COPY from or to the client needs data that a migration file cannot hold"},
                    {"COPY TO STDOUT",
                     up_postgres("COPY (SELECT 1) TO STDOUT;"),
                     "4:1",
                     "COPY from or to the client needs data that a migration file cannot hold"},
                    {"COPY from a file",
                     up_postgres("COPY t FROM '/tmp/x';"),
                     "4:1",
                     "COPY with a file or program acts on the server's machine, which other "
                     "tenants do not share"},
                    {"COPY to a program",
                     up_no_transaction("COPY t TO PROGRAM 'gzip';"),
                     "4:1",
                     "COPY with a file or program acts on the server's machine, which other "
                     "tenants do not share"},
                });
  check_refused("advisory_unlock",
                "Unlock the keys that the migration took, one by one, or take transaction locks.",
                {
                    {"all locks given back",
                     up_postgres("SELECT /* pg_advisory_unlock */ PG_Advisory_Unlock_All();"),
                     "4:1",
                     "pg_advisory_unlock_all() would drop the lock that guards this tenant"},
                });
  check_refused("discard_all",
                "Name what to discard: DISCARD PLANS, SEQUENCES or TEMP.",
                {
                    {"DISCARD ALL",
                     up_postgres("DISCARD /* */ ALL;"),
                     "4:1",
                     "DISCARD ALL would drop the lock that guards this tenant"},
                    {"DISCARD ALL outside of a transaction",
                     up_no_transaction("DISCARD ALL;"),
                     "4:1",
                     "DISCARD ALL would drop the lock that guards this tenant"},
                });
  check_refused(
      "needs_no_transaction",
      "Move it to a section '-- drover: up postgres no-transaction'.",
      {
          {"CREATE INDEX CONCURRENTLY i ON t (a)",
           up_postgres("CREATE INDEX CONCURRENTLY i ON t (a);"),
           "4:1",
           "CREATE INDEX CONCURRENTLY cannot run inside a transaction"},
          {"CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)",
           up_postgres("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a);"),
           "4:1",
           "CREATE INDEX CONCURRENTLY cannot run inside a transaction"},
          {"DROP INDEX CONCURRENTLY i",
           up_postgres("DROP INDEX CONCURRENTLY i;"),
           "4:1",
           "DROP INDEX CONCURRENTLY cannot run inside a transaction"},
          {"REINDEX TABLE CONCURRENTLY t",
           up_postgres("REINDEX TABLE CONCURRENTLY t;"),
           "4:1",
           "REINDEX CONCURRENTLY cannot run inside a transaction"},
          {"REINDEX (VERBOSE, CONCURRENTLY) TABLE t",
           up_postgres("REINDEX (VERBOSE, CONCURRENTLY) TABLE t;"),
           "4:1",
           "REINDEX CONCURRENTLY cannot run inside a transaction"},
          {"REINDEX DATABASE d",
           up_postgres("REINDEX DATABASE d;"),
           "4:1",
           "REINDEX cannot run inside a transaction"},
          {"ALTER TABLE p DETACH PARTITION q CONCURRENTLY",
           up_postgres("ALTER TABLE p DETACH PARTITION q CONCURRENTLY;"),
           "4:1",
           "DETACH PARTITION CONCURRENTLY cannot run inside a transaction"},
          {"ALTER TABLE p DETACH PARTITION q FINALIZE",
           up_postgres("ALTER TABLE p DETACH PARTITION q FINALIZE;"),
           "4:1",
           "DETACH PARTITION CONCURRENTLY cannot run inside a transaction"},
          {"VACUUM t", up_postgres("VACUUM t;"), "4:1", "VACUUM cannot run inside a transaction"},
          {"CREATE DATABASE d",
           up_postgres("CREATE DATABASE d;"),
           "4:1",
           "CREATE DATABASE cannot run inside a transaction"},
          {"DROP DATABASE d",
           up_postgres("DROP DATABASE d;"),
           "4:1",
           "DROP DATABASE cannot run inside a transaction"},
          {"ALTER SYSTEM SET a = 1",
           up_postgres("ALTER SYSTEM SET a = 1;"),
           "4:1",
           "ALTER SYSTEM cannot run inside a transaction"},
          {"ALTER DATABASE d SET TABLESPACE x",
           up_postgres("ALTER DATABASE d SET TABLESPACE x;"),
           "4:1",
           "ALTER DATABASE SET TABLESPACE cannot run inside a transaction"},
          {"CREATE TABLESPACE x LOCATION '/x'",
           up_postgres("CREATE TABLESPACE x LOCATION '/x';"),
           "4:1",
           "CREATE TABLESPACE cannot run inside a transaction"},
          {"DROP TABLESPACE x",
           up_postgres("DROP TABLESPACE x;"),
           "4:1",
           "DROP TABLESPACE cannot run inside a transaction"},
          {"CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p",
           up_postgres("CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p;"),
           "4:1",
           "a statement about a subscription cannot run inside a transaction"},
          {"CLUSTER",
           up_postgres("CLUSTER;"),
           "4:1",
           "CLUSTER of all tables cannot run inside a transaction"},
      });
  check_refused("needs_no_transaction",
                "Move it to a section '-- drover: up sqlite no-transaction'.",
                {
                    {"VACUUM in a transaction of SQLite",
                     up_sqlite("VACUUM;"),
                     "4:1",
                     "VACUUM cannot run inside a transaction"},
                });
  check_refused("needs_no_transaction",
                "Move it to a section '-- drover: down postgres no-transaction'.",
                {
                    {"VACUUM going down",
                     kHeader + "-- drover: up\n-- drover: down\nVACUUM;\n",
                     "5:1",
                     "VACUUM cannot run inside a transaction"},
                });
  check_refused("client_command",
                "Write SQL; no psql stands between the file and the database.",
                {
                    {"a psql command",
                     up_postgres("\\copy t from 'it''s'\n"),
                     "4:1",
                     "a backslash outside of quotes begins a command of psql"},
                    {"a psql command with a quote that is open",
                     up_postgres("\\echo it's\nSELECT 1;"),
                     "4:1",
                     "a backslash outside of quotes begins a command of psql"},
                });
  check_refused("client_command",
                "Write SQL; no shell stands between the file and the database.",
                {
                    {"a command of the sqlite3 shell",
                     up_sqlite(".read x.sql\n"),
                     "4:1",
                     "'.read x.sql' is a command of the sqlite3 shell"},
                });
  check_refused("misplaced_range",
                "Make the section a batch, or write out the condition.",
                {
                    {"{range} outside of a batch",
                     up("DELETE FROM t WHERE {range};"),
                     "4:21",
                     "{range} has a meaning in a batch only"},
                });
  check_refused(
      "attach",
      "Remove it; each database file is a tenant of its own.",
      {
          {"ATTACH",
           up_sqlite("ATTACH 'x.db' AS x;"),
           "4:1",
           "'ATTACH 'x.db' AS x' reaches for another database file"},
          {"DETACH", up_sqlite("DETACH x;"), "4:1", "'DETACH x' reaches for another database file"},
      });
  check_refused("load_extension",
                "Remove it; extensions cannot be loaded from a migration.",
                {
                    {"load_extension",
                     up_sqlite("SELECT load_extension /* */ ('x');"),
                     "4:8",
                     "load_extension() would run foreign code in this program"},
                    {"load_extension in quotes",
                     up_sqlite("SELECT 1, \"LOAD_extension\"('x');"),
                     "4:11",
                     "load_extension() would run foreign code in this program"},
                });
  check_refused(
      "writable_schema",
      "Rebuild the table instead: create, copy, drop, rename.",
      {
          {"writable_schema",
           up_sqlite("PRAGMA main.\"writable_schema\" = 1;"),
           "4:1",
           "PRAGMA writable_schema could damage the database file"},
          {"writable_schema outside of a transaction",
           kHeader + "-- drover: up sqlite no-transaction\nPRAGMA writable_schema(1);\n" + kDown,
           "4:1",
           "PRAGMA writable_schema could damage the database file"},
      });
  check_refused("pragma",
                "Write '-- drover: set foreign_keys=on' in the header; without it they are off "
                "while the file runs, and checked before the commit.",
                {
                    {"foreign_keys",
                     up_sqlite("PRAGMA foreign_keys = OFF;"),
                     "4:1",
                     "PRAGMA foreign_keys does not work inside a transaction"},
                });
  check_refused("pragma",
                "Move it to a section '-- drover: up sqlite no-transaction'.",
                {
                    {"PRAGMA journal_mode=WAL",
                     up_sqlite("PRAGMA journal_mode=WAL;"),
                     "4:1",
                     "PRAGMA journal_mode does not work inside a transaction"},
                    {"PRAGMA main.synchronous = 1",
                     up_sqlite("PRAGMA main.synchronous = 1;"),
                     "4:1",
                     "PRAGMA synchronous does not work inside a transaction"},
                    {"PRAGMA auto_vacuum(1)",
                     up_sqlite("PRAGMA auto_vacuum(1);"),
                     "4:1",
                     "PRAGMA auto_vacuum does not work inside a transaction"},
                    {"PRAGMA page_size=512",
                     up_sqlite("PRAGMA page_size=512;"),
                     "4:1",
                     "PRAGMA page_size does not work inside a transaction"},
                    {"PRAGMA encoding='UTF-8'",
                     up_sqlite("PRAGMA encoding='UTF-8';"),
                     "4:1",
                     "PRAGMA encoding does not work inside a transaction"},
                    {"PRAGMA wal_checkpoint",
                     up_sqlite("PRAGMA wal_checkpoint;"),
                     "4:1",
                     "PRAGMA wal_checkpoint does not work inside a transaction"},
                    {"a PRAGMA in a section for both",
                     up("PRAGMA journal_mode = WAL;"),
                     "4:1",
                     "PRAGMA journal_mode does not work inside a transaction"},
                });
}

TEST_CASE("a verify is one SELECT", "[engine][parse]") {
  check_refused(
      "bad_verify",
      "Write one SELECT that gives one row with one column, true when all is well.",
      {
          {"no statement", verify("-- nothing"), "5:1", "the verify section holds no statement"},
          {"two statements",
           verify("SELECT true; SELECT true;"),
           "5:14",
           "the verify section holds 2 statements"},
          {"an UPDATE",
           verify("UPDATE t SET a = 1;"),
           "5:1",
           "'UPDATE t SET a = 1' is not a SELECT, which a verify must be"},
          {"a WITH that ends in a DELETE",
           verify("WITH x AS (SELECT 1) DELETE FROM t;", " postgres"),
           "5:1",
           "'WITH x AS (SELECT 1) DELETE FROM t' is not a SELECT, which a verify must be"},
          {"TABLE, which SQLite does not know",
           verify("TABLE t;"),
           "5:1",
           "'TABLE t' is not a SELECT, which a verify must be"},
      });

  for (const std::string text : {"SELECT true",
                                 "VALUES (true);",
                                 "(SELECT true)",
                                 "WITH a AS (SELECT 1) SELECT true FROM a"}) {
    INFO(text);
    CHECK_NOTHROW(parsed(verify(text, " postgres")));
  }
}

TEST_CASE("statements that look dangerous and are not are accepted", "[engine][parse]") {
  const std::vector<std::string> fine = {
      up_postgres("SELECT 'BEGIN'; COMMENT ON TABLE t IS 'COPY'; CREATE TABLE \"copy\" (a int);"),
      up_postgres(
          "PREPARE p AS SELECT 1; SET LOCAL lock_timeout = '1s'; DISCARD TEMP; LOCK TABLE t;"),
      up_postgres(
          "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END;"),
      up_postgres(
          "DO $$ BEGIN COMMIT; END $$; CREATE INDEX i ON t (a); DROP INDEX i; CLUSTER t USING i;"),
      up_postgres("ALTER TYPE mood ADD VALUE 'sad'; REFRESH MATERIALIZED VIEW CONCURRENTLY v;"),
      up_no_transaction("CREATE INDEX CONCURRENTLY i ON t (a); VACUUM t; REINDEX TABLE t;"),
      up_sqlite("CREATE TABLE [begin] (a); REINDEX; ANALYZE; PRAGMA user_version = 3;"),
      up_sqlite("PRAGMA foreign_keys; PRAGMA foreign_key_check; PRAGMA defer_foreign_keys = 1;"),
      up_sqlite("CREATE TRIGGER x AFTER INSERT ON t BEGIN UPDATE t SET a = CASE a WHEN 1 THEN 2 "
                "END; END;"),
      up_sqlite("SELECT load_extension FROM t; SELECT 'load_extension(''x'')'; SELECT "
                "'writable_schema';"),
      kHeader + "-- drover: up sqlite no-transaction\nPRAGMA journal_mode = WAL; VACUUM;\n" + kDown,
  };
  for (const std::string& text : fine) {
    INFO(text);
    CHECK_NOTHROW(parsed(text));
  }
}

}  // namespace drover::engine::parse

#include "engine/postgres/statement_guard.h"

#include <string>

#include <catch2/catch.hpp>

using drover::engine::postgres::refusal_of_migration_statement;

namespace {

/// The refusal's message; empty when the statement may pass.
std::string refused(std::string_view sql) {
  const auto error = refusal_of_migration_statement(sql);
  return error ? error->message : std::string();
}

}  // namespace

TEST_CASE("transaction control is refused however it is written") {
  for (const char* const sql : {"BEGIN",
                                "begin work",
                                "/* a /* nested */ one */ COMMIT",
                                "-- first\n  Rollback to x",
                                "START TRANSACTION",
                                "END",
                                "ABORT",
                                "SAVEPOINT a",
                                "RELEASE a",
                                "PREPARE TRANSACTION 'x'",
                                "COMMIT PREPARED 'x'",
                                ";;COMMIT",
                                "(COMMIT)"}) {
    INFO(sql);
    REQUIRE_THAT(refused(sql), Catch::StartsWith("transaction control ("));
  }
  REQUIRE(refused("commit") == "transaction control (COMMIT) is not possible in a migration");
}

TEST_CASE("COPY with the client is refused, with a file of the server it is not") {
  for (const char* const sql : {"COPY t FROM STDIN",
                                "copy t (a, b) to stdout with (format csv)",
                                "COPY (SELECT 'x') TO /* here */ STDOUT"}) {
    INFO(sql);
    REQUIRE(refused(sql) == "COPY from or to the client is not possible in a migration");
  }
  REQUIRE(refused("COPY t FROM '/srv/stdin'").empty());
  REQUIRE(refused("COPY (SELECT 'to stdout' AS \"STDIN\") TO '/srv/x' -- STDOUT").empty());
}

TEST_CASE("everything else passes") {
  for (const char* const sql : {"",
                                "--",
                                "/*",
                                "'",
                                "CREATE TABLE begin_of (a int)",
                                "PREPARE p AS SELECT 1",
                                "DO $$BEGIN COMMIT; END$$",
                                "SELECT 'COMMIT'",
                                "INSERT INTO t VALUES ('BEGIN')",
                                "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END",
                                "ENDPOINT"}) {
    INFO(sql);
    REQUIRE(refused(sql).empty());
  }
}

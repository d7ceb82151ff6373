#include "engine/postgres/pg_session.h"

#include <chrono>
#include <future>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/conformance/session_conformance.h"
#include "tests/support/pg_cluster.h"

using drover::engine::Author;
using drover::engine::Exchange;
using drover::engine::Milliseconds;
using drover::engine::OpenOptions;
using drover::engine::Session;
using drover::engine::SessionSetting;
using drover::engine::SqlError;
using drover::engine::Statement;
using drover::engine::Target;
using drover::engine::postgres::PgSessionFactory;
using drover::test::open_session;
using drover::test::rows_of;
using drover::test::run;
using drover::test::run_migration;
using drover::test::shared_cluster;
using Origin = SqlError::Origin;

namespace {

/// A database of this file's own, made once.
Target target() {
  static const Target made = [] {
    shared_cluster().create_database("pg_session");
    return shared_cluster().target("pg_session");
  }();
  return made;
}

std::unique_ptr<Session> open(const OpenOptions& options = {}) {
  PgSessionFactory factory;
  return open_session(factory, target(), options);
}

std::string value(Session& session, std::string_view sql) {
  return rows_of(run(session, sql)).front().front().value_or("NULL");
}

}  // namespace

TEST_CASE("a session knows its server and its backend") {
  const auto session = open();
  REQUIRE(session->dialect() == drover::engine::Dialect::postgres);
  REQUIRE(std::to_string(session->info().server_version) ==
          value(*session, "SHOW server_version_num"));
  REQUIRE(std::to_string(session->info().backend_pid) ==
          value(*session, "SELECT pg_backend_pid()"));
}

TEST_CASE("start-up settings are in place and survive RESET ALL") {
  OpenOptions options;
  options.lock_timeout = Milliseconds(1234);
  options.statement_timeout = Milliseconds(56789);
  options.application_name = "drover test";
  PgSessionFactory factory;
  Target weird = target();
  weird.schema = R"(we"ird \ sch,ema)";
  const auto session = open_session(factory, weird, options);
  REQUIRE(run(*session, "SET lock_timeout = 0").ok());
  REQUIRE(run(*session, "RESET ALL").ok());
  REQUIRE(value(*session, "SHOW lock_timeout") == "1234ms");
  REQUIRE(value(*session, "SHOW statement_timeout") == "56789ms");
  REQUIRE(value(*session, "SHOW idle_in_transaction_session_timeout") == "1min");
  REQUIRE(value(*session, "SHOW search_path") == R"("we""ird \ sch,ema")");
  REQUIRE(value(*session, "SHOW application_name") == "drover test");
  REQUIRE(value(*session, "SHOW client_encoding") == "UTF8");
}

TEST_CASE("options of the target are kept, and those of a tenant's name are data") {
  PgSessionFactory factory;
  Target with_options = target();
  with_options.connection += " options='-c work_mem=7MB'";
  with_options.schema = "x -c work_mem=9MB";
  const auto session = open_session(factory, with_options);
  REQUIRE(value(*session, "SHOW work_mem") == "7MB");
  REQUIRE(value(*session, "SHOW lock_timeout") == "1s");
}

TEST_CASE("settings of newer versions are given at the start once the version is known") {
  PgSessionFactory factory;
  OpenOptions options;
  options.settings = {{"drover.tenant", "acme"},
                      {"client_connection_check_interval", "500ms", 140000},
                      {"a_setting_of.the_future", "1", 990000}};
  const auto names = [&](Session& session) {
    std::vector<std::string> given;
    for (const SessionSetting& setting : session.info().settings) {
      given.push_back(setting.name);
    }
    return given;
  };
  const auto first = open_session(factory, target(), options);
  CHECK(names(*first) == std::vector<std::string>{"search_path", "drover.tenant"});
  const auto second = open_session(factory, target(), options);
  CHECK(names(*second) == std::vector<std::string>{
                              "search_path", "drover.tenant", "client_connection_check_interval"});
  REQUIRE(run(*second, "SET client_connection_check_interval = 0").ok());
  REQUIRE(run(*second, "RESET ALL").ok());
  CHECK(value(*second, "SHOW client_connection_check_interval") == "500ms");
  CHECK(value(*second, "SHOW drover.tenant") == "acme");
}

TEST_CASE("a server that does not know a setting is asked again without the newer ones") {
  PgSessionFactory factory;
  OpenOptions options;
  open_session(factory, target(), options);  // now its version is known
  options.settings = {{"drover.tenant", "acme"}, {"work_memory", "7MB", 140000}};
  const auto session = open_session(factory, target(), options);
  CHECK(value(*session, "SHOW drover.tenant") == "acme");
  CHECK(session->info().settings ==
        std::vector<SessionSetting>{{"search_path", R"("public")"}, {"drover.tenant", "acme"}});
}

TEST_CASE("what the startup packet cannot carry is left to the caller") {
  PgSessionFactory factory;
  OpenOptions options;
  options.settings = {{"drover.label.city", "K\u00f6ln"},
                      {"drover.label.long", std::string(9000, 'x')}};
  const auto session = open_session(factory, target(), options);
  CHECK(session->info().settings.size() == 1);  // the schema
}

TEST_CASE("a read session takes the pooled address and sends it no options") {
  PgSessionFactory factory;
  Target pooled = target();
  pooled.pooled = pooled.connection + " application_name=pooled";
  OpenOptions options;
  options.purpose = OpenOptions::Purpose::read;
  const auto reading = open_session(factory, pooled, options);
  REQUIRE(value(*reading, "SHOW application_name") == "pooled");
  REQUIRE(value(*reading, "SHOW lock_timeout") == "0");
  const auto changing = open_session(factory, pooled);
  REQUIRE(value(*changing, "SHOW application_name") == "drover");
  REQUIRE(value(*changing, "SHOW lock_timeout") == "1s");
}

TEST_CASE("a statement that must be alone can be") {
  const auto session = open();
  REQUIRE(run(*session, "DROP TABLE IF EXISTS alone").ok());
  REQUIRE(run(*session, "CREATE TABLE alone (id int)").ok());
  REQUIRE(run_migration(*session, "CREATE INDEX CONCURRENTLY alone_id ON alone (id)").ok());
  REQUIRE(run_migration(*session, "VACUUM alone").ok());
  const std::vector<Statement> two = {{"SELECT 1"},
                                      {"CREATE INDEX CONCURRENTLY alone_2 ON alone (id)"}};
  REQUIRE(session->exchange(two, {}).error->sqlstate == "25001");
}

TEST_CASE("two commands in one statement are refused by the server") {
  const auto session = open();
  REQUIRE(run(*session, "SELECT 1; SELECT 2").error->sqlstate == "42601");
}

TEST_CASE("an error brings all that the server said") {
  const auto session = open();
  const Exchange exchange = run(*session, R"(
      DO $$BEGIN
        RAISE EXCEPTION 'that went wrong' USING
          ERRCODE = 'P0042', DETAIL = 'the detail', HINT = 'the hint';
      END$$)");
  REQUIRE(exchange.error->origin == Origin::server);
  REQUIRE(exchange.error->sqlstate == "P0042");
  REQUIRE(exchange.error->message == "that went wrong");
  REQUIRE(exchange.error->detail == "the detail");
  REQUIRE(exchange.error->hint == "the hint");
  REQUIRE(exchange.error->context == "PL/pgSQL function inline_code_block line 2 at RAISE");

  const Exchange inner = run(*session, "DO $$BEGIN EXECUTE 'SELECT nope'; END$$");
  REQUIRE(inner.error->position == 0);
  REQUIRE(inner.error->context ==
          "PL/pgSQL function inline_code_block line 1 at EXECUTE\nat character 8 of: SELECT nope");
}

TEST_CASE("notices arrive with their severity, and not more than a hundred") {
  const auto session = open();
  const Exchange exchange = run(*session, "DO $$BEGIN RAISE WARNING 'careful'; END$$");
  REQUIRE(exchange.notices.size() == 1);
  REQUIRE(exchange.notices[0].severity == "WARNING");
  REQUIRE(exchange.notices[0].sqlstate == "01000");
  REQUIRE(exchange.notices[0].message == "careful");
  const Exchange flood =
      run(*session,
          "DO $$BEGIN FOR i IN 1..1000 LOOP RAISE NOTICE '%', repeat('ä', 3000); END LOOP; END$$");
  REQUIRE(flood.notices.size() == 100);
  REQUIRE(flood.notices[0].message.size() == 2048);
}

TEST_CASE("a statement timeout is the server's error and leaves the session alive") {
  OpenOptions options;
  options.statement_timeout = Milliseconds(20);
  const auto session = open(options);
  const Exchange exchange = run(*session, "SELECT pg_sleep(60)");
  REQUIRE(exchange.error->origin == Origin::server);
  REQUIRE(exchange.error->sqlstate == "57014");
  REQUIRE(session->alive());
}

TEST_CASE("COPY with the client is refused") {
  const auto session = open();
  REQUIRE(run(*session, "CREATE TABLE IF NOT EXISTS copied (a text)").ok());

  SECTION("from STDIN alone, the session lives on") {
    const Exchange exchange = run(*session, "COPY copied FROM STDIN");
    REQUIRE(exchange.error->origin == Origin::refused);
    REQUIRE(exchange.error->message == "COPY from or to the client is not possible here");
    REQUIRE(session->alive());
    REQUIRE(value(*session, "SELECT count(*) FROM copied") == "0");
  }
  SECTION("to STDOUT, the session is closed") {
    const Exchange exchange = run(*session, "COPY (SELECT generate_series(1, 1000000)) TO STDOUT");
    REQUIRE(exchange.error->origin == Origin::refused);
    REQUIRE_FALSE(session->alive());
  }
  SECTION("within a message, the session is closed and nothing of the message stays") {
    const std::vector<Statement> message = {
        {"CREATE TABLE beside_copy (a int)"}, {"COPY copied FROM STDIN"}, {"SELECT 1"}};
    const Exchange exchange = session->exchange(message, {});
    REQUIRE(exchange.error->origin == Origin::refused);
    REQUIRE(exchange.results.size() == 1);
    REQUIRE_FALSE(session->alive());
    REQUIRE(value(*open(), "SELECT to_regclass('beside_copy') IS NULL") == "t");
  }
  SECTION("in a migration, before it is sent") {
    const Exchange exchange = run_migration(*session, "COPY copied FROM STDIN");
    REQUIRE(exchange.error->origin == Origin::refused);
    REQUIRE(exchange.error->message == "COPY from or to the client is not possible in a migration");
    REQUIRE(session->alive());
  }
}

TEST_CASE("a killed session is a lost connection, with what the server said") {
  SECTION("while it was idle") {
    const auto session = open();
    shared_cluster().terminate_backend(session->info().backend_pid);
    Exchange exchange = run(*session, "SELECT 1");
    while (exchange.ok()) {  // the signal may take a moment to arrive
      exchange = run(*session, "SELECT 1");
    }
    REQUIRE(exchange.error->origin == Origin::connection);
    REQUIRE(exchange.error->sqlstate == "57P01");
    REQUIRE(exchange.error->message == "terminating connection due to administrator command");
    REQUIRE_FALSE(session->alive());
  }
  SECTION("within a message of several statements") {
    const auto session = open();
    auto running = std::async(std::launch::async, [&] {
      const std::vector<Statement> message = {{"SELECT 1"}, {"SELECT pg_sleep(600)"}};
      return session->exchange(message, {});
    });
    const std::string waits =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND pid = " +
        std::to_string(session->info().backend_pid);
    while (shared_cluster().value("postgres", waits) == "0") {
    }
    shared_cluster().terminate_backend(session->info().backend_pid);
    const Exchange exchange = running.get();
    REQUIRE(exchange.error->origin == Origin::connection);
    REQUIRE(exchange.error->sqlstate == "57P01");
    REQUIRE(exchange.results.size() == 1);
    REQUIRE_FALSE(session->alive());
  }
}

TEST_CASE("a deadline cancels the statement on the server") {
  const auto session = open();
  const auto deadline = std::chrono::steady_clock::now() + Milliseconds(30);
  const std::vector<Statement> message = {{"SELECT 1"}, {"SELECT pg_sleep(600)"}, {"SELECT 2"}};
  const Exchange exchange = session->exchange(message, {deadline, {}});
  REQUIRE(exchange.error->origin == Origin::deadline);
  REQUIRE(std::chrono::steady_clock::now() - deadline < Milliseconds(1500));
  const std::string still =
      "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND pid = " +
      std::to_string(session->info().backend_pid);
  REQUIRE(shared_cluster().value("postgres", still) == "0");
}

TEST_CASE("a migration's huge answer is not kept") {
  const auto session = open();
  const Statement statement{
      "SELECT n, repeat('x', 100) FROM generate_series(1, 200000) n", {}, Author::migration};
  const std::vector<Statement> message = {statement, {"SELECT 7"}};
  const Exchange exchange = session->exchange(message, {});
  REQUIRE(exchange.ok());
  REQUIRE(exchange.results[0].rows.size() == drover::engine::postgres::kKeptRows);
  REQUIRE(exchange.results[0].rows[99][0] == "100");
  REQUIRE(exchange.results[1].rows[0][0] == "7");
}

TEST_CASE("affected counts are those of changes only") {
  const auto session = open();
  const std::vector<Statement> message = {
      {"CREATE TEMPORARY TABLE counted (a int)"},
      {"INSERT INTO counted SELECT generate_series(1, 7)"},
      {"SELECT * FROM counted"},
      {"MERGE INTO counted USING (VALUES (1)) v(a) ON v.a = counted.a WHEN MATCHED THEN DELETE"},
      {"DELETE FROM counted"}};
  const Exchange exchange = session->exchange(message, {});
  REQUIRE(exchange.ok());
  std::vector<std::uint64_t> counts;
  for (const auto& result : exchange.results) {
    counts.push_back(result.affected);
  }
  REQUIRE(counts == std::vector<std::uint64_t>{0, 7, 0, 1, 6});
}

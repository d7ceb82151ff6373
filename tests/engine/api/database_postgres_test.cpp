// What an application sees of one database, on a real PostgreSQL server.

#include "engine/api/database.h"

#include <catch2/catch.hpp>

#include <atomic>

#include <fmt/format.h>

#include "tests/engine/api/application.h"
#include "tests/support/pg_cluster.h"

namespace drover::test {
namespace {

/// A database of the shared server, made new.
std::string fresh_database(const std::string& name) {
  shared_cluster().create_database(name);
  return shared_cluster().conninfo(name);
}

TEST_CASE("a PostgreSQL schema of its own is migrated once") {
  REQUIRE(PgCluster::available());
  const Application app;
  const std::string conninfo = fresh_database("api_once");
  shared_cluster().execute("api_once", "CREATE SCHEMA acme");
  const DatabaseOptions options = app.options(conninfo + " schema=acme");
  CHECK(ensure_database_migrated(options).revisions == Names{"0001", "0002"});
  CHECK(ensure_database_migrated(options).outcome == "current");
  CHECK(shared_cluster().value("api_once", "SELECT count(*) FROM acme.notes") == "2");
  CHECK(get_database_schema_version(options) == Names{"0002"});
  CHECK(MigrationManager(options).downgrade_database("base").revisions == Names{"0002", "0001"});
}

TEST_CASE("of many replicas that start at once on a new PostgreSQL database, one applies each") {
  REQUIRE(PgCluster::available());
  const Application app;
  const DatabaseOptions options = app.options(fresh_database("api_race"));
  std::atomic<int> there = 0;
  CHECK(at_once(8, [&](int) {
          there += ensure_database_migrated(options).to == Names{"0002"} ? 1 : 0;
        }).empty());
  CHECK(there == 8);
  CHECK(shared_cluster().value("api_race", "SELECT string_agg(revision, ' ') FROM notes") ==
        "0001 0002");
}

TEST_CASE("while a migration holds the lock, only those who have something to do wait for it") {
  REQUIRE(PgCluster::available());
  const Application app;
  const std::string conninfo = fresh_database("api_held");
  ensure_database_migrated(app.options(conninfo));
  const Application before;
  std::stop_source stop;
  app.write({"0003", "0002", "SELECT pg_sleep(60);", "SELECT 1;"});
  std::future<MigrationOutcome> busy =
      MigrationManager(app.options(conninfo))
          .upgrade_database_async("head", {kForever, stop.get_token()});
  const std::string held =
      "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = "
      "'advisory' AND a.datname = 'api_held' AND a.query LIKE '%pg_sleep(60)%'";
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (shared_cluster().value("api_held", held) == "0" &&
         std::chrono::steady_clock::now() < limit) {
    std::this_thread::yield();
  }
  REQUIRE(shared_cluster().value("api_held", held) != "0");
  CHECK(ensure_database_migrated(before.options(conninfo)).outcome == "current");
  DatabaseOptions impatient = app.options(conninfo);
  impatient.lock_wait = std::chrono::milliseconds(0);
  const Error refused = error_of([&] { ensure_database_migrated(impatient); });
  CHECK(refused.code() == ErrorCode::busy);
  CHECK(refused.kind_name() == "lock_held");
  stop.request_stop();
  CHECK_FALSE(busy.get().ok());
}

TEST_CASE("no message holds the password that a URL holds") {
  REQUIRE(PgCluster::available());
  const Application app;
  const std::string secret = "hunter2-and-more";
  const std::string urls[] = {
      fmt::format("postgres://nobody:{}@127.0.0.1:{}/nowhere?sslmode=disable",
                  secret,
                  shared_cluster().port()),
      fmt::format("postgres://nobody:{}@127.0.0.1:1/nowhere?sslmode=disable", secret),
      fmt::format("postgres://nobody:{}@[oops/nowhere", secret),
      fmt::format("host=127.0.0.1 password={} wrong_keyword=1", secret)};
  for (const std::string& url : urls) {
    const Error error = error_of([&] { ensure_database_migrated(app.options(url)); });
    CHECK(std::string(error.what()).find(secret) == std::string::npos);
    CHECK(error.hint().find(secret) == std::string::npos);
  }
}

}  // namespace
}  // namespace drover::test

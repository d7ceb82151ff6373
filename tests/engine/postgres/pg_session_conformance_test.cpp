#include <string>

#include <catch2/catch.hpp>

#include "engine/postgres/pg_session.h"
#include "tests/conformance/session_conformance.h"
#include "tests/support/pg_cluster.h"
#include "tests/support/tcp_proxy.h"

using drover::test::PgCluster;
using drover::test::shared_cluster;
using drover::test::TcpProxy;

namespace {

constexpr drover::test::ConformanceTexts kTexts = {
    .create = "CREATE TABLE note (id integer PRIMARY KEY, body text)",
    .insert = "INSERT INTO note VALUES ($1, $2)",
    .select = "SELECT id, body FROM note ORDER BY id",
    .update_all = "UPDATE note SET body = 'changed'",
    .echo = "SELECT $1::text",
    .endless = "SELECT pg_sleep(600)",
    .many_rows = "SELECT n FROM generate_series(1, 5000) AS n",
    .unknown_column = "SELECT 'äöü', nope FROM note",
    .duplicate_state = "23505",
    .unknown_state = "42703",
    .cancelled_state = "57014"};

/// Each target is a schema of its own in one database.
class PgWorld final : public drover::test::SessionWorld {
 public:
  explicit PgWorld(TcpProxy* proxy = nullptr) : proxy_(proxy) {
    static const bool made = [] {
      shared_cluster().create_database("conformance");
      return true;
    }();
    static_cast<void>(made);
  }

  drover::engine::SessionFactory& factory() override { return factory_; }

  drover::engine::Target fresh_target() override {
    static int number = 0;
    const std::string schema = "World " + std::to_string(++number);
    shared_cluster().execute("conformance", "CREATE SCHEMA \"" + schema + "\"");
    return proxy_ == nullptr
               ? shared_cluster().target("conformance", schema)
               : shared_cluster().loopback_target("conformance", schema, proxy_->port());
  }

  const drover::test::ConformanceTexts& texts() const override { return kTexts; }

 private:
  TcpProxy* proxy_;
  drover::engine::postgres::PgSessionFactory factory_;
};

}  // namespace

TEST_CASE("a PostgreSQL session keeps what every session promises") {
  PgWorld world;
  drover::test::check_session_conformance(world);
}

TEST_CASE("a PostgreSQL session over a slow network keeps it too") {
  TcpProxy proxy(shared_cluster().port());
  proxy.delay(drover::engine::Milliseconds(5));
  PgWorld world(&proxy);
  drover::test::check_session_conformance(world);
}

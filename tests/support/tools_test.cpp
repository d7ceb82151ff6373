#include <sys/stat.h>

#include <future>
#include <stop_token>
#include <string>

#include <libpq-fe.h>
#include <catch2/catch.hpp>

#include "tests/support/fake_clock.h"
#include "tests/support/pg_cluster.h"
#include "tests/support/tcp_proxy.h"
#include "tests/support/temp_dir.h"

using drover::engine::Milliseconds;
using drover::engine::SteadyTime;
using drover::test::FakeClock;
using drover::test::PgCluster;
using drover::test::shared_cluster;
using drover::test::TcpProxy;
using drover::test::TempDir;

namespace {

/// A blocking conversation: `queries` one after the other. The error message, empty when all is
/// well.
std::string talk(std::uint16_t port, int queries) {
  const std::string target =
      "host=127.0.0.1 dbname=postgres user=postgres sslmode=disable port=" + std::to_string(port);
  PGconn* const connection = PQconnectdb(target.c_str());
  for (int i = 0; i < queries && PQstatus(connection) == CONNECTION_OK; ++i) {
    PQclear(PQexec(connection, "SELECT repeat('x', 1000)"));
  }
  const std::string message = PQerrorMessage(connection);
  PQfinish(connection);
  return message;
}

}  // namespace

TEST_CASE("a temporary directory goes with all it holds") {
  std::filesystem::path path;
  {
    const TempDir dir;
    path = dir.path();
    dir.write("a/b", "text");
    REQUIRE(dir.read("a/b") == "text");
  }
  REQUIRE_FALSE(std::filesystem::exists(path));
}

TEST_CASE("the fake clock moves when someone waits") {
  FakeClock clock;
  const SteadyTime start = clock.now();
  clock.wait_until(start + Milliseconds(250), {});
  clock.wait_until(start, {});
  REQUIRE(clock.now() == start + Milliseconds(250));
  REQUIRE(clock.waits() == std::vector{Milliseconds(250)});

  std::stop_source stop;
  auto waiter = std::async(std::launch::async,
                           [&] { clock.wait_until(SteadyTime::max(), stop.get_token()); });
  stop.request_stop();
  waiter.get();
  REQUIRE(clock.now() == start + Milliseconds(250));
}

TEST_CASE("a cluster answers, stops, and starts again with its data on the same port") {
  PgCluster cluster({.max_connections = 12});
  REQUIRE(cluster.value("postgres", "SHOW max_connections") == "12");
  cluster.create_database("we\"ird name");
  cluster.execute("we\"ird name", "CREATE TABLE t(a int); INSERT INTO t VALUES (7), (NULL)");
  const std::uint16_t port = cluster.port();
  cluster.stop(PgCluster::Stop::fast);
  REQUIRE(cluster.pid() == 0);
  cluster.start();
  REQUIRE(cluster.port() == port);
  const auto rows = cluster.execute("we\"ird name", "TABLE t");
  REQUIRE(rows == std::vector<PgCluster::Row>{{"7"}, {std::nullopt}});
  REQUIRE_THROWS_WITH(cluster.execute("postgres", "nonsense"), Catch::Contains("nonsense"));
}

TEST_CASE("a scram cluster asks for the password on loopback") {
  const PgCluster cluster({.loopback_auth = drover::test::PgClusterOptions::LoopbackAuth::scram});
  REQUIRE_THAT(talk(cluster.port(), 0), Catch::Contains("no password supplied"));
  REQUIRE(cluster.loopback_target("postgres").password.reveal() == PgCluster::kPassword);
}

TEST_CASE("the proxy counts round trips and bytes") {
  TcpProxy proxy(shared_cluster().port());
  REQUIRE(talk(proxy.port(), 3).empty());
  REQUIRE(proxy.connections() == 1);
  REQUIRE(proxy.round_trips() >= 4);  // startup and three queries
  REQUIRE(proxy.round_trips() <= 5);  // the end, which asks nothing, may not have arrived yet
  REQUIRE(proxy.bytes(TcpProxy::Direction::to_client) > 3000);
}

TEST_CASE("the proxy delays each direction") {
  TcpProxy proxy(shared_cluster().port());
  proxy.delay(Milliseconds(20));
  const SteadyTime start = std::chrono::steady_clock::now();
  REQUIRE(talk(proxy.port(), 2).empty());
  REQUIRE(std::chrono::steady_clock::now() - start >= Milliseconds(120));
}

TEST_CASE("the proxy cuts at the byte that it was told") {
  TcpProxy proxy(shared_cluster().port());
  proxy.cut_after(TcpProxy::Direction::to_client, 2000);
  REQUIRE_FALSE(talk(proxy.port(), 5).empty());
  REQUIRE(proxy.bytes(TcpProxy::Direction::to_client) == 2000);
  proxy.heal();
  REQUIRE(talk(proxy.port(), 5).empty());
}

TEST_CASE("the proxy slices into single bytes without harm") {
  TcpProxy proxy(shared_cluster().port());
  proxy.slice();
  REQUIRE(talk(proxy.port(), 3).empty());
}

TEST_CASE("a swallowing proxy keeps both ends open and silent") {
  TcpProxy proxy(shared_cluster().port());
  proxy.swallow(TcpProxy::Direction::to_client);
  auto talking = std::async(std::launch::async, [&] { return talk(proxy.port(), 1); });
  while (proxy.round_trips() == 0) {
    std::this_thread::yield();
  }
  proxy.cut_all();
  REQUIRE_FALSE(talking.get().empty());
  REQUIRE(proxy.bytes(TcpProxy::Direction::to_client) == 0);
}

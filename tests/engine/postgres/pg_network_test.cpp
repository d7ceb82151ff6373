#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "engine/postgres/pg_session.h"
#include "tests/conformance/session_conformance.h"
#include "tests/support/pg_cluster.h"
#include "tests/support/tcp_proxy.h"

using drover::engine::Exchange;
using drover::engine::Milliseconds;
using drover::engine::OpenResult;
using drover::engine::Patience;
using drover::engine::SqlError;
using drover::engine::Statement;
using drover::engine::Target;
using drover::engine::postgres::PgSessionFactory;
using drover::test::open_session;
using drover::test::PgCluster;
using drover::test::PgClusterOptions;
using drover::test::run;
using drover::test::shared_cluster;
using drover::test::TcpProxy;
using Origin = SqlError::Origin;

namespace {

Patience within(Milliseconds limit) {
  return {std::chrono::steady_clock::now() + limit, {}};
}

SqlError open_error(const Target& target, const Patience& patience = {}) {
  PgSessionFactory factory;
  const OpenResult opened = factory.open(target, {}, patience);
  REQUIRE(opened.session == nullptr);
  return opened.error.value();
}

/// A cluster that asks for passwords, and has a role that is always full.
const PgCluster& scram_cluster() {
  static const PgCluster cluster({.loopback_auth = PgClusterOptions::LoopbackAuth::scram});
  static const bool made = [] {
    cluster.execute("postgres", "CREATE ROLE crowd LOGIN CONNECTION LIMIT 0 PASSWORD 'x'");
    return true;
  }();
  static_cast<void>(made);
  return cluster;
}

/// A port that takes connections and never answers.
class SilentListener {
 public:
  SilentListener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(bind(fd_, any, size) == 0);
    REQUIRE(listen(fd_, 8) == 0);
    REQUIRE(getsockname(fd_, any, &size) == 0);
    port_ = ntohs(address.sin_port);
  }
  SilentListener(const SilentListener&) = delete;
  SilentListener& operator=(const SilentListener&) = delete;
  ~SilentListener() { close(fd_); }

  std::uint16_t port() const { return port_; }

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

}  // namespace

TEST_CASE("what the server says at the door comes with its SQLSTATE") {
  const PgCluster& cluster = scram_cluster();
  Target target = cluster.loopback_target("postgres");

  SECTION("the right password opens") {
    PgSessionFactory factory;
    REQUIRE(open_session(factory, target)->alive());
  }
  SECTION("a wrong password") {
    target.password = drover::engine::Secret("not it");
    const SqlError error = open_error(target);
    REQUIRE(error.origin == Origin::connection);
    REQUIRE(error.sqlstate == "28P01");
    REQUIRE(error.message == "password authentication failed for user \"postgres\"");
  }
  SECTION("an unknown database") {
    const SqlError error = open_error(cluster.loopback_target("nowhere"));
    REQUIRE(error.sqlstate == "3D000");
    REQUIRE(error.message == "database \"nowhere\" does not exist");
  }
  SECTION("no room") {
    target.connection += " user=crowd";
    target.password = drover::engine::Secret("x");
    const SqlError error = open_error(target);
    REQUIRE(error.sqlstate == "53300");
    REQUIRE(error.message == "too many connections for role \"crowd\"");
  }
}

TEST_CASE("a server that is not there is a connection error without a state") {
  const TcpProxy proxy(1);  // nobody listens behind it: it hangs up
  const SqlError error =
      open_error(shared_cluster().loopback_target("postgres", "public", proxy.port()));
  REQUIRE(error.origin == Origin::connection);
  REQUIRE(error.sqlstate.empty());
  REQUIRE_THAT(error.message, Catch::Contains("server closed the connection unexpectedly"));
  REQUIRE_THAT(error.hint, Catch::StartsWith("This probably means the server terminated"));
}

TEST_CASE("connecting keeps to the deadline and the stop") {
  const SilentListener listener;
  const Target target = shared_cluster().loopback_target("postgres", "public", listener.port());
  const SqlError late = open_error(target, within(Milliseconds(50)));
  REQUIRE(late.origin == Origin::deadline);
  REQUIRE(late.message == "the deadline passed during connecting");

  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  const SqlError stopped =
      open_error(target, {drover::engine::SteadyTime::max(), stop.get_token()});
  REQUIRE(stopped.origin == Origin::stopped);
  REQUIRE(stopped.message == "stopped during connecting");
}

TEST_CASE("three hundred statements cost one round trip") {
  TcpProxy proxy(shared_cluster().port());
  proxy.delay(Milliseconds(10));  // so that answers arrive after the whole message has gone
  PgSessionFactory factory;
  const auto session =
      open_session(factory, shared_cluster().loopback_target("postgres", "public", proxy.port()));
  REQUIRE(proxy.round_trips() == 1);  // trust: the start-up packet, and the server is ready
  const std::vector<Statement> message(300, Statement{"SELECT $1::int", {"7"}});
  REQUIRE(session->exchange(message, {}).results.size() == 300);
  REQUIRE(proxy.round_trips() == 2);
  REQUIRE(run(*session, "SELECT 1").ok());
  REQUIRE(proxy.round_trips() == 3);
}

TEST_CASE("one-byte packets change nothing") {
  TcpProxy proxy(shared_cluster().port());
  proxy.slice();
  PgSessionFactory factory;
  const auto session =
      open_session(factory, shared_cluster().loopback_target("postgres", "public", proxy.port()));
  const std::vector<Statement> message(20, Statement{"SELECT $1::text", {"some text"}});
  const Exchange exchange = session->exchange(message, {});
  REQUIRE(exchange.results.size() == 20);
  REQUIRE(exchange.results.back().rows.front().front() == "some text");
}

TEST_CASE("a black hole ends at the deadline") {
  TcpProxy proxy(shared_cluster().port());
  PgSessionFactory factory;
  const auto session =
      open_session(factory, shared_cluster().loopback_target("postgres", "public", proxy.port()));
  proxy.swallow(TcpProxy::Direction::to_client);
  const auto start = std::chrono::steady_clock::now();
  const Statement statement{"SELECT 1"};
  const Exchange exchange = session->exchange({&statement, 1}, within(Milliseconds(50)));
  REQUIRE(exchange.error->origin == Origin::deadline);
  REQUIRE_FALSE(session->alive());
  REQUIRE(std::chrono::steady_clock::now() - start < Milliseconds(4000));
}

TEST_CASE("a connection cut at any byte of the answer is a lost connection") {
  TcpProxy proxy(shared_cluster().port());
  PgSessionFactory factory;
  const Target target = shared_cluster().loopback_target("postgres", "public", proxy.port());
  const std::vector<Statement> message = {{"BEGIN"}, {"SELECT 'abc'"}, {"COMMIT"}};
  std::uint64_t length = 1;
  for (std::uint64_t cut = 0; cut < length; ++cut) {
    const auto session = open_session(factory, target);
    const std::uint64_t before = proxy.bytes(TcpProxy::Direction::to_client);
    if (cut == 0) {
      REQUIRE(session->exchange(message, {}).ok());
      length = proxy.bytes(TcpProxy::Direction::to_client) - before;
      REQUIRE(length > 50);
    }
    proxy.cut_after(TcpProxy::Direction::to_client, cut);
    const Exchange exchange = session->exchange(message, {});
    proxy.heal();
    INFO("cut after " << cut << " of " << length << " bytes");
    REQUIRE_FALSE(exchange.ok());
    REQUIRE(exchange.error->origin == Origin::connection);
    REQUIRE_FALSE(session->alive());
  }
}

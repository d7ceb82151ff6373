#include "orchestrator/api/credential_sessions.h"

#include <atomic>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "engine/error.h"
#include "engine/postgres/pg_session.h"
#include "tests/support/pg_cluster.h"

using drover::engine::OpenOptions;
using drover::engine::OpenResult;
using drover::engine::Patience;
using drover::engine::Secret;
using drover::engine::SessionFactory;
using drover::engine::Target;
using drover::orchestrator::CredentialSessions;
using drover::orchestrator::Tenant;
using drover::test::PgCluster;
using drover::test::PgClusterOptions;

namespace {

/// Real sessions, counted.
class Counting final : public SessionFactory {
 public:
  OpenResult open(const Target& target,
                  const OpenOptions& options,
                  const Patience& patience) override {
    ++opened;
    OpenResult result = sessions_.open(target, options, patience);
    refused += result.error && result.error->sqlstate == "28P01" ? 1 : 0;
    return result;
  }

  std::atomic<int> opened = 0;
  std::atomic<int> refused = 0;

 private:
  drover::engine::postgres::PgSessionFactory sessions_;
};

PgCluster& guarded_cluster() {
  PgClusterOptions options;
  options.loopback_auth = PgClusterOptions::LoopbackAuth::scram;
  static PgCluster cluster(options);
  return cluster;
}

Tenant tenant_with(const std::string& password) {
  Tenant tenant;
  tenant.id = {"acme"};
  tenant.target = guarded_cluster().loopback_target("postgres");
  tenant.target.password = Secret(password);
  return tenant;
}

/// Opens from many threads at once; how many got a session.
int open_many(CredentialSessions& sessions, const Target& target) {
  std::atomic<int> got = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] { got += sessions.open(target, {}, {}).session ? 1 : 0; });
  }
  threads.clear();
  return got;
}

}  // namespace

TEST_CASE("a stale password costs one attempt, and the one read again serves all") {
  Counting behind;
  std::atomic<int> reads = 0;
  CredentialSessions sessions(behind, [&] {
    ++reads;
    return std::vector<Tenant>{tenant_with(PgCluster::kPassword)};
  });
  CHECK(open_many(sessions, tenant_with("of yesterday").target) == 16);
  CHECK(behind.refused == 1);
  CHECK(reads == 1);
}

TEST_CASE("a password that stays wrong is tried once, by however many tenants") {
  Counting behind;
  std::atomic<int> reads = 0;
  CredentialSessions sessions(behind, [&] {
    ++reads;
    return std::vector<Tenant>{tenant_with("wrong")};
  });
  CHECK(open_many(sessions, tenant_with("wrong").target) == 0);
  CHECK(behind.opened == 1);
  CHECK(reads == 1);
  const OpenResult later = sessions.open(tenant_with("wrong").target, {}, {});
  REQUIRE(later.error);
  CHECK(later.error->sqlstate == "28P01");
  CHECK(behind.opened == 1);
}

TEST_CASE("two wrong passwords are the end of it") {
  Counting behind;
  std::atomic<int> reads = 0;
  CredentialSessions sessions(
      behind, [&] { return std::vector<Tenant>{tenant_with("wrong " + std::to_string(++reads))}; });
  CHECK(open_many(sessions, tenant_with("wrong").target) == 0);
  CHECK(behind.refused == 2);
}

TEST_CASE("a password that changes while sessions are being opened is read again") {
  Counting behind;
  std::string secret = "first";
  guarded_cluster().execute("postgres", "CREATE ROLE rotated LOGIN PASSWORD 'first'");
  const auto rotated = [&] {
    Tenant tenant = tenant_with(secret);
    std::string& connection = tenant.target.connection;
    connection.replace(connection.find("postgres", connection.find("user=")), 8, "rotated");
    return tenant;
  };
  CredentialSessions sessions(behind, [&] { return std::vector<Tenant>{rotated()}; });
  const Target target = rotated().target;
  CHECK(sessions.open(target, {}, {}).session);
  guarded_cluster().execute("postgres", "ALTER ROLE rotated PASSWORD 'second'");
  secret = "second";
  CHECK(sessions.open(target, {}, {}).session);
  CHECK(sessions.open(target, {}, {}).session);
  CHECK(behind.refused == 1);
}

TEST_CASE("what cannot be read again leaves the server's answer") {
  Counting behind;
  CredentialSessions sessions(behind, []() -> std::vector<Tenant> {
    throw drover::Error(drover::ErrorCode::usage, "gone", "the file is gone", "Look for it.");
  });
  const OpenResult refused = sessions.open(tenant_with("wrong").target, {}, {});
  REQUIRE(refused.error);
  CHECK(refused.error->sqlstate == "28P01");
}

TEST_CASE("a server that is away says nothing about the password") {
  Counting behind;
  CredentialSessions sessions(behind, [] { return std::vector<Tenant>{}; });
  Target away = tenant_with(PgCluster::kPassword).target;
  const std::string port = std::to_string(guarded_cluster().port());
  away.connection.replace(away.connection.find(port), port.size(), "1");
  CHECK_FALSE(sessions.open(away, {}, {}).session);
  CHECK(sessions.open(tenant_with(PgCluster::kPassword).target, {}, {}).session);
}

#include "orchestrator/api/fleet_locks.h"

#include <catch2/catch.hpp>

#include "tests/support/fake_clock.h"
#include "tests/support/fake_session.h"

namespace drover::orchestrator {
namespace {

using test::FakeAnswer;
using test::FakeTables;
using Row = std::vector<engine::SqlValue>;

constexpr const char* kAsk = "SELECT k.key";
constexpr const char* kEnd = "SELECT pg_catalog.pg_terminate_backend";

const engine::BackendId kLeft{17, "2026-11-22T22:14:03.123456Z"};
const engine::BackendId kOther{18, "2026-11-22T22:15:00.000000Z"};

Tenant schema_of(const std::string& database, const std::string& schema) {
  Tenant tenant;
  tenant.id = {database + "." + schema};
  tenant.target.dialect = engine::Dialect::postgres;
  tenant.target.connection = "host=db1 dbname=" + database;
  tenant.target.server = "db1:5432";
  tenant.target.database = database;
  tenant.target.schema = schema;
  return tenant;
}

Tenant file_called(const std::string& name) {
  Tenant tenant;
  tenant.id = {name};
  tenant.target.dialect = engine::Dialect::sqlite;
  tenant.target.database = name;
  return tenant;
}

Row row_of(const Tenant& tenant, const engine::BackendId& id) {
  const auto key = engine::tenant_lock_key(tenant.target.database, tenant.target.schema);
  return {std::to_string(key),
          std::to_string(id.pid),
          id.start,
          "drover",
          "app",
          "local",
          "idle",
          "60",
          "50"};
}

/// A server, and a fleet's means of asking it.
struct Desk {
  FleetLocksRequest request() { return {sessions, clock, {}, {}}; }

  /// The message of the error that a release of `kLeft` ends with.
  std::string error_of_release() {
    try {
      release_lock(request(), acme, kLeft, {});
    } catch (const Error& error) {
      kind = error.kind_name();
      return error.what();
    }
    return "none";
  }

  Tenant acme = schema_of("app", "acme");
  test::FakeServer server;
  test::FakeSessionFactory sessions{server};
  test::FakeClock clock{std::chrono::steady_clock::now() + std::chrono::hours(1)};
  std::string kind;
};

}  // namespace

TEST_CASE("the tenants of one database are asked together, and files not at all", "[locks]") {
  Desk desk;
  std::vector<Tenant> fleet{file_called("f")};
  for (int i = 0; i < 600; ++i) {
    fleet.push_back(schema_of("one", "s" + std::to_string(i)));
    fleet.push_back(schema_of("two", "s" + std::to_string(i)));
  }
  const Tenant& held = fleet[5];
  desk.server.on(kAsk, [&](FakeTables&, const engine::Statement& statement) {
    const Row row = row_of(held, kLeft);
    const bool asked = statement.params[0]->find(*row[0]) != std::string::npos;
    return FakeAnswer::rows(asked ? std::vector<Row>{row} : std::vector<Row>());
  });
  const FleetLocks locks = read_fleet_locks(desk.request(), fleet, {});
  CHECK(locks.asked == 1200);
  CHECK(locks.unread.empty());
  REQUIRE(locks.held.size() == 1);
  CHECK(locks.held[0].tenant == held.id);
  CHECK(locks.held[0].server == "db1:5432");
  CHECK(locks.held[0].holder.id == kLeft);
  CHECK(locks.held[0].holder.session_age == std::chrono::seconds(60));
  CHECK(desk.server.connections() == 2);
  CHECK(desk.server.exchanges() == 2);
}

TEST_CASE("a database that cannot be asked is told once for all its tenants", "[locks]") {
  Desk desk;
  desk.server.on(kAsk, FakeAnswer::error("42501", "permission denied for view pg_locks"));
  const std::vector<Tenant> fleet{schema_of("app", "a"), schema_of("app", "b")};
  const FleetLocks locks = read_fleet_locks(desk.request(), fleet, {});
  CHECK(locks.held.empty());
  REQUIRE(locks.unread.size() == 1);
  CHECK(locks.unread[0].tenants == std::vector<TenantId>{{"app.a"}, {"app.b"}});
  CHECK(locks.unread[0].fault.kind == "permission_denied");
}

TEST_CASE("a release waits until the session that it has ended is gone", "[locks]") {
  Desk desk;
  desk.server.on(kEnd, FakeAnswer::rows({{"t"}}));
  desk.server.on(kAsk, FakeAnswer::rows({}));
  desk.server.on_next(kAsk, FakeAnswer::rows({row_of(desk.acme, kLeft)}), 3);
  CHECK(release_lock(desk.request(), desk.acme, kLeft, {}) == Release::freed);
  CHECK(desk.clock.waits().size() == 3);
}

TEST_CASE("a lock that a runner takes at once has been released all the same", "[locks]") {
  Desk desk;
  desk.server.on(kEnd, FakeAnswer::rows({{"t"}}));
  desk.server.on(kAsk, FakeAnswer::rows({row_of(desk.acme, kOther)}));
  CHECK(release_lock(desk.request(), desk.acme, kLeft, {}) == Release::taken);
}

TEST_CASE("a session that was told to end and does not is told after a few seconds", "[locks]") {
  Desk desk;
  desk.server.on(kEnd, FakeAnswer::rows({{"t"}}));
  desk.server.on(kAsk, FakeAnswer::rows({row_of(desk.acme, kLeft)}));
  CHECK(desk.error_of_release() ==
        "the session 17@2026-11-22T22:14:03.123456Z was told to end, and still holds the lock of "
        "tenant 'app.acme' after 5000 ms");
  CHECK(desk.kind == "lock_not_released");
  CHECK(desk.clock.waits().size() == 100);
}

TEST_CASE("a holder that changed between two looks is not ended", "[locks]") {
  Desk desk;
  desk.server.on(kEnd, FakeAnswer::rows({}));
  desk.server.on(kAsk, FakeAnswer::rows({row_of(desk.acme, kOther)}));
  CHECK(desk.error_of_release() ==
        "the lock of tenant 'app.acme' is held by 18@2026-11-22T22:15:00.000000Z (application "
        "drover, user app) now, not by 17@2026-11-22T22:14:03.123456Z");
  CHECK(desk.kind == "lock_changed");
  desk.server.on(kAsk, FakeAnswer::rows({}));
  CHECK(release_lock(desk.request(), desk.acme, kLeft, {}) == Release::not_needed);
  CHECK(desk.clock.waits().empty());
}

TEST_CASE("a holder that had let go of the lock for a moment is ended at the second look",
          "[locks]") {
  Desk desk;
  desk.server.on(kEnd, FakeAnswer::rows({{"t"}}));
  desk.server.on_next(kEnd, FakeAnswer::rows({}));
  desk.server.on(kAsk, FakeAnswer::rows({}));
  desk.server.on_next(kAsk, FakeAnswer::rows({row_of(desk.acme, kLeft)}));
  CHECK(release_lock(desk.request(), desk.acme, kLeft, {}) == Release::freed);
}

TEST_CASE("a server that cannot be reached is told with the tenant's name", "[locks]") {
  Desk desk;
  engine::SqlError error;
  error.origin = engine::SqlError::Origin::connection;
  error.message = "no route to host";
  desk.server.refuse_next(error);
  CHECK(desk.error_of_release() == "tenant 'app.acme': connecting failed: no route to host");
  CHECK(desk.kind == "connection_lost");
}

}  // namespace drover::orchestrator

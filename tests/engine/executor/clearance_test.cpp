// ApplyObserver::before_change: the caller's word before the first change.

#include <catch2/catch.hpp>

#include "engine/history.h"
#include "tests/engine/executor/rig.h"

namespace drover::engine::test {
namespace {

/// Three revisions of which the middle one cannot be in a transaction.
MigrationSet three_revisions() {
  return line_of({up_down("CREATE TABLE log (i int)", "DROP TABLE log"),
                  "-- drover: up no-transaction\nCREATE INDEX CONCURRENTLY by_i ON log (i);\n"
                  "-- drover: down no-transaction\nDROP INDEX CONCURRENTLY by_i;\n",
                  up_down("INSERT INTO log VALUES (1)", "DELETE FROM log")});
}

TenantFault no_backup() {
  TenantFault fault;
  fault.kind = "backup_failed";
  fault.message = "no backup could be made";
  fault.hint = "Look at the disk.";
  return fault;
}

TEST_CASE("who may not change a tenant writes nothing to it, not even Drover's tables") {
  const PgTenant tenant;
  Rig rig;
  rig.observer.before_change = [](const History&, const Patience&) { return no_backup(); };
  const ApplyOutcome outcome = rig.up(tenant.target(), three_revisions());
  CHECK(outcome.kind == Kind::failed);
  REQUIRE(outcome.fault);
  CHECK(outcome.fault->kind == "backup_failed");
  CHECK(outcome.done.empty());
  CHECK_FALSE(tenant.has_table("drover_tenant"));
  CHECK_FALSE(tenant.has_table("log"));
}

TEST_CASE("the failure of a clearance is not written to the tenant's own log") {
  const PgTenant tenant;
  Rig rig;
  REQUIRE(rig.up(tenant.target(), three_revisions(), "0001").kind == Kind::applied);
  const std::string before = tenant.value("SELECT epoch FROM drover_tenant");
  const std::string events = tenant.value("SELECT count(*) FROM drover_events");
  rig.observer.before_change = [](const History&, const Patience&) { return no_backup(); };
  CHECK(rig.up(tenant.target(), three_revisions()).kind == Kind::failed);
  CHECK(tenant.value("SELECT epoch FROM drover_tenant") == before);
  CHECK(tenant.value("SELECT count(*) FROM drover_events") == events);
}

TEST_CASE("a tenant that is current is not asked about") {
  const PgTenant tenant;
  Rig rig;
  int asked = 0;
  rig.observer.before_change = [&](const History&, const Patience&) {
    ++asked;
    return std::nullopt;
  };
  CHECK(rig.up(tenant.target(), three_revisions()).kind == Kind::applied);
  CHECK(asked == 1);
  CHECK(rig.up(tenant.target(), three_revisions()).kind == Kind::current);
  CHECK(asked == 1);
}

TEST_CASE("the clearance sees the history under the lock, and holds while we alone change it") {
  const PgTenant tenant;
  Rig rig;
  REQUIRE(rig.up(tenant.target(), three_revisions(), "0001").kind == Kind::applied);
  std::vector<std::string> seen;
  rig.observer.before_change = [&](const History& history, const Patience&) {
    for (const AppliedRevision& row : history.applied) {
      seen.push_back(row.id.value);
    }
    const std::string held = cluster().value(
        kDatabase, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted");
    CHECK(held != "0");
    return std::nullopt;
  };
  CHECK(rig.up(tenant.target(), three_revisions()).kind == Kind::applied);
  CHECK(seen == std::vector<std::string>{"0001"});
}

TEST_CASE("a tenant that somebody else changes during the backup is cleared again") {
  const PgTenant tenant;
  Rig rig;
  REQUIRE(rig.up(tenant.target(), three_revisions(), "0001").kind == Kind::applied);
  int asked = 0;
  rig.observer.before_change = [&](const History&, const Patience&) {
    if (++asked == 1) {  // as if our lock had been lost with its session
      tenant.sql("UPDATE drover_tenant SET epoch = epoch + 1");
    }
    return std::nullopt;
  };
  CHECK(rig.up(tenant.target(), three_revisions()).kind == Kind::applied);
  CHECK(asked == 2);
}

}  // namespace
}  // namespace drover::engine::test

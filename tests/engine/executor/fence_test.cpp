// The fence, and the lock in front of it.

#include <catch2/catch.hpp>

#include <future>
#include <set>

#include "engine/history.h"
#include "engine/tenant_lock.h"
#include "tests/engine/executor/rig.h"

namespace drover::engine::test {
namespace {

MigrationSet two_revisions() {
  return line_of(
      {up_down("SELECT 1"), up_down("INSERT INTO log VALUES (1)", "INSERT INTO log VALUES (-1)")});
}

/// The same tenant under another lock, as if the lock did not work.
Target unlocked(Target target, const std::string& name) {
  target.database = name;
  return target;
}

TEST_CASE("the second of two runners waits at the fence, and then loses") {
  const PgTenant tenant;
  Rig rig;
  REQUIRE(rig.up(tenant.target(), line_of({up_down("SELECT 1")})).kind == Kind::applied);
  const HistoryTables tables(Dialect::postgres, tenant.schema());
  const std::int64_t epoch = std::stoll(tenant.value("SELECT epoch FROM drover_tenant"));

  Other first(tenant.target());
  Other second(tenant.target());
  REQUIRE(first.send({{"BEGIN"}, tables.fence(epoch, "")}).ok());
  auto losing = std::async(std::launch::async, [&] {
    return second.send({{"BEGIN"}, tables.fence(epoch, "")});
  });
  REQUIRE(eventually([&] {
    return cluster().value(kDatabase,
                           fmt::format("SELECT cardinality(pg_blocking_pids({}))", second.pid())) ==
           "1";
  }));
  REQUIRE(first.send({{"COMMIT"}}).ok());
  const Exchange lost = losing.get();
  REQUIRE(lost.error);
  CHECK(lost.results.size() == 1);
  CHECK(lost.error->sqlstate == "22012");
}

TEST_CASE("a tenant whose row is missing is not changed") {
  const PgTenant tenant;
  Rig rig;
  REQUIRE(rig.up(tenant.target(), two_revisions(), "0001").kind == Kind::applied);
  tenant.sql("CREATE TABLE log (i int); DELETE FROM drover_tenant");
  const ApplyOutcome outcome = rig.up(tenant.target(), two_revisions());
  CHECK(outcome.kind == Kind::failed);
  CHECK(tenant.value("SELECT count(*) FROM log") == "0");
}

TEST_CASE("a runner that loses at the fence reads again and plans again") {
  const PgTenant tenant;
  tenant.sql("CREATE TABLE log (i int)");
  Rig rig;
  const MigrationSet set = two_revisions();
  REQUIRE(rig.up(tenant.target(), set, "0001").kind == Kind::applied);
  // Between our plan and our message somebody else, whom the lock does not stop, is quicker.
  Rig other;
  other.options.by.run = "run-2";
  rig.options.lock_attempts = 1;
  bool done = false;
  struct Meddler final : BlockerWatch {
    std::function<void()> meddle;
    void begin(const Target&, std::int64_t) override { meddle(); }
    std::optional<Blocker> end(const Target&, std::int64_t) override { return std::nullopt; }
  } meddler;
  meddler.meddle = [&] {
    if (!done) {
      done = true;
      REQUIRE(other.up(unlocked(tenant.target(), "elsewhere"), set).kind == Kind::applied);
    }
  };
  rig.watch = &meddler;
  const ApplyOutcome outcome = rig.up(tenant.target(), set);
  CHECK(told(outcome) == "applied");
  CHECK(tenant.value("SELECT count(*) FROM log") == "1");
  CHECK(tenant.value("SELECT run FROM drover_revisions WHERE revision = '0002'") == "run-2");
}

TEST_CASE("an upgrade and a downgrade that race never both have their way") {
  const PgTenant tenant;
  tenant.sql("CREATE TABLE log (i int)");
  const MigrationSet set = two_revisions();
  for (int round = 0; round < 60; ++round) {
    const auto runner = [&](const char* name, Goal goal) {
      Rig rig;
      rig.options.by.run = fmt::format("{}-{}", name, round);
      return rig.apply(unlocked(tenant.target(), name), set, goal);
    };
    auto up = std::async(std::launch::async, runner, "up", Goal{Direction::up, "0002"});
    auto down = std::async(std::launch::async, runner, "down", Goal{Direction::down, "base"});
    const ApplyOutcome outcomes[] = {up.get(), down.get()};
    INFO(told(outcomes[0]) << " and " << told(outcomes[1]));
    // What was done is what the history says: 0002's effect is there once, or not at all.
    const std::string applied = tenant.value(
        "SELECT coalesce(string_agg(revision, ' ' ORDER BY revision), '') "
        "FROM drover_revisions");
    const std::string effect = tenant.value("SELECT coalesce(sum(i), 0) FROM log");
    CHECK((applied == "" || applied == "0001" || applied == "0001 0002"));
    CHECK(effect == (applied == "0001 0002" ? "1" : "0"));
    CHECK(tenant.value("SELECT count(*) FILTER (WHERE kind = 'up') - count(*) FILTER (WHERE kind = "
                       "'down') FROM drover_events WHERE revision = '0002'") == effect);
  }
}

TEST_CASE("whoever gets the lock sees everything that its last holder committed") {
  const PgTenant tenant;
  Rig rig;
  REQUIRE(rig.up(tenant.target(), two_revisions(), "0001").kind == Kind::applied);
  const HistoryTables tables(Dialect::postgres, tenant.schema());
  const std::int64_t key = tenant_lock_key(kDatabase, tenant.schema());
  std::atomic<int> stale = 0;
  const auto runner = [&] {
    Other session(tenant.target());
    const OwnedStatement contact =
        contact_statement(tenant.schema(), key, session.pid(), TakeLock::yes);
    for (int taken = 0; taken < 150;) {
      Exchange seen = session.send({contact, tables.read()});
      if (!decode_contact(seen.results[0]).locked) {
        continue;
      }
      ++taken;
      const std::int64_t epoch = decode_history(seen.results[1]).tenant.epoch;
      const bool won = session.send({{"BEGIN"}, tables.fence(epoch, ""), {"COMMIT"}}).ok();
      stale += won ? 0 : 1;
      session.send(
          {won ? OwnedStatement{"SELECT 1"} : OwnedStatement{"ROLLBACK"}, unlock_statement(key)});
    }
  };
  auto one = std::async(std::launch::async, runner);
  auto two = std::async(std::launch::async, runner);
  auto three = std::async(std::launch::async, runner);
  one.get();
  two.get();
  three.get();
  CHECK(stale == 0);
  CHECK(std::stoi(tenant.value("SELECT epoch FROM drover_tenant")) == 450 + 1);
}

TEST_CASE("a tenant whose lock is held is busy, and its holder is named") {
  const PgTenant tenant;
  Other holder(tenant.target());
  const std::int64_t key = tenant_lock_key(kDatabase, tenant.schema());
  REQUIRE(holder.run(fmt::format("SELECT pg_advisory_lock({})", key)).empty());
  Rig rig;
  SkippingClock clock;
  rig.clock = &clock;
  rig.options.approach.lock_wait = Milliseconds(10'000);
  const ApplyOutcome outcome = rig.up(tenant.target(), two_revisions());
  CHECK(told(outcome) == fmt::format("failed: another runner holds the tenant's lock: pid {}, "
                                     "other [lock_held]",
                                     holder.pid()));
  CHECK(outcome.fault->code == ErrorCode::busy);
  CHECK(outcome.fault->hint == "Wait until it is done, or see with drover lock show who that is.");
  REQUIRE(outcome.fault->blocker);
  CHECK(outcome.fault->blocker->user == PgCluster::kUser);
  CHECK(outcome.fault->blocker->state == "idle");
  CHECK_FALSE(outcome.fault->blocker->age.empty());
  CHECK_FALSE(tenant.has_table("drover_tenant"));
  // It was polled, at uneven intervals, for ten seconds.
  const auto pauses = clock.pauses();
  CHECK(pauses.size() > 20);
  CHECK(pauses.size() < 200);
  CHECK(std::set<Milliseconds>(pauses.begin(), pauses.end()).size() > 10);
}

TEST_CASE("a tenant that needs nothing is current although its lock is held") {
  const PgTenant tenant;
  Rig rig;
  const MigrationSet set = line_of({up_down("SELECT 1")});
  REQUIRE(rig.up(tenant.target(), set).kind == Kind::applied);
  Other holder(tenant.target());
  holder.run(
      fmt::format("SELECT pg_advisory_lock({})", tenant_lock_key(kDatabase, tenant.schema())));
  CHECK(told(rig.up(tenant.target(), set)) == "current");
}

TEST_CASE("waiting for the lock does not deadlock with CREATE INDEX CONCURRENTLY") {
  const PgTenant tenant;
  tenant.sql("CREATE TABLE a (i int)");
  cluster().execute(kDatabase, "ALTER DATABASE executor SET deadlock_timeout = '20ms'");
  Other reader(cluster().target(kDatabase));  // its snapshot keeps the index from being finished
  reader.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
  reader.run("SELECT 1");
  const MigrationSet set =
      line_of({"-- drover: up postgres no-transaction\nCREATE INDEX CONCURRENTLY a_i ON a (i);\n"
               "-- drover: down\nSELECT 1;\n"});
  Rig builder;
  auto built = std::async(std::launch::async, [&] { return builder.up(tenant.target(), set); });
  REQUIRE(eventually([&] {
    return cluster().value(kDatabase, "SELECT count(*) FROM pg_stat_progress_create_index") == "1";
  }));
  Rig waiter;
  waiter.options.approach.lock_wait = Milliseconds(20'000);
  struct CountingClock final : Clock {
    base::SystemClock real;
    std::atomic<int> waits = 0;
    SteadyTime now() const override { return real.now(); }
    void wait_until(SteadyTime until, const std::stop_token& stop) override {
      ++waits;
      real.wait_until(until, stop);
    }
  } clock;
  waiter.clock = &clock;
  auto waited = std::async(std::launch::async, [&] { return waiter.up(tenant.target(), set); });
  REQUIRE(eventually([&] { return clock.waits > 5; }));  // far longer than deadlock_timeout
  reader.run("ROLLBACK");
  CHECK(told(built.get()) == "applied");
  const ApplyOutcome second = waited.get();
  CHECK(told(second) == "current");  // what it wanted was done meanwhile, by the other
  CHECK(second.done.empty());
  CHECK(tenant.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_i'::regclass") == "t");
  cluster().execute(kDatabase, "ALTER DATABASE executor RESET deadlock_timeout");
}

}  // namespace
}  // namespace drover::engine::test

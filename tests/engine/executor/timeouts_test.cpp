// Locks that others hold, timeouts, and who stands in the way.

#include <catch2/catch.hpp>

#include <future>

#include "engine/postgres/pg_blocker_watch.h"
#include "tests/engine/executor/rig.h"

namespace drover::engine::test {
namespace {

std::string sessions_of_the_watch() {
  return cluster().value(kDatabase,
                         "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'drover "
                         "watch'");
}

/// A table that someone else has locked.
struct Locked {
  Locked() : holder(tenant.target()), watch(rig.sessions) {
    tenant.sql("CREATE TABLE a (i int)");
    holder.run("BEGIN");
    holder.run("LOCK TABLE a");
    rig.watch = &watch;
    rig.clock = &clock;
    rig.options.approach.lock_timeout = Milliseconds(600);
  }

  PgTenant tenant;
  Other holder;
  Rig rig;
  SkippingClock clock;
  postgres::PgBlockerWatch watch;
  MigrationSet set = line_of({up_down("ALTER TABLE a ADD COLUMN j int")});
};

TEST_CASE("a lock that does not come is waited for again, and then the holder is named") {
  Locked locked;
  locked.rig.options.lock_attempts = 3;
  int retries = 0;
  locked.rig.observer.on_retry = [&](const TenantFault&) { ++retries; };
  const ApplyOutcome outcome = locked.rig.up(locked.tenant.target(), locked.set);
  CHECK(told(outcome) ==
        "failed: migrations/0001_test.sql:3:1: revision '0001' failed: canceling statement due to "
        "lock timeout [lock_timeout]");
  CHECK(outcome.attempts == 3);
  CHECK(retries == 2);
  CHECK(outcome.fault->fault_class == FaultClass::transient);
  REQUIRE(outcome.fault->blocker);
  const Blocker& blocker = *outcome.fault->blocker;
  CHECK(blocker.pid == locked.holder.pid());
  CHECK(blocker.application == "other");
  CHECK(blocker.user == PgCluster::kUser);
  CHECK(blocker.state == "idle in transaction");
  CHECK(blocker.age.starts_with("00:00:"));

  const auto pauses = locked.clock.pauses();
  REQUIRE(pauses.size() == 2);
  CHECK((pauses[0] >= Milliseconds(200) && pauses[0] <= Milliseconds(300)));
  CHECK((pauses[1] >= Milliseconds(400) && pauses[1] <= Milliseconds(600)));
  CHECK(eventually([] { return sessions_of_the_watch() == "0"; }));  // lives only while needed
}

TEST_CASE("a lock that comes in time costs a retry") {
  Locked locked;
  locked.clock.on_wait = [&](int) { locked.holder.run("ROLLBACK"); };
  const ApplyOutcome outcome = locked.rig.up(locked.tenant.target(), locked.set);
  CHECK(told(outcome) == "applied");
  CHECK(outcome.attempts == 2);
  CHECK(locked.tenant.value("SELECT count(*) FROM drover_events WHERE kind = 'failure'") == "0");
}

TEST_CASE("what a role may not see of a blocker is left empty") {
  cluster().execute(kDatabase,
                    "DO $$BEGIN CREATE ROLE executor_plain LOGIN; EXCEPTION WHEN duplicate_object "
                    "THEN NULL; END$$");
  Locked locked;
  const std::string& schema = locked.tenant.schema();
  Target target = locked.tenant.target();
  target.connection += " user=executor_plain";
  Other owner(cluster().target(kDatabase));
  owner.run(fmt::format("GRANT ALL ON SCHEMA {} TO executor_plain", schema));
  locked.holder.run("ROLLBACK");
  locked.tenant.sql("ALTER TABLE a OWNER TO executor_plain");
  locked.holder.run("BEGIN");
  locked.holder.run("LOCK TABLE a");
  locked.rig.options.lock_attempts = 1;
  const ApplyOutcome outcome = locked.rig.up(target, locked.set);
  REQUIRE(outcome.fault);
  CHECK(outcome.fault->kind == "lock_timeout");
  REQUIRE(outcome.fault->blocker);
  CHECK(outcome.fault->blocker->pid == locked.holder.pid());
  CHECK(outcome.fault->blocker->user == PgCluster::kUser);
  CHECK(outcome.fault->blocker->state.empty());
  CHECK(outcome.fault->blocker->age.empty());
}

TEST_CASE("one watch serves statements of many sessions, and forgets what was quick") {
  Sessions sessions;
  postgres::PgBlockerWatch watch(sessions);
  const Target target = cluster().target(kDatabase);
  Other holder(target);
  holder.run("BEGIN");
  holder.run("SELECT pg_advisory_xact_lock(815)");
  Other first(target);
  Other second(target);
  const auto wait = [&](Other& other) {
    watch.begin(target, other.pid());
    other.run("SET lock_timeout = '700ms'");
    other.run("SELECT pg_advisory_xact_lock(815)");
    return watch.end(target, other.pid());
  };
  auto one = std::async(std::launch::async, wait, std::ref(first));
  auto two = std::async(std::launch::async, wait, std::ref(second));
  for (int quick = 0; quick < 100; ++quick) {
    watch.begin(target, 1'000'000 + quick);
    CHECK(watch.end(target, 1'000'000 + quick) == std::nullopt);
  }
  const auto a = one.get();
  const auto b = two.get();
  REQUIRE(a);
  REQUIRE(b);
  CHECK(a->pid == holder.pid());
  CHECK((b->pid == holder.pid() || b->pid == first.pid()));
  CHECK(sessions.opened == 1);
  CHECK(watch.end(target, first.pid()) == std::nullopt);
}

TEST_CASE("a watch without a server to ask sees nothing and holds nobody up") {
  Sessions sessions;
  postgres::PgBlockerWatch watch(sessions);
  Target target = cluster().target(kDatabase);
  target.connection = "host=/nowhere dbname=none";
  watch.begin(target, 7);
  REQUIRE(eventually([&] { return sessions.opened > 0; }));
  CHECK(watch.end(target, 7) == std::nullopt);
}

TEST_CASE("a statement that takes too long is tried twice") {
  const PgTenant tenant;
  Rig rig;
  rig.options.approach.statement_timeout = Milliseconds(80);
  const ApplyOutcome outcome = rig.up(tenant.target(), line_of({up_down("SELECT pg_sleep(20)")}));
  CHECK(told(outcome) ==
        "failed: migrations/0001_test.sql:3:1: revision '0001' failed: canceling statement due to "
        "statement timeout [statement_timeout]");
  CHECK(outcome.attempts == 2);
}

TEST_CASE("a file may take the time that its header asks for") {
  const PgTenant tenant;
  Rig rig;
  rig.options.approach.statement_timeout = Milliseconds(80);
  const MigrationSet set =
      line_of({"-- drover: set statement_timeout=1min\n" + up_down("SELECT pg_sleep(0.3)"),
               "-- drover: set statement_timeout=1min\n-- drover: up postgres no-transaction\n"
               "SELECT pg_sleep(0.3);\n-- drover: down\nSELECT 1;\n"});
  CHECK(told(rig.up(tenant.target(), set)) == "applied");
}

TEST_CASE("a validation has no timeout, and what follows it has one again") {
  const PgTenant tenant;
  tenant.sql(
      "CREATE TABLE a (i int); INSERT INTO a VALUES (1); "
      "CREATE FUNCTION slow(int) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN PERFORM "
      "pg_sleep(0.3); RETURN true; END$$; "
      "ALTER TABLE a ADD CONSTRAINT slowly CHECK (slow(i)) NOT VALID");
  Rig rig;
  rig.options.approach.statement_timeout = Milliseconds(80);
  rig.options.approach.lock_timeout = Milliseconds(1500);
  CHECK(told(rig.up(tenant.target(),
                    line_of({up_down("ALTER TABLE a VALIDATE CONSTRAINT slowly;\n"
                                     "CREATE TABLE seen AS SELECT current_setting('lock_timeout') "
                                     "|| current_setting('statement_timeout') AS s")}))) ==
        "applied");
  CHECK(tenant.value("SELECT s FROM seen") == "1500ms80ms");
  CHECK(tenant.value("SELECT convalidated FROM pg_constraint WHERE conname = 'slowly' AND "
                     "connamespace = current_schema()::regnamespace") == "t");
}

TEST_CASE("an index is built to its end although a snapshot elsewhere outlasts every timeout") {
  const PgTenant tenant;
  tenant.sql("CREATE TABLE a (i int)");
  Other reader(cluster().target(kDatabase));
  reader.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
  reader.run("SELECT 1");
  Rig rig;
  rig.options.approach.lock_timeout = Milliseconds(50);
  rig.options.approach.statement_timeout = Milliseconds(50);
  auto built = std::async(std::launch::async, [&] {
    return rig.up(
        tenant.target(),
        line_of({"-- drover: up postgres no-transaction\nCREATE INDEX CONCURRENTLY a_i ON "
                 "a (i);\nCREATE TABLE seen AS SELECT current_setting('lock_timeout') AS "
                 "s;\n-- drover: down\nSELECT 1;\n"}));
  });
  REQUIRE(eventually([&] {  // far longer than the timeouts
    return cluster().value(
               kDatabase,
               "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'drover' "
               "AND wait_event_type = 'Lock' AND clock_timestamp() - query_start > "
               "interval '300ms'") == "1";
  }));
  reader.run("ROLLBACK");
  const ApplyOutcome outcome = built.get();
  CHECK(told(outcome) == "applied");
  CHECK(outcome.attempts == 1);
  CHECK(
      tenant.value("SELECT count(*) || ' ' || bool_and(indisvalid) FROM pg_index WHERE indrelid = "
                   "'a'::regclass") == "1 true");
  CHECK(tenant.value("SELECT s FROM seen") == "50ms");
}

TEST_CASE("our own deadline ends an index build, and leaves no INVALID index") {
  const PgTenant tenant;
  tenant.sql("CREATE TABLE a (i int)");
  Other reader(cluster().target(kDatabase));
  reader.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
  reader.run("SELECT 1");
  Rig rig;
  rig.options.concurrent_timeout = Milliseconds(300);
  rig.options.timeout_attempts = 1;
  rig.observer.on_retry = [&](const TenantFault&) { reader.run("ROLLBACK"); };
  const MigrationSet set =
      line_of({"-- drover: up postgres no-transaction\nCREATE INDEX CONCURRENTLY a_i ON a (i);\n"
               "-- drover: down\nSELECT 1;\n"});
  const ApplyOutcome outcome = rig.up(tenant.target(), set);
  CHECK(outcome.kind == Kind::partial);
  CHECK(outcome.fault->kind == "deadline_exceeded");
  CHECK(told(rig.up(tenant.target(), set)) == "applied");  // what it left is cleared away now
  CHECK(
      tenant.value("SELECT count(*) || ' ' || bool_and(indisvalid) FROM pg_index WHERE indrelid = "
                   "'a'::regclass") == "1 true");
}

TEST_CASE("an index that cannot be built leaves nothing behind") {
  const PgTenant tenant;
  tenant.sql("CREATE TABLE a (i int); INSERT INTO a VALUES (1), (1)");
  Rig rig;
  const ApplyOutcome outcome =
      rig.up(tenant.target(),
             line_of({"-- drover: up postgres no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY a_i "
                      "ON a (i);\n-- drover: down\nSELECT 1;\n"}));
  CHECK(told(outcome) ==
        "failed: migrations/0001_test.sql:3:1: revision '0001' failed: could not create unique "
        "index \"a_i\" [constraint_violated]");
  CHECK(tenant.value("SELECT count(*) FROM pg_index WHERE indrelid = 'a'::regclass") == "0");
  CHECK(tenant.value("SELECT count(*) FROM drover_steps") == "0");
  CHECK(tenant.value("SELECT in_progress FROM drover_tenant").empty());
}

TEST_CASE("slow statements pass a gate, one at a time and not when time is over") {
  struct OneGate final : DdlGate {
    struct Place final : Pass {
      explicit Place(OneGate& owner) : gate(owner) { ++gate.inside; }
      ~Place() override { --gate.inside; }
      OneGate& gate;
    };
    std::unique_ptr<Pass> enter(const Target&, const Patience&) override {
      ++asked;
      return open ? std::make_unique<Place>(*this) : nullptr;
    }
    int asked = 0;
    int inside = 0;
    bool open = true;
  } gate;
  const PgTenant tenant;
  tenant.sql("CREATE TABLE a (i int)");
  Rig rig;
  const MigrationSet set =
      line_of({"-- drover: up postgres no-transaction\nCREATE INDEX CONCURRENTLY a_i ON a (i);\n"
               "SELECT 1;\nVACUUM a;\n-- drover: down\nSELECT 1;\n"});
  std::stop_source source;
  rig.patience.stop = source.get_token();
  struct Closing final : BlockerWatch {
    OneGate& gate;
    std::stop_source& source;
    int most = 0;
    Closing(OneGate& g, std::stop_source& s) : gate(g), source(s) {}
    void begin(const Target&, std::int64_t) override { most = std::max(most, gate.inside); }
    std::optional<Blocker> end(const Target&, std::int64_t) override {
      gate.open = gate.asked == 0;  // nobody gets in after the index
      return std::nullopt;
    }
  } closing(gate, source);
  rig.watch = &closing;
  const Executor executor(rig.sessions, *rig.clock, set, rig.options, *rig.watch, gate);
  const ApplyOutcome outcome =
      executor.apply(tenant.target(), rig.facts, {}, rig.patience, nullptr, {});
  CHECK(outcome.kind == Kind::partial);
  CHECK(gate.asked == 2);
  CHECK(gate.inside == 0);
  CHECK(closing.most == 1);
  CHECK(tenant.value("SELECT string_agg(statement || state, ' ' ORDER BY statement) FROM "
                     "drover_steps") == "1done 2done");  // the third was never started
}

}  // namespace
}  // namespace drover::engine::test

// Sessions that are lost while a commit may be under way: never a double, never a false failure.

#include <catch2/catch.hpp>

#include <algorithm>
#include <future>
#include <random>

#include "engine/tenant_lock.h"
#include "tests/engine/executor/rig.h"

namespace drover::engine::test {
namespace {

using Way = TcpProxy::Direction;

/// 0001 makes a table; each of the others writes its number into it.
MigrationSet numbered(int count) {
  std::vector<std::string> bodies{up_down("CREATE TABLE log (i int)", "DROP TABLE log")};
  for (int i = 2; i <= count; ++i) {
    bodies.push_back(up_down(fmt::format("INSERT INTO log VALUES ({})", i)));
  }
  return line_of(bodies);
}

std::string id_of(int number) {
  return fmt::format("{:04}", number);
}

constexpr const char* kOnce =
    "SELECT count(*) || ' ' || count(DISTINCT i) || ' ' || max(i) FROM {}.log";

/// Every number from 2 to `last` once.
bool each_once(const PgTenant& tenant, int last) {
  return tenant.value(fmt::format(fmt::runtime(kOnce), tenant.schema())) ==
         fmt::format("{0} {0} {1}", last - 1, last);
}

TEST_CASE("a connection that breaks at any byte around a COMMIT does no harm") {
  const Way way = GENERATE(Way::to_server, Way::to_client);
  constexpr int kLast = 50;
  const PgTenant tenant;
  const MigrationSet set = numbered(kLast);
  Rig rig;
  TcpProxy proxy(cluster().port());
  const Target target = tenant.through(proxy);
  Other watcher(cluster().target(kDatabase));
  const auto quiet = [&] {  // the last session is gone, so that the lock costs no bytes
    REQUIRE(eventually([&] {
      return watcher.run("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "0";
    }));
  };
  const auto bytes_of_up = [&](const std::string& to) {
    quiet();
    const std::uint64_t before = proxy.bytes(way);
    KeptSession kept;
    rig.kept = &kept;
    REQUIRE(rig.up(target, set, to).fault == std::nullopt);
    rig.kept = nullptr;
    return proxy.bytes(way) - before;
  };
  bytes_of_up("0001");
  const std::uint64_t before_message = bytes_of_up("0001");
  const std::uint64_t message = bytes_of_up("0002") - before_message;

  // Evenly over the message, and every byte at its end, where the COMMIT is.
  std::vector<std::uint64_t> cuts;
  constexpr std::uint64_t kEnd = 26;
  constexpr std::uint64_t kEvenly = 20;
  for (std::uint64_t i = 0; i < kEvenly; ++i) {
    cuts.push_back((message - kEnd) * i / kEvenly);
  }
  for (std::uint64_t i = 0; i < kEnd; ++i) {
    cuts.push_back(message - kEnd + i);
  }
  int number = 2;
  int cut_short = 0;
  for (const std::uint64_t cut : cuts) {
    rig.sessions.before_open = nullptr;
    const std::uint64_t greeting = bytes_of_up(id_of(number));  // grows with the history
    const int before = rig.sessions.opened;
    rig.sessions.before_open = [&](int opened) {
      if (opened > before + 1) {
        proxy.heal();
      }
    };
    quiet();
    proxy.cut_after(way, greeting + cut);
    const ApplyOutcome outcome = rig.up(target, set, id_of(++number));
    proxy.heal();
    INFO("cut after " << cut << " of " << message << " bytes");
    CHECK(told(outcome) == "applied");
    CHECK(watcher.run(fmt::format(fmt::runtime(kOnce), tenant.schema())) ==
          fmt::format("{0} {0} {1}", number - 1, number));
    cut_short += outcome.attempts > 1 ? 1 : 0;
  }
  CHECK(cut_short >= 40);
  CHECK(number <= kLast);
}

/// A tenant whose revision 0002 waits for `gate`, which the test holds; and its runner.
struct Waiting {
  Waiting() : gate(cluster().target(kDatabase)) {
    gate.run("SELECT pg_advisory_lock(4711)");
    rig.options.approach.lock_timeout = Milliseconds(60'000);
    rig.clock = &clock;
    rig.options.by.run = "run-of-" + tenant.schema();
  }

  /// Starts the upgrade and returns the backend that waits.
  std::int64_t start() {
    result = std::async(std::launch::async, [this] { return rig.up(tenant.target(), set); });
    std::string pid;
    REQUIRE(eventually([&] {
      pid = cluster().value(kDatabase,
                            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 "
                            "AND NOT granted");
      return !pid.empty();
    }));
    return std::stoll(pid);
  }
  void open_gate() { gate.run("SELECT pg_advisory_unlock(4711)"); }

  PgTenant tenant;
  Other gate;
  SkippingClock clock;
  Rig rig;
  MigrationSet set = line_of({up_down("CREATE TABLE log (i int)"),
                              up_down("SELECT pg_advisory_xact_lock(4711);\nINSERT INTO log "
                                      "VALUES (2)")});
  std::future<ApplyOutcome> result;
};

TEST_CASE("a session that an administrator ends is replaced, and the unit runs again") {
  Waiting waiting;
  std::vector<std::string> retried;
  waiting.rig.observer.on_retry = [&](const TenantFault& fault) {
    retried.push_back(fault.kind + " " + fault.sqlstate);
    waiting.open_gate();
  };
  cluster().terminate_backend(waiting.start());
  const ApplyOutcome outcome = waiting.result.get();
  CHECK(told(outcome) == "applied");
  CHECK(outcome.attempts == 2);
  CHECK(retried == std::vector<std::string>{"session_terminated 57P01"});
  CHECK(each_once(waiting.tenant, 2));
}

TEST_CASE("an orphan that still commits is waited for, and its work is not done twice") {
  Waiting waiting;
  const HistoryTables tables(Dialect::postgres, waiting.tenant.schema());
  const std::int64_t key = tenant_lock_key(kDatabase, waiting.tenant.schema());
  std::optional<Other> orphan;
  waiting.rig.sessions.before_open = [&](int opened) {
    if (opened != 2) {
      return;
    }
    orphan.emplace(waiting.tenant.target());  // has all of our revision but the COMMIT
    REQUIRE(eventually(
        [&] { return orphan->run(fmt::format("SELECT pg_try_advisory_lock({})", key)) == "t"; }));
    waiting.open_gate();
    std::vector<OwnedStatement> work{
        {"BEGIN"}, tables.fence(1, ""), {"INSERT INTO log VALUES (2)"}};
    const auto row = tables.record_up(*waiting.set.find(RevisionId{"0002"}), {"us", "run"}, 2, {});
    work.insert(work.end(), row.begin(), row.end());
    REQUIRE(orphan->send(work).ok());
  };
  waiting.clock.on_wait = [&](int waits) {
    if (waits == 5) {
      REQUIRE(orphan->send({{"COMMIT"}}).ok());
      orphan.reset();
    }
  };
  cluster().terminate_backend(waiting.start());
  CHECK(told(waiting.result.get()) == "applied");
  CHECK(waiting.clock.waits >= 5);
  CHECK(each_once(waiting.tenant, 2));
}

TEST_CASE("without the lock the outcome stays in doubt, and the orphan is named") {
  Waiting waiting;
  const std::int64_t key = tenant_lock_key(kDatabase, waiting.tenant.schema());
  std::optional<Other> orphan;
  waiting.rig.sessions.before_open = [&](int opened) {
    if (opened == 2) {
      orphan.emplace(waiting.tenant.target());
      REQUIRE(eventually(
          [&] { return orphan->run(fmt::format("SELECT pg_try_advisory_lock({})", key)) == "t"; }));
    }
  };
  cluster().terminate_backend(waiting.start());
  const ApplyOutcome outcome = waiting.result.get();
  CHECK(told(outcome) ==
        fmt::format("in_doubt: the session ended while a commit may have been under way "
                    "(terminating connection due to administrator command), and the history could "
                    "not be read since: another runner holds the tenant's lock: pid {}, other "
                    "[in_doubt]",
                    orphan->pid()));
  REQUIRE(outcome.fault->blocker);
  CHECK(outcome.fault->blocker->pid == orphan->pid());
  CHECK(names(outcome.done) == std::vector<std::string>{"0001"});
}

TEST_CASE("a stop cancels what runs, and then the history tells what became of it") {
  Waiting waiting;
  std::stop_source source;
  waiting.rig.patience.stop = source.get_token();
  waiting.start();
  source.request_stop();
  const ApplyOutcome outcome = waiting.result.get();
  CHECK(told(outcome) == "failed: the run was stopped before the tenant was done [interrupted]");
  CHECK(outcome.fault->code == ErrorCode::halted);
  CHECK(names(outcome.done) == std::vector<std::string>{"0001"});
  CHECK(waiting.tenant.value("SELECT count(*) FROM log") == "0");
}

TEST_CASE("a stop that comes too late finds the tenant applied") {
  const PgTenant tenant;
  Rig rig;
  std::stop_source source;
  rig.patience.stop = source.get_token();
  rig.observer.on_revision = [&](const RevisionId&, Direction) { source.request_stop(); };
  CHECK(told(rig.up(tenant.target(), line_of({up_down("SELECT 1")}))) == "applied");
}

TEST_CASE("a tenant whose time is over before it is done says so") {
  Waiting waiting;
  waiting.rig.patience.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  base::SystemClock real;
  waiting.rig.clock = &real;
  waiting.start();
  const ApplyOutcome outcome = waiting.result.get();
  CHECK(told(outcome) ==
        "failed: the time for this tenant was over before it was done [deadline_exceeded]");
  CHECK(names(outcome.done) == std::vector<std::string>{"0001"});
}

TEST_CASE("sessions that are ended at random cost a retry each, and nothing else") {
  constexpr int kLast = 40;
  const unsigned seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const PgTenant tenant;
  Rig rig;
  rig.options.chaining = Chaining::off;
  std::atomic<int> done = 0;
  std::promise<void> first_hit;
  rig.observer.on_revision = [&](const RevisionId&, Direction) {
    if (++done == 1) {
      first_hit.get_future().wait();  // or all might be over before anybody looks
    }
  };
  auto result =
      std::async(std::launch::async, [&] { return rig.up(tenant.target(), numbered(kLast)); });
  int killed = 0;
  bool hit = false;
  // From the first revision on: one who is not let in at all is for the schedule to try again.
  for (int seen = 0;
       done < kLast - 1 && result.wait_for(std::chrono::seconds(0)) != std::future_status::ready;) {
    if (done == seen) {  // one hit for each bit of progress
      std::this_thread::yield();
      continue;
    }
    seen = done;
    const auto pause = std::uniform_int_distribution<int>(0, 15'000)(random);
    result.wait_for(std::chrono::microseconds(pause));
    killed += std::stoi(cluster().value(
        kDatabase,
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = 'executor' "
        "AND application_name = 'drover'"));
    if (!hit) {
      hit = true;
      first_hit.set_value();
    }
  }
  const ApplyOutcome outcome = result.get();
  CHECK(told(outcome) == "applied");
  CHECK(killed > 0);
  CHECK(outcome.attempts <= 1 + killed);
  CHECK(each_once(tenant, kLast));
}

TEST_CASE("a session that is ended every time is given up after a few") {
  const PgTenant tenant;
  struct Killing final : BlockerWatch {
    int kills = 0;
    void begin(const Target&, std::int64_t pid) override {
      ++kills;
      cluster().terminate_backend(pid);
    }
    std::optional<Blocker> end(const Target&, std::int64_t) override { return std::nullopt; }
  } killing;
  Rig rig;
  rig.watch = &killing;
  const ApplyOutcome outcome = rig.up(tenant.target(), numbered(3));
  CHECK(told(outcome) ==
        "failed: the tenant's session failed: terminating connection due to administrator command "
        "[session_terminated]");
  CHECK(killing.kills == 4);
  CHECK(outcome.attempts == 5);
  CHECK(outcome.fault->fault_class == FaultClass::session_killed);
  CHECK_FALSE(tenant.has_table("log"));
}

TEST_CASE("two that lock each other out are both applied in the end") {
  const PgTenant one;
  const PgTenant two;
  cluster().execute(kDatabase,
                    "CREATE TABLE IF NOT EXISTS shared_a (i int); CREATE TABLE IF NOT EXISTS "
                    "shared_b (i int); ALTER DATABASE executor SET deadlock_timeout = '20ms'");
  std::atomic<int> deadlocks = 0;
  const auto run = [&](const PgTenant& tenant, const char* first, const char* second) {
    Rig rig;
    rig.options.approach.lock_timeout = Milliseconds(10'000);
    rig.observer.on_retry = [&](const TenantFault& fault) {
      deadlocks += fault.kind == "deadlock" ? 1 : 0;
    };
    return rig.up(tenant.target(),
                  line_of({up_down(fmt::format("LOCK TABLE public.{}; SELECT pg_sleep(0.2); LOCK "
                                               "TABLE public.{}",
                                               first,
                                               second))}));
  };
  auto a = std::async(std::launch::async, [&] { return run(one, "shared_a", "shared_b"); });
  auto b = std::async(std::launch::async, [&] { return run(two, "shared_b", "shared_a"); });
  CHECK(told(a.get()) == "applied");
  CHECK(told(b.get()) == "applied");
  CHECK(deadlocks >= 1);
  cluster().execute(kDatabase, "ALTER DATABASE executor RESET deadlock_timeout");
}

TEST_CASE("a server that crashes and recovers is come back to") {
  PgCluster server({.settings = {"synchronous_commit=on"}});  // what was committed must stay
  server.create_database("app");
  Rig rig;
  std::optional<Other> victim(server.target("app"));
  std::vector<FaultClass> classes;
  rig.observer.on_retry = [&](const TenantFault& fault) { classes.push_back(fault.fault_class); };
  rig.observer.on_revision = [&](const RevisionId& id, Direction) {
    if (id.value == "0002") {
      server.kill_backend(victim->pid());
      REQUIRE(eventually([&] {
        return server.log().find("terminating any other active server processes") !=
               std::string::npos;
      }));
    }
  };
  rig.options.chaining = Chaining::off;
  const ApplyOutcome outcome = rig.up(server.target("app"), numbered(4));
  CHECK(told(outcome) == "applied");
  REQUIRE_FALSE(classes.empty());
  CHECK(
      (classes.front() == FaultClass::server_down || classes.front() == FaultClass::no_connection));
  CHECK(server.value("app", "SELECT count(*) || ' ' || count(DISTINCT i) FROM log") == "3 3");

  // One that stays away leaves the tenant in doubt, by fault of the server.
  rig.observer.on_revision = [&](const RevisionId& id, Direction) {
    if (id.value == "0005") {
      server.stop(PgCluster::Stop::immediate);
    }
  };
  SkippingClock clock;
  rig.clock = &clock;
  const ApplyOutcome away = rig.up(server.target("app"), numbered(6));
  CHECK(away.kind == Kind::in_doubt);
  REQUIRE(away.fault);
  CHECK(away.fault->kind == "in_doubt");
  CHECK(away.fault->fault_class == FaultClass::no_connection);
}

}  // namespace
}  // namespace drover::engine::test

#include "engine/batch/server_governor.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "engine/base/system_clock.h"
#include "engine/batch/server_signals.h"
#include "engine/postgres/pg_session.h"
#include "tests/engine/batch/standby.h"
#include "tests/support/fake_clock.h"
#include "tests/support/pg_cluster.h"

using drover::engine::BatchGovernor;
using drover::engine::BatchLeave;
using drover::engine::BatchLimits;
using drover::engine::BatchSeatFacts;
using drover::engine::BatchWork;
using drover::engine::Dialect;
using drover::engine::Exchange;
using drover::engine::Milliseconds;
using drover::engine::OpenOptions;
using drover::engine::OpenResult;
using drover::engine::Patience;
using drover::engine::ResultSet;
using drover::engine::Session;
using drover::engine::SessionFactory;
using drover::engine::SqlError;
using drover::engine::Statement;
using drover::engine::Target;
using drover::engine::WaitReason;
using drover::engine::base::SystemClock;
using drover::engine::batch::archive_queue;
using drover::engine::batch::query_says_wait;
using drover::engine::batch::ServerGovernor;
using drover::engine::postgres::PgSessionFactory;
using drover::test::FakeClock;
using drover::test::PgCluster;
using drover::test::PgClusterOptions;
using drover::test::Standby;

namespace {

/// Sessions that cannot be opened while the door is shut.
class Door final : public SessionFactory {
 public:
  OpenResult open(const Target& target,
                  const OpenOptions& options,
                  const Patience& patience) override {
    if (no_descriptors) {
      throw std::system_error(std::make_error_code(std::errc::too_many_files_open));
    }
    if (shut) {
      SqlError error;
      error.origin = SqlError::Origin::connection;
      error.message = "the door is shut";
      return {nullptr, error};
    }
    ++opened;
    return factory_.open(target, options, patience);
  }

  std::atomic<bool> shut = false;
  std::atomic<bool> no_descriptors = false;
  std::atomic<int> opened = 0;

 private:
  PgSessionFactory factory_;
};

/// A server that keeps little WAL for slots.
const PgCluster& server() {
  static PgCluster cluster([] {
    PgClusterOptions options;
    options.settings = {"max_slot_wal_keep_size = 64MB"};
    return options;
  }());
  return cluster;
}

struct Rig {
  explicit Rig(const std::string& database,
               BatchLimits limits = {},
               const PgCluster& cluster = server())
      : target(cluster.target(database)), governor(door, clock, std::move(limits)) {
    cluster.create_database(database);
  }

  std::unique_ptr<Session> session(const Target& where) {
    OpenOptions options;
    options.lock_timeout = std::chrono::minutes(2);
    OpenResult opened = PgSessionFactory().open(where, options, {});
    REQUIRE(opened.session != nullptr);
    return std::move(opened.session);
  }

  Target target;
  SystemClock clock;
  Door door;
  ServerGovernor governor;
};

/// Asks until `wanted` comes true, for a minute at most: servers tell nobody.
bool eventually(const std::function<bool()>& wanted) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!wanted()) {
    if (std::chrono::steady_clock::now() > limit) {
      return false;
    }
    std::this_thread::sleep_for(Milliseconds(10));
  }
  return true;
}

/// Asks the seat until it answers with `reason`; its detail.
std::string detail_of(BatchGovernor::Seat& seat, WaitReason reason) {
  BatchLeave leave;
  const bool came = eventually([&] {
    leave = seat.ask({});
    return leave.reason == reason;
  });
  CAPTURE(name_of(reason), name_of(leave.reason), leave.detail);
  REQUIRE(came);
  return leave.detail;
}

void require_go(BatchGovernor::Seat& seat) {
  detail_of(seat, WaitReason::none);
}

BatchSeatFacts facts_of(const Session& session) {
  BatchSeatFacts facts;
  facts.backend_pid = session.info().backend_pid;
  return facts;
}

/// Writes about so many megabytes of WAL.
void write_wal(const std::string& database, int megabytes) {
  server().execute(database,
                   "SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000000))"
                   "  FROM generate_series(1, " +
                       std::to_string(megabytes) + ")");
}

Exchange run(Session& session, const std::vector<std::string>& sql) {
  std::vector<Statement> statements;
  statements.reserve(sql.size());
  for (const std::string& one : sql) {
    statements.push_back({one});
  }
  return session.exchange(statements, {});
}

ResultSet one_value(const std::string& text) {
  return {{"x"}, {{text}}, 0};
}

}  // namespace

TEST_CASE("a session that a batch has blocked for too long gets through") {
  Rig rig("gov_blocked");
  server().execute("gov_blocked",
                   "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 0)");
  const auto worker = rig.session(rig.target);
  const auto victim = rig.session(rig.target);
  BatchSeatFacts facts = facts_of(*worker);
  facts.cancel = [&] { worker->cancel(); };
  const auto seat = rig.governor.enter(rig.target, std::move(facts));
  const auto bystander = rig.governor.enter(rig.target, facts_of(*victim));
  bystander->moved(0);
  require_go(*seat);

  auto batch = std::async(std::launch::async, [&] {
    return run(*worker, {"BEGIN", "UPDATE t SET n = 1 WHERE id = 1", "SELECT pg_sleep(120)"});
  });
  REQUIRE(eventually([] {
    return server().value("gov_blocked",
                          "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") ==
           "1";
  }));
  const Exchange passed = run(*victim, {"UPDATE t SET n = 2 WHERE id = 1"});
  const Exchange cancelled = batch.get();

  CHECK(passed.ok());
  REQUIRE(cancelled.error);
  CHECK(cancelled.error->sqlstate == "57014");
  CHECK(seat->was_cancelled());
  CHECK_FALSE(seat->was_cancelled());
  CHECK_FALSE(bystander->was_cancelled());
  CHECK(server().value("gov_blocked", "SELECT n FROM t") == "2");
  const BatchLeave leave = seat->ask({});
  CHECK(leave.reason == WaitReason::blocked_sessions);
  CHECK_THAT(
      leave.detail,
      Catch::StartsWith("session " + std::to_string(victim->info().backend_pid) + " waited "));
  require_go(*seat);
}

TEST_CASE("a worker that waits for another worker, or for an advisory lock, cancels nobody") {
  Rig rig("gov_ours");
  server().execute("gov_ours",
                   "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 0)");
  const auto first = rig.session(rig.target);
  const auto second = rig.session(rig.target);
  const auto stranger = rig.session(rig.target);
  std::atomic<int> cancels = 0;
  const auto seat_of = [&](const Session& session) {
    BatchSeatFacts facts = facts_of(session);
    facts.cancel = [&] { ++cancels; };
    return rig.governor.enter(rig.target, std::move(facts));
  };
  const auto one = seat_of(*first);
  const auto two = seat_of(*second);
  require_go(*one);
  REQUIRE(
      run(*first, {"SELECT pg_advisory_lock(7)", "BEGIN", "UPDATE t SET n = 1 WHERE id = 1"}).ok());

  auto ours = std::async(std::launch::async,
                         [&] { return run(*second, {"UPDATE t SET n = 2 WHERE id = 1"}); });
  auto theirs = std::async(std::launch::async,
                           [&] { return run(*stranger, {"SELECT pg_advisory_lock(7)"}); });
  // Both have waited for longer than the limit, and the governor has looked at them since.
  REQUIRE(eventually([] {
    return server().value("gov_ours",
                          "SELECT count(*) FROM pg_locks WHERE NOT granted"
                          "   AND clock_timestamp() - waitstart > interval '1 s'") == "2";
  }));
  CHECK(cancels == 0);
  CHECK(one->ask({}).go);
  run(*first, {"COMMIT", "SELECT pg_advisory_unlock(7)"});
  CHECK_FALSE(ours.get().error);
  CHECK_FALSE(theirs.get().error);
}

TEST_CASE("batches wait while too many others are active") {
  BatchLimits limits;
  limits.active_backends = 2;
  Rig rig("gov_active", limits);
  const auto ours = rig.session(rig.target);
  const auto seat = rig.governor.enter(rig.target, facts_of(*ours));
  require_go(*seat);

  std::vector<std::unique_ptr<Session>> others;
  others.push_back(rig.session(rig.target));
  others.push_back(rig.session(rig.target));
  std::vector<std::future<Exchange>> busy;
  busy.reserve(others.size());
  for (const auto& other : others) {
    busy.push_back(
        std::async(std::launch::async, [&] { return run(*other, {"SELECT pg_sleep(120)"}); }));
  }
  CHECK_THAT(
      detail_of(*seat, WaitReason::active_backends),  // sessions of the server's own may join
      Catch::Contains("other sessions are active, the limit is 2"));
  server().execute("gov_active",
                   "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
                   " WHERE wait_event = 'PgSleep'");
  for (auto& one : busy) {
    CHECK(one.get().error);
  }
  require_go(*seat);
}

TEST_CASE("a throttle query is asked in the tenant's schema and decides") {
  BatchLimits limits;
  limits.unobservable = Milliseconds(2'500);
  Rig rig("gov_query", limits);
  server().execute("gov_query",
                   "CREATE SCHEMA tenant; CREATE TABLE tenant.gate AS SELECT 1 AS waits");
  BatchSeatFacts facts;
  facts.throttle = "SELECT waits FROM gate";
  const auto seat = rig.governor.enter(server().target("gov_query", "tenant"), std::move(facts));

  CHECK(detail_of(*seat, WaitReason::query) == "the batch's throttle query says wait");
  server().execute("gov_query", "UPDATE tenant.gate SET waits = 0");
  require_go(*seat);
  server().execute("gov_query", "DROP TABLE tenant.gate");
  CHECK_THAT(detail_of(*seat, WaitReason::unobservable),
             Catch::StartsWith("the throttle query in database gov_query could not be read for ") &&
                 Catch::EndsWith("relation \"gate\" does not exist"));
}

TEST_CASE("a throttle query can change nothing, and that it tries stops the batch") {
  Rig rig("gov_write");
  server().execute("gov_write", "CREATE TABLE t (n int)");
  BatchSeatFacts facts;
  facts.throttle = "WITH x AS (INSERT INTO t VALUES (1) RETURNING 1) SELECT count(*) FROM x";
  const auto seat = rig.governor.enter(rig.target, std::move(facts));
  std::string detail;
  eventually([&] {
    detail = seat->ask({}).detail;
    return detail.find("answered: ") != std::string::npos;
  });
  CHECK(detail ==
        "the batch's throttle query has not yet answered: "
        "cannot execute SELECT in a read-only transaction");
  CHECK(server().value("gov_write", "SELECT count(*) FROM t") == "0");
}

TEST_CASE("a slot that keeps half of what it may stops batches until it is gone") {
  Rig rig("gov_slot");
  const auto seat = rig.governor.enter(rig.target, {});
  require_go(*seat);
  server().execute("gov_slot", "SELECT pg_create_physical_replication_slot('left_behind', true)");
  write_wal("gov_slot", 40);
  CHECK_THAT(detail_of(*seat, WaitReason::slot_retention),
             Catch::StartsWith("slot left_behind keeps ") &&
                 Catch::EndsWith(" MB of WAL, the limit is 32 MB"));
  server().execute("gov_slot", "SELECT pg_drop_replication_slot('left_behind')");
  require_go(*seat);
}

TEST_CASE("an archive that cannot follow stops batches until it can") {
  PgClusterOptions options;
  options.settings = {"archive_mode = on", "archive_command = 'test -e ../archive_ok'"};
  const PgCluster cluster(options);
  BatchLimits limits;
  limits.archive_queue = 2;
  Rig rig("gov_archive", limits, cluster);
  const std::filesystem::path archive_ok = cluster.socket_directory() + "/archive_ok";
  const auto finish_segment = [&] {  // which wakes the archiver
    cluster.execute("gov_archive", "SELECT pg_logical_emit_message(false, 'test', 'x')");
    cluster.execute("gov_archive", "SELECT pg_switch_wal()");
  };
  std::ofstream(archive_ok) << "yes";
  finish_segment();
  const auto seat = rig.governor.enter(rig.target, {});
  require_go(*seat);

  std::filesystem::remove(archive_ok);
  for (int i = 0; i < 4; ++i) {
    finish_segment();
  }
  CHECK_THAT(detail_of(*seat, WaitReason::slot_retention),
             Catch::EndsWith(" segments of WAL wait for the archive, the limit is 2"));
  std::ofstream(archive_ok) << "yes";
  finish_segment();
  require_go(*seat);
}

TEST_CASE("autovacuum on the table halves the speed, and against wraparound it stops") {
  PgClusterOptions options;
  options.settings = {
      "autovacuum = on", "autovacuum_naptime = 1", "autovacuum_freeze_max_age = 100000"};
  const PgCluster cluster(options);
  Rig rig("gov_auto", {}, cluster);
  // So slow that it is at work for as long as the test lasts.
  cluster.execute("gov_auto",
                  "CREATE TABLE ids (n int);"
                  "CREATE TABLE t AS SELECT n, repeat('x', 500) FROM generate_series(1, 20000) n;"
                  "ALTER TABLE t SET (autovacuum_vacuum_cost_delay = 100,"
                  "  autovacuum_vacuum_cost_limit = 1, autovacuum_vacuum_threshold = 0,"
                  "  autovacuum_vacuum_scale_factor = 0);"
                  "UPDATE t SET n = -n WHERE n <= 500");
  BatchSeatFacts facts;
  facts.table_oid = std::stoll(cluster.value("gov_auto", "SELECT 't'::regclass::oid"));
  const auto seat = rig.governor.enter(rig.target, std::move(facts));
  BatchWork work;
  work.busy = Milliseconds(300);
  BatchLeave leave;
  CHECK(eventually([&] {
    leave = seat->ask(work);
    return leave.reason == WaitReason::autovacuum;
  }));
  CHECK(leave.detail == "autovacuum works on the table: half speed");
  require_go(*seat);

  cluster.execute("gov_auto",
                  "DO $$ BEGIN FOR i IN 1..100100 LOOP"
                  "  BEGIN INSERT INTO ids VALUES (i); EXCEPTION WHEN others THEN END;"
                  "END LOOP; END $$");
  // The worker that is there goes, so that the next one comes for the other reason.
  cluster.execute("gov_auto",
                  "SELECT pg_cancel_backend(pid) FROM pg_stat_progress_vacuum"
                  " WHERE relid = 't'::regclass");
  CHECK(detail_of(*seat, WaitReason::autovacuum) ==
        "autovacuum works on the table against wraparound");
}

TEST_CASE("a table full of dead rows asks for a VACUUM, and goes on after it") {
  Rig rig("gov_dead");
  server().execute("gov_dead",
                   "CREATE TABLE t AS SELECT 1 AS n FROM generate_series(1, 5000);"
                   "ANALYZE t; UPDATE t SET n = 2");
  BatchSeatFacts facts;
  facts.table_oid = std::stoll(server().value("gov_dead", "SELECT 't'::regclass::oid"));
  const auto seat = rig.governor.enter(rig.target, std::move(facts));
  BatchLeave leave;
  REQUIRE(eventually([&] {
    leave = seat->ask({});
    return leave.reason == WaitReason::dead_rows;
  }));
  CHECK(leave.vacuum_first);
  CHECK(leave.detail == "the table has 5000 dead rows for 5000 live ones, the limit is 20 %");
  server().execute("gov_dead", "VACUUM t");
  require_go(*seat);
}

TEST_CASE("a table without statistics, as in a copied database, is not taken for dead") {
  server().create_database("gov_original");
  server().execute("gov_original",
                   "CREATE TABLE t AS SELECT 1 AS n FROM generate_series(1, 50000); ANALYZE t");
  Rig rig("gov_copied");
  server().execute("postgres", "DROP DATABASE gov_copied");
  server().execute("postgres", "CREATE DATABASE gov_copied TEMPLATE gov_original");
  server().execute("gov_copied", "UPDATE t SET n = 2 WHERE ctid < '(20,0)'");
  REQUIRE(server().value("gov_copied", "SELECT n_live_tup FROM pg_stat_user_tables") == "0");
  BatchSeatFacts facts;
  facts.table_oid = std::stoll(server().value("gov_copied", "SELECT 't'::regclass::oid"));
  const auto seat = rig.governor.enter(rig.target, std::move(facts));
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(3);
  while (std::chrono::steady_clock::now() < until) {
    REQUIRE_FALSE(seat->ask({}).vacuum_first);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  server().execute("gov_copied", "UPDATE t SET n = 3");
  REQUIRE(eventually([&] { return seat->ask({}).vacuum_first; }));
}

TEST_CASE("a standby that falls behind stops batches, by bytes and by time") {
  const Standby standby(server());
  Rig by_bytes("gov_standby", [] {
    BatchLimits limits;
    limits.replica_bytes = std::uint64_t{8} << 20U;
    limits.replica_lag = std::chrono::hours(1);
    return limits;
  }());
  Rig by_time("gov_standby_2", [] {
    BatchLimits limits;
    limits.replica_lag = Milliseconds(300);
    limits.replica_bytes = std::uint64_t{1} << 40U;
    return limits;
  }());
  REQUIRE(eventually([] {
    return server().value("postgres",
                          "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") ==
           "1";
  }));
  const auto bytes = by_bytes.governor.enter(by_bytes.target, {});
  const auto time = by_time.governor.enter(by_time.target, {});
  require_go(*bytes);
  require_go(*time);

  standby.cluster().execute("postgres", "SELECT pg_wal_replay_pause()");
  write_wal("postgres", 20);
  CHECK_THAT(detail_of(*bytes, WaitReason::replica_lag),
             Catch::StartsWith("replica standby1 is ") &&
                 Catch::EndsWith(" MB behind, the limit is 8 MB"));
  CHECK_THAT(detail_of(*time, WaitReason::replica_lag),
             Catch::StartsWith("replica standby1 is ") &&
                 Catch::EndsWith(" s behind, the limit is 0.3 s"));
  standby.cluster().execute("postgres", "SELECT pg_wal_replay_resume()");
  require_go(*bytes);
  require_go(*time);
}

TEST_CASE("a server that cannot be watched any more stops batches until it can") {
  BatchLimits limits;
  limits.unobservable = Milliseconds(2'500);
  Rig rig("gov_lost", limits);
  const auto seat = rig.governor.enter(rig.target, {});
  require_go(*seat);

  rig.door.shut = true;
  server().execute("gov_lost",
                   "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                   " WHERE datname = 'gov_lost' AND application_name = 'drover'");
  CHECK_THAT(detail_of(*seat, WaitReason::unobservable), Catch::EndsWith(": the door is shut"));
  rig.door.shut = false;
  require_go(*seat);
}

TEST_CASE("a server that never answers lets nobody begin") {
  Rig rig("gov_never");
  rig.door.shut = true;
  const auto seat = rig.governor.enter(rig.target, {});
  CHECK(eventually([&] {
    return seat->ask({}).detail == "server " + rig.target.server +
                                       " has not yet told its blocked sessions: the door is shut";
  }));
  CHECK(rig.door.opened == 0);

  rig.door.no_descriptors = true;
  CHECK(eventually(
      [&] { return seat->ask({}).detail.find(": Too many open files") != std::string::npos; }));
}

TEST_CASE("the watch lives only while there are seats") {
  Rig rig("gov_life");
  const auto watching = [] {
    return server().value("gov_life",
                          "SELECT count(*) FROM pg_stat_activity"
                          " WHERE datname = 'gov_life' AND application_name = 'drover'");
  };
  auto first = rig.governor.enter(rig.target, {});
  auto second = rig.governor.enter(rig.target, {});
  require_go(*first);
  require_go(*second);
  CHECK(watching() != "0");
  first.reset();
  CHECK(watching() != "0");
  // Two sessions, however many seats: the server's and the database's.
  REQUIRE(eventually([&] { return rig.door.opened == 2; }));
  second.reset();
  CHECK(eventually([&] { return watching() == "0"; }));
  const auto again = rig.governor.enter(rig.target, {});
  require_go(*again);
  CHECK(rig.door.opened == 3);
}

TEST_CASE("a role without rights works, and the report says what is not watched") {
  Rig rig("gov_rights");
  server().execute("gov_rights", "CREATE ROLE gov_app LOGIN");
  Target target = rig.target;
  const std::string user = "user=postgres";
  const std::size_t at = target.connection.find(user);
  REQUIRE(at != std::string::npos);
  target.connection.replace(at, user.size(), "user=gov_app");
  const auto seat = rig.governor.enter(target, {});
  require_go(*seat);
  std::vector<std::string> expected;
  for (const char* const signal : {"replica lag", "active backends", "autovacuum workers"}) {
    expected.push_back("server " + target.server + " is not watched for " + signal +
                       ": the role is not a member of pg_read_all_stats");
  }
  CHECK(rig.governor.notes() == expected);
}

TEST_CASE("a SQLite file is not watched, but its budget holds") {
  Door door;
  door.shut = true;
  FakeClock clock;
  BatchLimits limits;
  limits.wal_per_second = 1'000;
  ServerGovernor governor(door, clock, limits);
  Target target;
  target.dialect = Dialect::sqlite;
  target.server = "/srv/tenants";
  const auto seat = governor.enter(target, {});
  BatchWork work;
  work.wal_bytes = 3'000;
  CHECK(seat->ask({}).go);
  const BatchLeave leave = seat->ask(work);
  CHECK(leave.reason == WaitReason::wal_budget);
  clock.advance(Milliseconds(2'001));
  CHECK(seat->ask({}).go);
  CHECK(governor.workers_for(target, 3) == 3);
}

TEST_CASE("what a throttle query may answer") {
  CHECK(query_says_wait(one_value("t")) == true);
  CHECK(query_says_wait(one_value("f")) == false);
  CHECK(query_says_wait(one_value("0")) == false);
  CHECK(query_says_wait(one_value("0.00")) == false);
  CHECK(query_says_wait(one_value("0.5")) == true);
  CHECK(query_says_wait(one_value("-3")) == true);
  CHECK(query_says_wait(one_value("no")) == std::nullopt);
  CHECK(query_says_wait(one_value("NaN")) == std::nullopt);
  CHECK(query_says_wait({{"x"}, {{std::nullopt}}, 0}) == false);
  CHECK(query_says_wait({{"x"}, {}, 0}) == false);
}

TEST_CASE("the archive's queue follows from the name of its last segment") {
  constexpr std::uint64_t kSegment = std::uint64_t{16} << 20U;
  // 0xA * 256 + 0xFE finished and archived, and two more finished since.
  const std::uint64_t written = (0xAU * 256U + 0xFEU + 3U) * kSegment + 5;
  CHECK(archive_queue("000000010000000A000000FE", written, kSegment) == 2);
  CHECK(archive_queue("000000010000000A000000FE.00000028.backup", written, kSegment) == 2);
  CHECK(archive_queue("000000010000000A000000FE", written - 3 * kSegment, kSegment) == 0);
  CHECK(archive_queue("00000002.history", written, kSegment) == 0);
  CHECK(archive_queue("00000001XXXXXXXX000000FE", written, kSegment) == 0);
  CHECK(archive_queue("", written, kSegment) == 0);
}

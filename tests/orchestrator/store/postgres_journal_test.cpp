#include "orchestrator/store/postgres_journal.h"

#include <array>
#include <chrono>
#include <future>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "orchestrator/store/postgres_db.h"
#include "orchestrator/store/schema.h"
#include "orchestrator/store/sql_journal.h"
#include "tests/conformance/journal_conformance.h"
#include "tests/support/pg_cluster.h"
#include "tests/support/tcp_proxy.h"

using namespace drover::test;
using namespace drover::orchestrator;
using drover::Error;
using drover::ErrorCode;
using drover::engine::Secret;
using drover::orchestrator::store::JournalOptions;
using drover::orchestrator::store::open_postgres_journal;
using drover::orchestrator::store::PostgresDb;
using drover::orchestrator::store::SqlJournal;

namespace {

constexpr std::string_view kDatabase = "journal";

std::string loopback(std::uint16_t port) {
  return fmt::format("host=127.0.0.1 port={} dbname={} user={} sslmode=disable",
                     port,
                     kDatabase,
                     PgCluster::kUser);
}

/// A fresh schema in one database.
class PostgresPlace final : public SqlJournalStore {
 public:
  PostgresPlace() {
    static const bool made = [] {
      shared_cluster().create_database(kDatabase);
      return true;
    }();
    static int number = 0;
    options_.schema = fmt::format("Runs \"{}\"", made ? ++number : 0);
  }

  std::unique_ptr<Journal> open() override {
    return open_postgres_journal(Secret(shared_cluster().conninfo(kDatabase)), options_);
  }

  void let_time_pass(std::chrono::milliseconds time) override {
    execute(
        fmt::format("UPDATE runs SET started_ms = started_ms - {0}, "
                    "heartbeat_ms = heartbeat_ms - {0}; UPDATE events SET at_ms = at_ms - {0}",
                    time.count()));
  }

  void execute(const std::string& sql) override {
    shared_cluster().execute(kDatabase, in_schema(sql));
  }

  std::string value(const std::string& sql) override {
    return shared_cluster().value(kDatabase, in_schema(sql));
  }

  std::unique_ptr<PostgresDb> db(const std::string& where) const {
    return std::make_unique<PostgresDb>(Secret(where), options_.schema);
  }
  std::unique_ptr<PostgresDb> db() const { return db(shared_cluster().conninfo(kDatabase)); }

  const JournalOptions& options() const { return options_; }

 private:
  std::string in_schema(const std::string& sql) const {
    const std::string number = options_.schema.substr(6, options_.schema.size() - 7);
    return fmt::format("SET search_path TO \"Runs \"\"{}\"\"\"; {}", number, sql);
  }

  JournalOptions options_;
};

}  // namespace

TEST_CASE("the PostgreSQL journal does what every journal must", "[store][postgres]") {
  for (const auto checks : {journal_checks(), journal_control_checks(), journal_lease_checks()}) {
    for (const auto& check : checks) {
      DYNAMIC_SECTION(check.name) {
        PostgresPlace place;
        check.run(place);
      }
    }
  }
  for (const auto& check : sql_journal_checks()) {
    DYNAMIC_SECTION(check.name) {
      PostgresPlace place;
      check.run(place);
    }
  }
}

TEST_CASE("a session that is ended before its commit costs nothing", "[store][postgres]") {
  PostgresPlace place;
  auto db = place.db();
  int kills = 0;
  PostgresDb& hooked = *db;
  SqlJournal journal(std::move(db), place.options());
  hooked.before_commit([&](int pid) {
    if (kills++ == 0) {
      shared_cluster().terminate_backend(pid);
    }
  });

  const RunId run = journal.begin_run(request_for({"a", "b"}), owner_called("alice"));

  CHECK(kills == 2);
  CHECK(journal.runs("", 10).size() == 1);
  CHECK(journal.tenants_of(run).size() == 2);
  CHECK(journal.heartbeat(run, owner_called("alice")));
}

TEST_CASE("a commit whose answer is lost is not done twice", "[store][postgres]") {
  PostgresPlace place;
  TcpProxy proxy(shared_cluster().port());
  auto db = place.db(loopback(proxy.port()));
  PostgresDb& hooked = *db;
  JournalOptions options = place.options();
  options.commit_interval = std::chrono::hours(1);  // only flush() commits
  SqlJournal journal(std::move(db), options);
  const auto lose_the_answer_to_commit = [&](const auto& action) {
    std::promise<int> committing;
    bool lost = false;
    hooked.before_commit([&](int pid) {
      if (!std::exchange(lost, true)) {
        proxy.swallow(TcpProxy::Direction::to_client);
        committing.set_value(pid);
      }
    });
    std::thread network([&] {
      const std::string is_done = fmt::format(
          "SELECT count(*) FROM pg_stat_activity WHERE pid = {} AND query = 'COMMIT' "
          "AND state = 'idle'",
          committing.get_future().get());
      while (place.value(is_done) != "1") {
        std::this_thread::yield();
      }
      proxy.heal();
      proxy.cut_all();
    });
    action();
    network.join();
    hooked.before_commit(nullptr);
  };

  RunId run;
  lose_the_answer_to_commit(
      [&] { run = journal.begin_run(request_for({"a"}), owner_called("alice")); });
  CHECK(place.value("SELECT count(*) FROM runs") == "1");

  journal.record(RunEvent{run, "", "note", "once"});
  lose_the_answer_to_commit([&] { journal.flush(); });
  CHECK(journal.events_of(run).size() == 1);

  lose_the_answer_to_commit([&] { CHECK(journal.heartbeat(run, owner_called("alice"))); });

  lose_the_answer_to_commit([&] { journal.finish_run(run, RunState::interrupted, 130); });
  CHECK(journal.run(run.value).state == RunState::interrupted);

  lose_the_answer_to_commit([&] { journal.take_over(run, owner_called("bob")); });
  CHECK(journal.heartbeat(run, owner_called("bob")));
}

TEST_CASE("a server that cannot be reached is named without the password", "[store][postgres]") {
  const Error error = error_of(
      [] { open_postgres_journal(Secret("host=127.0.0.1 port=1 dbname=x password=sesame")); });

  CHECK(error.code() == ErrorCode::unreachable);
  CHECK(error.kind_name() == "journal_unreachable");
  CHECK_THAT(
      error.what(),
      Catch::StartsWith("run journal in PostgreSQL cannot be reached: connection to server"));
  CHECK_THAT(error.what(), !Catch::Contains("sesame"));
}

TEST_CASE("a connection string that makes no sense is not repeated", "[store][postgres]") {
  const auto where = GENERATE(as<std::string>{},
                              "postgres://user:ses%zzame@host/db",
                              "postgres://user:sesame@[host/db",
                              "password=sesame 'sesame",
                              "sesame=1");
  const Error error = error_of([&] { open_postgres_journal(Secret(where)); });

  CHECK(error.code() == ErrorCode::unreachable);
  CHECK(error.what() ==
        std::string("run journal in PostgreSQL cannot be reached: the connection cannot be made"));
}

TEST_CASE("a role that may not make the schema is told so", "[store][postgres]") {
  PostgresPlace place;
  shared_cluster().execute(kDatabase, "DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN");

  const Error error = error_of([&] {
    open_postgres_journal(
        Secret(fmt::format("host=127.0.0.1 port={} dbname={} user=guest sslmode=disable",
                           shared_cluster().port(),
                           kDatabase)),
        place.options());
  });

  CHECK(error.code() == ErrorCode::storage);
  CHECK(error.kind_name() == "journal_failed");
  CHECK(error.what() == std::string("run journal in PostgreSQL database 'journal': "
                                    "permission denied for database journal"));
  CHECK(error.hint() == "Let this role create and use the schema of the run store.");
}

TEST_CASE("an older format in PostgreSQL is upgraded step by step", "[store][postgres]") {
  using namespace std::string_view_literals;
  constexpr std::array<std::string_view, 2> kSteps = {
      "CREATE TABLE one (id {serial}, name {text}, body {bytes})"sv,
      "ALTER TABLE one ADD COLUMN more {text}"sv,
  };
  PostgresPlace place;
  const auto db = place.db();
  const std::span<const std::string_view> steps(kSteps);

  store::bring_up_to_date(*db, steps.first(1));
  store::bring_up_to_date(*db, steps);

  CHECK(place.value("SELECT format FROM journal_format") == "2");
  CHECK_NOTHROW(place.execute("SELECT more FROM one"));
}

TEST_CASE("what a caller does not say of a connection is added", "[store][postgres]") {
  using drover::orchestrator::store::with_connection_defaults;
  const std::string url = with_connection_defaults("postgres://db1/runs?connect_timeout=3");
  CHECK_THAT(url, Catch::StartsWith("postgres://db1/runs?connect_timeout=3&keepalives_idle=10&"));
  CHECK_THAT(url, Catch::EndsWith("&target_session_attrs=read-write"));
  CHECK_THAT(with_connection_defaults("postgres://db1/runs"),
             Catch::StartsWith("postgres://db1/runs?connect_timeout=10&"));
  CHECK_THAT(with_connection_defaults("host=db1"),
             Catch::StartsWith("host=db1 connect_timeout=10 keepalives_idle=10 "));
}

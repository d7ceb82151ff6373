#include "orchestrator/schedule.h"

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/orchestrator/schedule_driver.h"

using drover::ErrorCode;
using drover::engine::FaultClass;
using drover::engine::RevisionId;
using drover::orchestrator::default_failure_budget;
using drover::orchestrator::Outcome;
using drover::orchestrator::ScheduledTenant;
using drover::orchestrator::ScheduleOptions;
using drover::orchestrator::TenantOutcome;
using drover::test::applied_in;
using drover::test::faulted;
using drover::test::refused_connection;
using drover::test::ScheduleDriver;
using drover::test::tenants_on;
using drover::test::went;
using namespace std::chrono_literals;

namespace {

ScheduleOptions at_once(std::size_t in_flight, std::size_t per_server) {
  ScheduleOptions options;
  options.limits.in_flight = in_flight;
  options.limits.per_server = per_server;
  return options;
}

ScheduleOptions one_at_a_time() {
  return at_once(1, 1);
}

std::vector<ScheduledTenant> two_servers(std::size_t each) {
  std::vector<ScheduledTenant> tenants = tenants_on("db1", each);
  const std::vector<ScheduledTenant> more = tenants_on("db2", each, each);
  tenants.insert(tenants.end(), more.begin(), more.end());
  return tenants;
}

const TenantOutcome kDown = faulted(Outcome::unreachable, FaultClass::server_down);
const TenantOutcome kLost = faulted(Outcome::unreachable, FaultClass::no_connection);
const TenantOutcome kKilled = faulted(Outcome::failed, FaultClass::session_killed);
const TenantOutcome kBroken = faulted(Outcome::failed, FaultClass::permanent);
const TenantOutcome kInDoubt = faulted(Outcome::in_doubt, FaultClass::no_connection);

}  // namespace

TEST_CASE("the slowest known tenant starts first, unknown ones follow in the fleet's order") {
  std::vector<ScheduledTenant> tenants = tenants_on("db", 4);
  tenants[1].known_duration = 10ms;
  tenants[3].known_duration = 90ms;
  ScheduleDriver run(tenants, at_once(4, 4));
  CHECK(run.starts == std::vector<std::size_t>{3, 1, 0, 2});
}

TEST_CASE("neither the run nor a server has more in flight than its limit") {
  ScheduleDriver run(two_servers(4), at_once(5, 3));
  CHECK(run.starts == std::vector<std::size_t>{0, 1, 2, 4, 5});
  run.complete(0, went(Outcome::current));
  CHECK(run.starts.back() == 3);
  run.complete(1, went(Outcome::current));
  CHECK(run.starts.back() == 6);
}

TEST_CASE("a server takes few tenants before it was asked for its room, then as many as it has") {
  ScheduleDriver run(tenants_on("db", 20), at_once(64, 16));
  CHECK(run.asks == std::vector<std::size_t>{0});
  CHECK(run.in_flight.size() == 4);
  SECTION("room for nine: three are left alone") {
    run.capacity(9);
    CHECK(run.in_flight.size() == 6);
  }
  SECTION("no room at all: one goes on, and nothing more starts") {
    run.capacity(0);
    run.complete_all(went(Outcome::current));
    CHECK(run.in_flight.size() == 1);
  }
  SECTION("a server that does not count takes the configured number") {
    run.capacity(std::nullopt);
    CHECK(run.in_flight.size() == 16);
  }
  SECTION("it is asked again, since its room changes") {
    run.capacity(5);
    CHECK(run.in_flight.size() == 4);
    run.pass(30s);
    REQUIRE(run.asks.size() == 2);
    run.capacity(9);  // beside the four that are ours
    CHECK(run.in_flight.size() == 10);
  }
}

TEST_CASE("too many connections halve the server's limit once, and success raises it to the cap") {
  ScheduleDriver run(tenants_on("db", 200), at_once(64, 8));
  run.capacity(std::nullopt);
  REQUIRE(run.in_flight.size() == 8);
  run.now += 1ms;
  run.complete_all(faulted(Outcome::unreachable, FaultClass::server_down, "too_many_connections"));
  run.pass(2s);
  run.probe_says(std::nullopt);
  CHECK(run.schedule.limit_of(0) == 4);
  CHECK(run.in_flight.size() == 4);
  for (int i = 0; i < 8; ++i) {
    run.complete(*run.in_flight.begin(), went(Outcome::current));
  }
  CHECK(run.schedule.limit_of(0) == 5);
  for (int i = 0; i < 100; ++i) {
    run.complete(*run.in_flight.begin(), went(Outcome::current));
  }
  CHECK(run.schedule.limit_of(0) == 8);
  CHECK(run.in_flight.size() == 8);
}

TEST_CASE("a server that becomes slow gets fewer tenants, and more again when it has recovered") {
  ScheduleDriver run(tenants_on("db", 500), at_once(64, 8));
  run.capacity(std::nullopt);
  const auto complete_some = [&](int count, std::chrono::milliseconds duration) {
    for (int i = 0; i < count; ++i) {
      run.complete(*run.in_flight.begin(), applied_in(duration));
    }
  };
  complete_some(50, 40ms);
  CHECK(run.schedule.limit_of(0) == 8);
  complete_some(12, 400ms);
  CHECK(run.schedule.limit_of(0) < 8);
  complete_some(150, 40ms);
  CHECK(run.schedule.limit_of(0) == 8);
}

TEST_CASE("a server that is down is paused, and its tenants return without an attempt spent") {
  ScheduleDriver run(two_servers(3), at_once(6, 2));
  run.complete(0, kDown);
  run.complete(1, kDown);
  CHECK(run.notes == std::vector<std::string>{"server_paused: server 'db1' is down: it broke"});
  CHECK(run.in_flight == std::set<std::size_t>{3, 4});
  CHECK(run.finished.empty());

  run.pass(900ms);
  CHECK(run.probes.empty());
  run.pass(350ms);
  REQUIRE(run.probes.size() == 1);
  run.probe_says(std::nullopt);
  CHECK(run.notes.back() == "server_resumed: server 'db1' answers again after 1 s");
  CHECK(run.in_flight == std::set<std::size_t>{0, 1, 3, 4});
  CHECK(run.attempts[0] == 1);
}

TEST_CASE("the other servers go on at full width while one is paused") {
  ScheduleDriver run(two_servers(4), at_once(4, 2));
  run.complete(0, kDown);
  run.complete(4, went(Outcome::current));
  run.complete(5, went(Outcome::current));
  CHECK(run.in_flight == std::set<std::size_t>{1, 6, 7});
}

TEST_CASE("probes come after one second, then ever less often up to every thirty") {
  ScheduleDriver run(tenants_on("db", 1), one_at_a_time());
  run.complete(0, kDown);
  for (int i = 0; i < 3000 && run.probes.size() < 8; ++i) {
    run.pass(100ms);
    if (run.probe_under_way[0]) {
      run.probe_says(refused_connection());
    }
  }
  REQUIRE(run.probes.size() == 8);
  std::vector<long long> gaps;
  for (std::size_t i = 1; i < run.probes.size(); ++i) {
    gaps.push_back(
        std::chrono::duration_cast<std::chrono::milliseconds>(run.probes[i] - run.probes[i - 1])
            .count());
  }
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(gaps[i] >= 2000 << i);
    CHECK(gaps[i] <= (2500 << i) + 100);
  }
  CHECK(gaps.back() == 30'000);
}

TEST_CASE("when the patience for a server is used up, its tenants end unreachable for no budget") {
  ScheduleOptions options = at_once(4, 2);
  options.limits.server_pause = 10min;
  options.failure_budget = 0;
  ScheduleDriver run(two_servers(3), options);
  run.complete(0, kDown);
  run.complete(1, kDown);
  run.pass(599s);
  CHECK(run.finished.empty());
  run.pass(1s);
  CHECK(run.count(Outcome::unreachable) == 3);
  CHECK(run.finished.at(2).fault->message == "server 'db1' is down: it broke");
  CHECK(run.finished.at(2).fault->code == ErrorCode::unreachable);
  CHECK(run.notes.back() == "server_given_up: server 'db1' was paused for 600 s and is given up");
  CHECK(run.halts.empty());
  run.complete_all(went(Outcome::applied));
  run.complete_all(went(Outcome::applied));
  CHECK(run.schedule.finished());
}

TEST_CASE("a server that answers probes but does nothing well is given up all the same") {
  ScheduleOptions options = one_at_a_time();
  options.limits.server_pause = 60s;
  ScheduleDriver run(tenants_on("db", 2), options);
  for (int i = 0; i < 10'000 && !run.schedule.finished(); ++i) {
    run.complete_all(kDown);
    run.pass(100ms);
    if (run.probe_under_way[0]) {
      run.probe_says(std::nullopt);
    }
  }
  CHECK(run.count(Outcome::unreachable) == 2);
}

TEST_CASE("news of an outage that is over pauses the server no second time") {
  ScheduleDriver run(tenants_on("db", 2), at_once(2, 2));
  run.complete(0, kDown);
  run.pass(2s);
  run.probe_says(std::nullopt);
  run.complete(1, kDown);  // it hung from before
  CHECK(run.in_flight == std::set<std::size_t>{0, 1});
  CHECK(run.schedule.paused().empty());
}

TEST_CASE("a tenant whose session was killed is tried three times, with a probe between") {
  ScheduleDriver run(tenants_on("db", 1), one_at_a_time());
  for (int attempt = 1; attempt <= 3; ++attempt) {
    REQUIRE(run.attempts[0] == attempt);
    run.complete(0, kKilled);
    run.pass(500ms);
    REQUIRE(run.probes.size() == static_cast<std::size_t>(attempt));
    run.probe_says(std::nullopt);
  }
  CHECK(run.outcome_of(0) == Outcome::failed);
  CHECK(run.finished.at(0).attempts == 3);
}

TEST_CASE("a killed session holds up only its own tenant, a lost connection the server") {
  ScheduleDriver run(tenants_on("db", 4), at_once(2, 2));
  SECTION("killed") {
    run.complete(0, kKilled);
    CHECK(run.in_flight == std::set<std::size_t>{1, 2});
  }
  SECTION("lost") {
    run.complete(0, kLost);
    CHECK(run.in_flight == std::set<std::size_t>{1});
    run.probe_says(std::nullopt);
    CHECK(run.in_flight == std::set<std::size_t>{0, 1});
    CHECK(run.attempts[0] == 2);
  }
}

TEST_CASE("a server gets at most two probes a second, however many sessions are killed") {
  ScheduleDriver run(tenants_on("db", 100), at_once(4, 4));
  for (int i = 0; i < 100; ++i) {
    if (!run.in_flight.empty()) {
      run.complete(*run.in_flight.begin(), kKilled);
    }
    run.pass(20ms);
    if (run.probe_under_way[0]) {
      run.probe_says(std::nullopt);
    }
  }
  CHECK(run.probes.size() >= 3);
  CHECK(run.probes.size() <= 5);
}

TEST_CASE("a lost connection to a server that is down costs no attempt") {
  ScheduleDriver run(tenants_on("db", 1), one_at_a_time());
  run.complete(0, kLost);
  run.probe_says(refused_connection());
  REQUIRE(run.schedule.paused().size() == 1);
  CHECK(run.schedule.paused()[0].why == "server 'db' is down: probe failed: connection refused");
  run.pass(2s);
  run.probe_says(std::nullopt);
  CHECK(run.in_flight == std::set<std::size_t>{0});
  CHECK(run.attempts[0] == 1);
}

TEST_CASE("a tenant that cannot be connected to on a good server ends unreachable at the third") {
  ScheduleDriver run(tenants_on("db", 1), one_at_a_time());
  for (int i = 0; i < 3; ++i) {
    run.complete(0, kLost);
    run.pass(500ms);
    run.probe_says(std::nullopt);
  }
  CHECK(run.outcome_of(0) == Outcome::unreachable);
  CHECK(run.finished.at(0).attempts == 3);
}

TEST_CASE("a missing server file is the migration's fault when a probe succeeds") {
  ScheduleDriver run(tenants_on("db", 2), one_at_a_time());
  run.complete(0, faulted(Outcome::failed, FaultClass::server_suspect));
  CHECK(run.in_flight.empty());
  SECTION("probe succeeds") {
    run.probe_says(std::nullopt);
    CHECK(run.outcome_of(0) == Outcome::failed);
    CHECK(run.in_flight == std::set<std::size_t>{1});
  }
  SECTION("probe fails: the server is paused") {
    drover::engine::SqlError error;
    error.sqlstate = "58P01";
    error.message = "could not open file";
    run.probe_says(error);
    CHECK(run.finished.empty());
    REQUIRE(run.schedule.paused().size() == 1);
    run.pass(10min);
    CHECK(run.count(Outcome::unreachable) == 2);
    CHECK(run.finished.at(0).fault->kind == "server_file_missing");
  }
}

TEST_CASE("a probe that is refused a password has talked to a server that is well") {
  ScheduleDriver run(tenants_on("db", 2), one_at_a_time());
  run.complete(0, kDown);
  run.pass(2s);
  drover::engine::SqlError error;
  error.sqlstate = "28P01";
  run.probe_says(error);
  CHECK(run.schedule.paused().empty());
  CHECK(run.in_flight.size() == 1);
}

TEST_CASE("a refused password is tried once more, with the secret read again") {
  ScheduleDriver run(tenants_on("db", 1), one_at_a_time());
  run.complete(0, faulted(Outcome::unreachable, FaultClass::authentication));
  CHECK(run.attempts[0] == 2);
  run.complete(0, faulted(Outcome::unreachable, FaultClass::authentication));
  CHECK(run.outcome_of(0) == Outcome::unreachable);
}

TEST_CASE("three servers in a row that refuse the login stop the run, unless one lets us in") {
  std::vector<ScheduledTenant> tenants;
  for (std::size_t i = 0; i < 6; ++i) {
    const auto one = tenants_on("db" + std::to_string(i), 1, i);
    tenants.insert(tenants.end(), one.begin(), one.end());
  }
  ScheduleDriver run(tenants, one_at_a_time());
  const TenantOutcome refused = faulted(Outcome::unreachable, FaultClass::authentication);
  const auto refuse = [&](std::size_t tenant) {
    run.complete(tenant, refused);
    run.complete(tenant, refused);
  };
  refuse(0);
  refuse(1);
  SECTION("the third stops it") {
    refuse(2);
    REQUIRE(run.halts.size() == 1);
    CHECK(run.halts.front().kind == "authentication_failed");
    CHECK(run.count(Outcome::not_started) == 3);
  }
  SECTION("one that works in between does not") {
    run.complete(2, went(Outcome::applied));
    refuse(3);
    refuse(4);
    CHECK(run.halts.empty());
    CHECK(run.in_flight.size() == 1);
  }
}

TEST_CASE("a doubt stays a doubt when nobody could look, and is resolved when someone did") {
  ScheduleDriver run(tenants_on("db", 1), one_at_a_time());
  TenantOutcome doubt = kInDoubt;
  doubt.from = {RevisionId{"0001"}};
  doubt.to = {RevisionId{"0001"}};
  run.complete(0, doubt);
  SECTION("the server does not come back") {
    run.probe_says(refused_connection());
    run.pass(10min);
    CHECK(run.outcome_of(0) == Outcome::in_doubt);
  }
  SECTION("the server is fine, and the tenant cannot be reached again") {
    for (int i = 0; i < 3 && !run.schedule.finished(); ++i) {
      run.probe_says(std::nullopt);
      run.complete_all(kLost);
      run.pass(500ms);
    }
    CHECK(run.outcome_of(0) == Outcome::in_doubt);
  }
  SECTION("the next attempt finds it committed: this run applied it") {
    run.probe_says(std::nullopt);
    TenantOutcome found = went(Outcome::current);
    found.from = {RevisionId{"0002"}};
    found.to = {RevisionId{"0002"}};
    run.complete(0, found);
    CHECK(run.outcome_of(0) == Outcome::applied);
    CHECK(run.finished.at(0).from == std::vector<RevisionId>{RevisionId{"0001"}});
    CHECK(run.finished.at(0).to == std::vector<RevisionId>{RevisionId{"0002"}});
    CHECK(run.finished.at(0).attempts == 2);
  }
  SECTION("the run is drained meanwhile") {
    run.take(run.schedule.drain(run.now));
    CHECK(run.outcome_of(0) == Outcome::in_doubt);
  }
}

TEST_CASE("a tenant under which three processes died is not touched again") {
  std::vector<ScheduledTenant> tenants = tenants_on("db", 2);
  tenants[0].crashed_starts = 3;
  tenants[1].crashed_starts = 2;
  ScheduleDriver run(tenants, at_once(2, 2));
  CHECK(run.outcome_of(0) == Outcome::failed);
  CHECK(run.finished.at(0).fault->kind == "quarantined");
  CHECK(run.finished.at(0).fault->message ==
        "tenant 't0' was started 3 times, and each time the process died under it");
  CHECK(run.finished.at(0).attempts == 3);
  CHECK(run.starts == std::vector<std::size_t>{1});
  CHECK(run.attempts[1] == 3);
}

TEST_CASE("the budget tolerates its number of failures and trips on the next") {
  ScheduleOptions options = at_once(3, 3);
  options.failure_budget = 2;
  ScheduleDriver run(tenants_on("db", 10), options);
  run.complete(0, kBroken);
  run.complete(1, kBroken);
  CHECK(run.halts.empty());
  CHECK(run.in_flight == std::set<std::size_t>{2, 3, 4});
  run.complete(2, kBroken);
  REQUIRE(run.halts.size() == 1);
  CHECK(run.halts[0].code == ErrorCode::halted);
  CHECK(run.halts[0].kind == "budget_exhausted");
  CHECK(run.halts[0].message == "3 of 10 tenants failed, and 2 are tolerated");
  CHECK(run.halts[0].hint == "Mend what they have in common, then resume the run.");
  CHECK(run.count(Outcome::not_started) == 5);
  CHECK_FALSE(run.schedule.finished());
  run.complete(3, went(Outcome::applied));
  run.complete(4, kBroken);
  CHECK(run.schedule.finished());
  CHECK(run.halts.size() == 1);
}

TEST_CASE("without a number a tenth of the tenants may fail, at least one; one alone needs none") {
  CHECK(default_failure_budget(1) == std::nullopt);
  CHECK(default_failure_budget(2) == 1U);
  CHECK(default_failure_budget(19) == 1U);
  CHECK(default_failure_budget(20) == 2U);
  CHECK(default_failure_budget(10'000) == 1'000U);
}

TEST_CASE("what would go wrong everywhere halts the run") {
  ScheduleDriver run(tenants_on("db", 3), one_at_a_time());
  run.complete(0, faulted(Outcome::failed, FaultClass::fatal));
  REQUIRE(run.halts.size() == 1);
  CHECK(run.halts[0].message == "tenant 't0' met what every tenant would meet: it broke");
  CHECK(run.count(Outcome::not_started) == 2);
  CHECK(run.schedule.finished());
}

TEST_CASE("draining starts nothing more and lets what is in flight end") {
  ScheduleDriver run(tenants_on("db", 5), at_once(2, 2));
  run.take(run.schedule.drain(run.now));
  CHECK(run.count(Outcome::not_started) == 3);
  CHECK_FALSE(run.cancelled);
  run.complete(0, went(Outcome::applied));
  run.complete(1, kDown);  // it would be tried again, were there a later
  CHECK(run.outcome_of(0) == Outcome::applied);
  CHECK(run.outcome_of(1) == Outcome::not_started);
  CHECK(run.schedule.finished());
  CHECK(run.starts.size() == 2);
}

TEST_CASE("cancelling asks what is in flight to stop, and counts nothing of it as failed") {
  ScheduleOptions options = at_once(2, 2);
  options.failure_budget = 0;
  ScheduleDriver run(tenants_on("db", 5), options);
  run.take(run.schedule.drain(run.now));
  run.take(run.schedule.cancel(run.now));
  CHECK(run.cancelled);
  run.complete(0, faulted(Outcome::failed, FaultClass::permanent, "interrupted"));
  run.complete(1, faulted(Outcome::partial, FaultClass::permanent, "interrupted"));
  CHECK(run.outcome_of(0) == Outcome::not_started);
  CHECK(run.outcome_of(1) == Outcome::partial);
  CHECK(run.halts.empty());
  CHECK(run.schedule.finished());
}

TEST_CASE("nothing is started once the lease is no longer trusted, until it is again") {
  ScheduleDriver run(tenants_on("db", 3), one_at_a_time());
  run.schedule.trust_lease_until(run.now + 10s);
  run.complete(0, went(Outcome::current));
  CHECK(run.in_flight == std::set<std::size_t>{1});
  run.now += 10s;
  run.complete(1, went(Outcome::current));
  CHECK(run.in_flight.empty());
  run.schedule.trust_lease_until(run.now + 1s);
  run.take(run.schedule.tick(run.now));
  CHECK(run.in_flight == std::set<std::size_t>{2});
}

TEST_CASE("a run of no tenants is finished at once") {
  ScheduleDriver run({}, one_at_a_time());
  CHECK(run.schedule.finished());
}

TEST_CASE("a fault of the server in an open tenant keeps it open at the end") {
  ScheduleDriver run(tenants_on("db", 1), one_at_a_time());
  run.complete(0, faulted(Outcome::partial, FaultClass::server_down));
  run.pass(10min);
  CHECK(run.outcome_of(0) == Outcome::partial);
}

TEST_CASE("a server that did something well between two outages has all its patience again") {
  ScheduleOptions options = one_at_a_time();
  options.limits.server_pause = 10min;
  ScheduleDriver run(tenants_on("db", 3), options);
  for (const std::size_t tenant : {std::size_t{0}, std::size_t{1}}) {
    run.complete(tenant, kDown);
    run.pass(6min);
    run.probe_says(std::nullopt);
    run.complete(tenant, went(Outcome::applied));
  }
  run.complete(2, went(Outcome::applied));
  CHECK(run.count(Outcome::applied) == 3);
}

TEST_CASE("a doubt about the server that comes up during a probe is answered by the next one") {
  ScheduleDriver run(tenants_on("db", 3), at_once(2, 2));
  run.complete(0, kLost);
  run.complete(1, kLost);
  run.probe_says(std::nullopt);
  CHECK(run.in_flight.empty());
  run.pass(500ms);
  REQUIRE(run.probes.size() == 2);
  run.probe_says(std::nullopt);
  CHECK(run.in_flight == std::set<std::size_t>{0, 1});
}

TEST_CASE("a connection lost in an outage that is over costs neither an attempt nor a probe") {
  ScheduleDriver run(tenants_on("db", 2), at_once(2, 2));
  run.complete(0, kDown);
  run.pass(2s);
  run.probe_says(std::nullopt);
  run.complete(1, kLost);
  CHECK(run.in_flight == std::set<std::size_t>{0, 1});
  CHECK(run.attempts[1] == 1);
  run.pass(1s);
  CHECK(run.probes.size() == 1);
}

TEST_CASE("a doubt that was followed by a failure someone looked into is a failure") {
  ScheduleDriver run(tenants_on("db", 1), one_at_a_time());
  TenantOutcome doubt = kInDoubt;
  doubt.from = {RevisionId{"0001"}};
  run.complete(0, doubt);
  run.probe_says(std::nullopt);
  run.complete(0, kBroken);
  CHECK(run.outcome_of(0) == Outcome::failed);
  CHECK(run.finished.at(0).from == doubt.from);
}

TEST_CASE("what an attempt changed is told although the next one could not connect") {
  ScheduleDriver run(tenants_on("db", 1), one_at_a_time());
  TenantOutcome half = kLost;
  half.to = {RevisionId{"0001"}};
  run.complete(0, half);
  for (int i = 0; i < 2; ++i) {
    run.probe_says(std::nullopt);
    run.complete(0, kLost);
    run.pass(500ms);
  }
  run.probe_says(std::nullopt);
  CHECK(run.outcome_of(0) == Outcome::unreachable);
  CHECK(run.finished.at(0).to == half.to);
}

TEST_CASE("failed tenants have another turn when somebody wants it, and count no more") {
  ScheduleOptions options = at_once(2, 2);
  options.failure_budget = 1;
  std::vector<std::string> forgiven;
  options.on_forgiven = [&](const TenantOutcome& failure) { forgiven.push_back(failure.id.value); };
  ScheduleDriver run(tenants_on("db", 4), options);
  run.complete(0, kBroken);
  run.complete(1, went(Outcome::applied));
  run.take(run.schedule.retry_failed(run.now));
  CHECK(forgiven == std::vector<std::string>{"t0"});
  CHECK_FALSE(run.finished.contains(0));
  run.complete(2, kBroken);  // one failure again, which is tolerated
  CHECK(run.halts.empty());
  run.complete(3, went(Outcome::applied));
  CHECK(run.starts == std::vector<std::size_t>{0, 1, 2, 3, 0});
  run.complete(0, went(Outcome::applied));
  CHECK(run.schedule.finished());
  CHECK(run.finished.at(0).outcome == Outcome::applied);
  CHECK(run.finished.at(0).attempts == 2);

  run.take(run.schedule.retry_failed(run.now));  // t2, after all were done
  CHECK_FALSE(run.schedule.finished());
  run.complete(2, went(Outcome::applied));
  CHECK(run.schedule.finished());
  CHECK(forgiven == std::vector<std::string>{"t0", "t2"});
}

TEST_CASE("a server that was given up is tried again with its tenants") {
  ScheduleOptions options = one_at_a_time();
  options.limits.server_pause = 1s;
  ScheduleDriver run(tenants_on("db", 1), options);
  run.complete(0, kDown);
  run.pass(2s);
  REQUIRE(run.finished.at(0).outcome == Outcome::unreachable);
  run.take(run.schedule.retry_failed(run.now));
  REQUIRE(run.in_flight == std::set<std::size_t>{0});
  run.complete(0, went(Outcome::applied));
  CHECK(run.schedule.finished());
  CHECK(run.halts.empty());
}

TEST_CASE("a schedule that is stopping tries nothing again") {
  ScheduleDriver run(tenants_on("db", 2), one_at_a_time());
  run.complete(0, kBroken);
  run.take(run.schedule.drain(run.now));
  run.take(run.schedule.retry_failed(run.now));
  CHECK(run.finished.contains(0));
}

namespace {

TenantOutcome without_backup() {
  TenantOutcome outcome = kBroken;
  outcome.reason = std::string(drover::orchestrator::kNoBackup);
  outcome.fault->message = "pg_dump exited with status 1";
  return outcome;
}

}  // namespace

TEST_CASE("three tenants of a server in a row without a backup stop the run for people to look") {
  ScheduleDriver run(tenants_on("db", 6), one_at_a_time());
  run.complete(0, without_backup());
  run.complete(1, without_backup());
  run.complete(2, went(Outcome::applied));  // then it was these two
  run.complete(3, without_backup());
  run.complete(4, went(Outcome::current));  // needs none, so says nothing
  CHECK(run.halts.empty());
  ScheduleDriver other(tenants_on("db", 4), one_at_a_time());
  for (std::size_t i = 0; i < 3; ++i) {
    REQUIRE(other.halts.empty());
    other.complete(i, without_backup());
  }
  REQUIRE(other.halts.size() == 1);
  CHECK(other.halts.front().code == ErrorCode::waiting);
  CHECK(other.halts.front().kind == "backups_fail");
  CHECK(other.halts.front().message ==
        "3 tenants of server 'db' in a row have no backup, the last because pg_dump exited with "
        "status 1");
  CHECK(other.schedule.finished());
}

TEST_CASE("backups that fail on one server say nothing of those on another") {
  ScheduleDriver run(two_servers(2), at_once(4, 2));
  for (std::size_t i = 0; i < 4; ++i) {
    run.complete(i, without_backup());
  }
  CHECK(run.halts.empty());
}

TEST_CASE("who comes next is told in the order of starting, across servers") {
  std::vector<ScheduledTenant> tenants = two_servers(3);
  tenants[5].known_duration = 90ms;
  tenants[1].known_duration = 80ms;
  tenants[4].known_duration = 70ms;
  ScheduleDriver run(tenants, one_at_a_time());
  REQUIRE(run.starts == std::vector<std::size_t>{5});
  CHECK(run.schedule.upcoming(2) == std::vector<std::size_t>{1, 4});
  CHECK(run.schedule.upcoming(9) == std::vector<std::size_t>{1, 4, 0, 2, 3});
  CHECK(run.schedule.upcoming(0).empty());
}

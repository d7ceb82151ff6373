#include <array>
#include <atomic>
#include <barrier>
#include <functional>
#include <thread>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "tests/conformance/journal_conformance.h"

using namespace std::chrono_literals;
using namespace drover::orchestrator;

namespace drover::test {
namespace {

constexpr auto kWithinLease = 20s;
constexpr auto kBeyondLease = 31s;

const Owner kAlice = owner_called("alice");
const Owner kBob = owner_called("bob");

/// What RunInProgress says of `holder`, who started today.
std::string in_progress_message(const RunRecord& holder) {
  return fmt::format(
      "environment 'production' is being migrated by run {} of {} on host "
      "far-away.example (pid 12), since {:%H:%M:%S}Z",
      holder.id.value,
      holder.owner.user,
      fmt::gmtime(std::chrono::system_clock::to_time_t(holder.started)));
}

/// Checks that `action` is refused because of the living run `holder`.
void check_in_progress(Journal& journal, const RunId& holder, const std::function<void()>& action) {
  const RunRecord record = journal.run(holder.value);
  CHECK(record.lease_alive);
  try {
    action();
    FAIL("a living run did not stand in the way");
  } catch (const RunInProgress& error) {
    CHECK(error.code() == ErrorCode::busy);
    CHECK(error.kind_name() == "run_in_progress");
    CHECK(error.what() == in_progress_message(record));
    CHECK(error.hint() ==
          "Wait for that run to end, or stop it; a run whose process is gone is taken over.");
    CHECK(error.holder().id == holder);
    CHECK(error.holder().owner == record.owner);
    CHECK(error.holder().lease_alive);
  }
}

void living_run_stands_in_the_way(JournalStore& store) {
  const auto journal = store.open();
  const RunId run = journal->begin_run(request_for({"a"}), kAlice);
  store.let_time_pass(kWithinLease);

  const auto other = store.open();
  check_in_progress(*other, run, [&] { other->begin_run(request_for({"a"}), kBob); });
  check_in_progress(*other, run, [&] { other->take_over(run, kBob); });
  check_in_progress(*other, run, [&] { other->finish_run(run, RunState::abandoned, 0); });

  CHECK(journal->heartbeat(run, kAlice));
  CHECK_FALSE(journal->resumable("production").has_value());
}

void environments_are_apart(JournalStore& store) {
  const auto journal = store.open();
  journal->begin_run(request_for({"a"}, "production"), kAlice);

  CHECK_NOTHROW(journal->begin_run(request_for({"a"}, "staging"), kBob));
}

void heartbeats_keep_a_run_alive(JournalStore& store) {
  const auto journal = store.open();
  const RunId run = journal->begin_run(request_for({"a"}), kAlice);
  for (int i = 0; i < 3; ++i) {
    store.let_time_pass(kWithinLease);
    CHECK(journal->heartbeat(run, kAlice));
  }

  CHECK(journal->run(run.value).lease_alive);
  CHECK(journal->lease() == 30s);
  const auto other = store.open();
  CHECK_THROWS_AS(other->begin_run(request_for({"a"}), kBob), RunInProgress);
}

void only_the_holder_renews(JournalStore& store) {
  const auto journal = store.open();
  const RunId run = journal->begin_run(request_for({"a"}), kAlice);

  CHECK_FALSE(journal->heartbeat(run, kBob));
  CHECK_FALSE(store.open()->heartbeat(run, kAlice));
  CHECK(journal->heartbeat(run, kAlice));
}

void silent_run_is_dead(JournalStore& store) {
  const auto journal = store.open();
  const RunId dead = journal->begin_run(request_for({"a"}), kAlice);
  store.let_time_pass(kBeyondLease);
  const auto other = store.open();
  CHECK_FALSE(other->run(dead.value).lease_alive);
  CHECK(other->resumable("production")->id == dead);

  const RunId next = other->begin_run(request_for({"a"}), kBob);

  CHECK(next != dead);
  CHECK_FALSE(journal->heartbeat(dead, kAlice));
  CHECK(other->heartbeat(next, kBob));
  CHECK(other->run(dead.value).state == RunState::running);
  CHECK(other->resumable("production")->id == dead);
  check_in_progress(*other, next, [&] { journal->take_over(dead, kAlice); });
}

void late_heartbeat_renews_what_nobody_took(JournalStore& store) {
  const auto journal = store.open();
  const RunId run = journal->begin_run(request_for({"a"}), kAlice);
  store.let_time_pass(kBeyondLease);

  CHECK(journal->heartbeat(run, kAlice));
  CHECK(journal->run(run.value).lease_alive);
}

void dead_run_is_taken_over(JournalStore& store) {
  const auto journal = store.open();
  const RunId run = journal->begin_run(request_for({"a", "b", "c"}), kAlice);
  journal->record(applied(run, "a"));
  journal->record(TenantStarted{run, {"b"}, 1});
  journal->flush();
  store.let_time_pass(kBeyondLease);

  const auto other = store.open();
  other->take_over(run, kBob);

  const RunRecord record = other->run(run.value);
  CHECK(record.owner == kBob);
  CHECK(record.lease_alive);
  CHECK(record.state == RunState::running);
  CHECK_FALSE(journal->heartbeat(run, kAlice));
  CHECK(other->heartbeat(run, kBob));
  const std::vector<JournalTenant> tenants = other->tenants_of(run);
  CHECK(tenants[0].finished);
  CHECK(tenants[1].started);
  CHECK_FALSE(tenants[2].started);
  check_in_progress(*journal, run, [&] { journal->begin_run(request_for({"a"}), kAlice); });
}

void sleeper_changes_nothing(JournalStore& store) {
  const auto sleeper = store.open();
  const RunId run = sleeper->begin_run(request_for({"a", "b"}), kAlice);
  store.let_time_pass(kBeyondLease);
  const auto other = store.open();
  other->take_over(run, kBob);
  other->record(applied(run, "a"));
  other->flush();

  sleeper->record(TenantStarted{run, {"a"}, 1});
  sleeper->record(RunEvent{run, "", "note", "late"});
  const Error error = error_of([&] { sleeper->flush(); });

  CHECK(error.code() == ErrorCode::busy);
  CHECK(error.kind_name() == "lease_lost");
  CHECK(error.what() == "run " + run.value + " was taken over by another process");
  CHECK(error_of([&] { sleeper->finish_run(run, RunState::finished, 0); }).kind_name() ==
        "lease_lost");
  CHECK(other->tenants_of(run)[0].finished);
  CHECK(other->events_of(run).empty());
  CHECK(other->run(run.value).state == RunState::running);
}

void sleeper_may_take_its_run_back(JournalStore& store) {
  const auto sleeper = store.open();
  const RunId run = sleeper->begin_run(request_for({"a"}), kAlice);
  store.let_time_pass(kBeyondLease);
  const auto other = store.open();
  other->take_over(run, kBob);
  sleeper->record(TenantStarted{run, {"a"}, 1});
  CHECK_THROWS_AS(sleeper->flush(), Error);
  other->finish_run(run, RunState::interrupted, 130);

  sleeper->take_over(run, kAlice);
  sleeper->record(applied(run, "a"));
  sleeper->finish_run(run, RunState::finished, 0);

  CHECK(other->run(run.value).owner == kAlice);
  CHECK(other->tenants_of(run)[0].finished);
}

void interrupted_run_goes_on(JournalStore& store) {
  const auto journal = store.open();
  const RunId run = journal->begin_run(request_for({"a"}), kAlice);
  journal->finish_run(run, RunState::interrupted, 130);
  const RunRecord record = journal->run(run.value);
  CHECK(record.state == RunState::interrupted);
  CHECK(record.exit_status == 130);
  CHECK(record.finished.has_value());
  CHECK_FALSE(record.lease_alive);
  CHECK_FALSE(journal->heartbeat(run, kAlice));
  REQUIRE(journal->resumable("production").has_value());
  CHECK(journal->resumable("production")->id == run);

  const auto other = store.open();
  other->take_over(run, kBob);

  CHECK(other->run(run.value).state == RunState::running);
  CHECK_FALSE(other->run(run.value).finished.has_value());
  CHECK_FALSE(other->resumable("production").has_value());
}

void finished_run_is_over(JournalStore& store) {
  const auto journal = store.open();
  const RunId run = journal->begin_run(request_for({"a"}), kAlice);
  journal->record(applied(run, "a"));
  journal->finish_run(run, RunState::finished, 3);

  const RunRecord record = journal->run(run.value);
  CHECK(record.state == RunState::finished);
  CHECK(record.exit_status == 3);
  CHECK(record.counts.at(Outcome::applied) == 1);
  CHECK_FALSE(record.lease_alive);
  CHECK_FALSE(journal->resumable("production").has_value());
  const Error error = error_of([&] { store.open()->take_over(run, kBob); });
  CHECK(error.code() == ErrorCode::usage);
  CHECK(error.kind_name() == "run_finished");
  CHECK(error.what() == "run " + run.value + " is finished");
  CHECK(error_of([&] { journal->finish_run(run, RunState::abandoned, 0); }).kind_name() ==
        "run_finished");
  CHECK_NOTHROW(journal->begin_run(request_for({"a"}), kBob));
}

void dead_run_may_only_be_abandoned(JournalStore& store) {
  const RunId run = store.open()->begin_run(request_for({"a"}), kAlice);
  store.let_time_pass(kBeyondLease);
  const auto other = store.open();

  CHECK(error_of([&] { other->finish_run(run, RunState::finished, 0); }).kind_name() ==
        "lease_lost");
  other->finish_run(run, RunState::abandoned, 4);

  CHECK(other->run(run.value).state == RunState::abandoned);
  CHECK_FALSE(other->resumable("production").has_value());
}

/// How many of eight processes that try at the same moment succeed.
int winners_of_race(JournalStore& store,
                    const std::function<void(Journal&, const Owner&)>& action) {
  constexpr int kRunners = 8;
  std::vector<std::unique_ptr<Journal>> journals;
  for (int i = 0; i < kRunners; ++i) {
    journals.push_back(store.open());
  }
  std::barrier start(kRunners);
  std::atomic<int> winners = 0;
  std::atomic<int> losers = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kRunners; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      try {
        action(*journals[static_cast<std::size_t>(i)], owner_called(std::to_string(i)));
        ++winners;
      } catch (const RunInProgress&) {
        ++losers;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(winners + losers == kRunners);
  return winners;
}

void one_of_many_begins(JournalStore& store) {
  CHECK(winners_of_race(store, [](Journal& journal, const Owner& owner) {
          journal.begin_run(request_for({"a", "b"}), owner);
        }) == 1);
  CHECK(store.open()->runs("production", 100).size() == 1);
}

void one_of_many_takes_over(JournalStore& store) {
  const RunId run = store.open()->begin_run(request_for({"a"}), kAlice);
  store.let_time_pass(kBeyondLease);

  CHECK(winners_of_race(store, [&](Journal& journal, const Owner& owner) {
          journal.take_over(run, owner);
        }) == 1);
}

constexpr std::array<JournalCheck<JournalStore>, 14> kLeaseChecks = {{
    {"a living run stands in the way and is named", living_run_stands_in_the_way},
    {"environments do not stand in each other's way", environments_are_apart},
    {"heartbeats keep a run alive", heartbeats_keep_a_run_alive},
    {"only the holder renews its lease", only_the_holder_renews},
    {"a run that is silent for a lease does not stand in the way", silent_run_is_dead},
    {"a late heartbeat renews a lease that nobody took", late_heartbeat_renews_what_nobody_took},
    {"a dead run is taken over with all that was recorded", dead_run_is_taken_over},
    {"a process that slept through a take-over changes nothing", sleeper_changes_nothing},
    {"a process may take its own run back", sleeper_may_take_its_run_back},
    {"an interrupted run can be taken over at once", interrupted_run_goes_on},
    {"a finished run is over", finished_run_is_over},
    {"a dead run of someone else may only be abandoned", dead_run_may_only_be_abandoned},
    {"of eight that begin at the same moment one wins", one_of_many_begins},
    {"of eight that take over at the same moment one wins", one_of_many_takes_over},
}};

}  // namespace

std::span<const JournalCheck<JournalStore>> journal_lease_checks() {
  return kLeaseChecks;
}

}  // namespace drover::test

#include "tests/conformance/journal_conformance.h"

#include <algorithm>
#include <array>
#include <map>
#include <thread>

#include <catch2/catch.hpp>

#include "engine/base/sha256.h"

using namespace std::chrono_literals;
using namespace drover::orchestrator;

namespace drover::test {
namespace {

constexpr std::string_view kFirstText = "CREATE TABLE files (id bigint);\n";
constexpr std::string_view kSecondText = "ALTER TABLE files ADD COLUMN path text;\n";

/// Every field filled, with texts that are hard on databases.
TenantOutcome eventful_outcome(const std::string& id) {
  TenantOutcome outcome;
  outcome.id = TenantId{id};
  outcome.server = "db1:5432";
  outcome.outcome = Outcome::partial;
  outcome.reason = "changed_since_plan";
  outcome.from = {{"0001"}, {"0002b"}};
  outcome.to = {{"0003"}};
  outcome.duration = 1234ms;
  outcome.attempts = 3;
  outcome.fault =
      engine::TenantFault{.code = ErrorCode::busy,
                          .fault_class = engine::FaultClass::server_suspect,
                          .kind = "lock_timeout",
                          .sqlstate = "55P03",
                          .message = "revision '0003': it's \"locked\"; DROP TABLE x; --",
                          .hint = "Wait for $1, %s and \\ to go away.",
                          .revision = "0003",
                          .place = {"migrations/0003.sql", 12, 3},
                          .blocker = engine::Blocker{4711, "psql", "", "active", "2h"}};
  return outcome;
}

void check_equal(const std::optional<engine::TenantFault>& got,
                 const std::optional<engine::TenantFault>& wanted) {
  REQUIRE(got.has_value() == wanted.has_value());
  if (got) {
    CHECK(got->code == wanted->code);
    CHECK(got->fault_class == wanted->fault_class);
    CHECK(got->kind == wanted->kind);
    CHECK(got->sqlstate == wanted->sqlstate);
    CHECK(got->message == wanted->message);
    CHECK(got->hint == wanted->hint);
    CHECK(got->revision == wanted->revision);
    CHECK(got->place == wanted->place);
    CHECK(got->blocker == wanted->blocker);
  }
}

void check_equal(const TenantOutcome& got, const TenantOutcome& wanted) {
  CHECK(got.id == wanted.id);
  CHECK(got.server == wanted.server);
  CHECK(got.outcome == wanted.outcome);
  CHECK(got.reason == wanted.reason);
  CHECK(got.from == wanted.from);
  CHECK(got.to == wanted.to);
  CHECK(got.duration == wanted.duration);
  CHECK(got.attempts == wanted.attempts);
  check_equal(got.fault, wanted.fault);
}

std::vector<std::string> texts_of(const std::vector<EventRecord>& events) {
  std::vector<std::string> texts;
  for (const EventRecord& event : events) {
    texts.push_back(event.text);
  }
  return texts;
}

void keeps_the_request(JournalStore& store) {
  const RunRequest request = request_for({"zeta", "alpha", "mid"});
  const RunId id = store.open()->begin_run(request, owner_called("alice"));

  const auto journal = store.open();
  const RunRecord record = journal->run(id.value);

  CHECK(record.id == id);
  CHECK(record.request.environment == "production");
  CHECK(record.request.verb == request.verb);
  CHECK(record.request.target == request.target);
  CHECK(record.request.digest == request.digest);
  CHECK(record.request.options == request.options);
  CHECK(record.request.files == request.files);
  CHECK(record.owner == owner_called("alice"));
  CHECK(record.state == RunState::running);
  CHECK(record.lease_alive);
  CHECK(record.started == record.heartbeat);
  CHECK_FALSE(record.finished.has_value());
  CHECK(record.total == 3);
  CHECK(record.counts.empty());
  CHECK(journal->texts_of(id) ==
        std::map<std::string, std::string>{{"0001_files.sql", std::string(kFirstText)},
                                           {"0002_path.sql", std::string(kSecondText)}});
  std::vector<std::string> tenants;
  for (const JournalTenant& tenant : journal->tenants_of(id)) {
    CHECK_FALSE(tenant.started);
    CHECK_FALSE(tenant.finished);
    tenants.push_back(tenant.outcome.id.value);
  }
  CHECK(tenants == std::vector<std::string>{"zeta", "alpha", "mid"});
}

void keeps_texts_exactly(JournalStore& store) {
  const std::string text("\xFF\0 '\r\n\\000\x80", 12);
  RunRequest request = request_for({"a"});
  const std::string sha256 = engine::base::sha256_hex(text);
  request.texts = {{sha256, text}, {engine::base::sha256_hex(""), ""}};
  request.files = {{"odd.sql", sha256}, {"empty.sql", engine::base::sha256_hex("")}};
  const auto journal = store.open();

  const RunId run = journal->begin_run(request, owner_called("alice"));

  CHECK(journal->texts_of(run) ==
        std::map<std::string, std::string>{{"odd.sql", text}, {"empty.sql", ""}});
}

void keeps_outcomes(JournalStore& store) {
  RunId run;
  {
    const auto journal = store.open();
    run = journal->begin_run(request_for({"a", "b", "c", "d"}), owner_called("alice"));
    journal->record(TenantStarted{run, {"a"}, 1});
    journal->record(TenantFinished{run, eventful_outcome("a")});
    journal->record(TenantStarted{run, {"b"}, 2});
    journal->record(applied(run, "c", 7ms));
    journal->flush();
  }

  const auto journal = store.open();
  const std::vector<JournalTenant> tenants = journal->tenants_of(run);

  REQUIRE(tenants.size() == 4);
  CHECK(tenants[0].finished);
  CHECK_FALSE(tenants[0].started);
  check_equal(tenants[0].outcome, eventful_outcome("a"));
  CHECK(tenants[1].started);
  CHECK_FALSE(tenants[1].finished);
  CHECK(tenants[1].outcome.attempts == 2);
  CHECK(tenants[2].finished);
  check_equal(tenants[2].outcome, applied(run, "c", 7ms).outcome);
  CHECK_FALSE(tenants[3].started);
  CHECK(journal->run(run.value).counts ==
        std::map<Outcome, std::size_t>{{Outcome::partial, 1}, {Outcome::applied, 1}});
}

void starts_again(JournalStore& store) {
  const auto journal = store.open();
  const RunId run = journal->begin_run(request_for({"a"}), owner_called("alice"));
  journal->record(TenantFinished{run, eventful_outcome("a")});
  journal->flush();
  journal->record(TenantStarted{run, {"a"}, 4});
  journal->flush();

  const std::vector<JournalTenant> tenants = journal->tenants_of(run);

  REQUIRE(tenants.size() == 1);
  CHECK(tenants[0].started);
  CHECK_FALSE(tenants[0].finished);
  CHECK(tenants[0].outcome.attempts == 4);
  CHECK_FALSE(tenants[0].outcome.fault.has_value());
  CHECK(journal->run(run.value).counts.empty());
}

void keeps_unlisted_tenants(JournalStore& store) {
  const auto journal = store.open();
  const RunId run = journal->begin_run(request_for({"z"}), owner_called("alice"));
  journal->record(applied(run, "a"));
  journal->flush();

  const std::vector<JournalTenant> tenants = journal->tenants_of(run);

  REQUIRE(tenants.size() == 2);
  CHECK(tenants[0].outcome.id.value == "z");
  CHECK(tenants[1].outcome.id.value == "a");
}

void keeps_events(JournalStore& store) {
  const auto journal = store.open();
  const RunId run = journal->begin_run(request_for({"a"}), owner_called("alice"));
  journal->record(RunEvent{run, "", "server_paused", "db1 is down"});
  journal->record(RunEvent{run, "a", "retry", "deadlock"});
  journal->flush();
  journal->record(RunEvent{run, "a", "retry", "deadlock"});
  journal->flush();

  const std::vector<EventRecord> events = journal->events_of(run);

  CHECK(texts_of(events) == std::vector<std::string>{"db1 is down", "deadlock", "deadlock"});
  CHECK(events[0].tenant.empty());
  CHECK(events[0].kind == "server_paused");
  CHECK(events[1].tenant == "a");
  CHECK(events[0].at >= journal->run(run.value).started);
}

void takes_records_from_threads(JournalStore& store) {
  constexpr int kThreads = 8;
  constexpr int kEach = 50;
  const auto journal = store.open();
  const RunId run = journal->begin_run(request_for({}), owner_called("alice"));
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kEach; ++i) {
        journal->record(applied(run, std::to_string(thread) + "/" + std::to_string(i)));
        journal->record(RunEvent{run, "", "note", "n"});
      }
      journal->flush();
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }

  CHECK(journal->run(run.value).counts.at(Outcome::applied) == kThreads * kEach);
  CHECK(journal->events_of(run).size() == kThreads * kEach);
}

void handles_many_tenants(JournalStore& store) {
  constexpr std::size_t kTenants = 10'000;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kTenants; ++i) {
    names.push_back("tenant-" + std::to_string(i));
  }
  const auto journal = store.open();
  const RunId run = journal->begin_run(request_for(names), owner_called("alice"));
  for (const std::string& name : names) {
    journal->record(TenantStarted{run, {name}, 1});
  }
  for (const std::string& name : names) {
    journal->record(applied(run, name, 5ms));
  }
  journal->flush();

  const std::vector<JournalTenant> tenants = journal->tenants_of(run);
  REQUIRE(tenants.size() == kTenants);
  CHECK(tenants.front().outcome.id.value == "tenant-0");
  CHECK(tenants.back().outcome.id.value == "tenant-9999");
  CHECK(journal->run(run.value).counts.at(Outcome::applied) == kTenants);
  CHECK(journal->durations("production").size() == kTenants);
}

void remembers_durations(JournalStore& store) {
  const auto journal = store.open();
  const RunId first = journal->begin_run(request_for({"a", "b"}), owner_called("alice"));
  journal->record(applied(first, "a", 10ms));
  journal->record(applied(first, "b", 20ms));
  journal->finish_run(first, RunState::finished, 0);
  const RunId second = journal->begin_run(request_for({"a", "b"}), owner_called("alice"));
  journal->record(applied(second, "a", 30ms));
  TenantFinished failed = applied(second, "b", 999ms);
  failed.outcome.outcome = Outcome::failed;
  journal->record(failed);
  journal->flush();

  CHECK(journal->durations("production") ==
        std::map<TenantId, std::chrono::milliseconds>{{{"a"}, 30ms}, {{"b"}, 20ms}});
  CHECK(journal->durations("staging").empty());
}

void binds_uids(JournalStore& store) {
  const auto journal = store.open();

  const auto told = [&](const std::string& uid) {
    const RunId run = journal->begin_run(request_for({"a", "b"}), owner_called("alice"));
    TenantFinished finished = applied(run, "a", 10ms);
    finished.outcome.uid = uid;
    journal->record(finished);
    journal->record(applied(run, "b", 10ms));  // tells none
    journal->finish_run(run, RunState::finished, 0);
    return journal->uids("production");
  };
  using Uids = std::map<TenantId, std::string>;

  CHECK(told("uid-1") == Uids{{{"a"}, "uid-1"}});
  CHECK(told("") == Uids{{{"a"}, "uid-1"}});
  CHECK(told("uid-2") == Uids{{{"a"}, "uid-2"}});
  CHECK(journal->uids("staging").empty());
  journal->forget_uid("production", {"a"});
  CHECK(journal->uids("production").empty());
}

void finds_runs(JournalStore& store) {
  const auto journal = store.open();
  const RunId one = journal->begin_run(request_for({"a"}, "one"), owner_called("alice"));
  const RunId two = journal->begin_run(request_for({"a"}, "two"), owner_called("alice"));

  CHECK(journal->run(one.value).id == one);
  CHECK(journal->run(one.value.substr(0, one.value.size() - 1)).id == one);

  const Error ambiguous = error_of([&] { journal->run(one.value.substr(0, 2)); });
  CHECK(ambiguous.code() == ErrorCode::usage);
  CHECK(ambiguous.kind_name() == "ambiguous_run");
  CHECK(ambiguous.what() == "run '" + one.value.substr(0, 2) + "' is not clear: it may be " +
                                std::min(one, two).value + " or " + std::max(one, two).value);

  for (const std::string unknown : {"", "%", "_", "1999", "no such run"}) {
    const Error error = error_of([&] { journal->run(unknown); });
    CHECK(error.code() == ErrorCode::usage);
    CHECK(error.kind_name() == "unknown_run");
    CHECK(error.what() == "run '" + unknown + "' is not in the journal");
  }
}

void refuses_unknown_runs(JournalStore& store) {
  const auto journal = store.open();
  const RunId run{"20261122T133512-4f2a9c"};

  CHECK(error_of([&] { journal->tenants_of(run); }).kind_name() == "unknown_run");
  CHECK(error_of([&] { journal->events_of(run); }).kind_name() == "unknown_run");
  CHECK(error_of([&] { journal->texts_of(run); }).kind_name() == "unknown_run");
  CHECK(error_of([&] { journal->take_over(run, owner_called("bob")); }).kind_name() ==
        "unknown_run");
  CHECK(error_of([&] { journal->finish_run(run, RunState::abandoned, 0); }).kind_name() ==
        "unknown_run");
}

void reopens_finished_runs(JournalStore& store) {
  const auto journal = store.open();
  const RunId run = journal->begin_run(request_for({"a", "b"}), owner_called("alice"));
  TenantOutcome failed;
  failed.id = {"a"};
  failed.outcome = Outcome::failed;
  journal->record(TenantFinished{run, failed});
  journal->finish_run(run, RunState::finished, 3);
  const auto other = store.open();
  CHECK(error_of([&] { other->take_over(run, owner_called("bob")); }).kind_name() ==
        "run_finished");

  other->reopen(run, owner_called("bob"));
  CHECK(other->run(run.value).state == RunState::running);
  CHECK(other->run(run.value).owner == owner_called("bob"));
  CHECK(error_of([&] { store.open()->reopen(run, owner_called("carol")); }).code() ==
        ErrorCode::busy);  // it lives
  other->record(TenantStarted{run, {"a"}, 2});
  other->flush();
  CHECK_FALSE(other->tenants_of(run).front().finished);
  other->finish_run(run, RunState::finished, 0);
  CHECK(other->run(run.value).exit_status == 0);

  const RunId left = other->begin_run(request_for({"a"}), owner_called("bob"));
  other->finish_run(left, RunState::abandoned, 0);
  CHECK(error_of([&] { other->reopen(left, owner_called("bob")); }).kind_name() == "run_finished");
}

void lists_runs(JournalStore& store) {
  const auto journal = store.open();
  const RunId first = journal->begin_run(request_for({"a"}, "one"), owner_called("alice"));
  store.let_time_pass(1min);
  const RunId second = journal->begin_run(request_for({"a"}, "two"), owner_called("alice"));
  store.let_time_pass(1min);
  const RunId third = journal->begin_run(request_for({"a"}, "one"), owner_called("alice"));

  const auto ids = [&](const std::string& environment, std::size_t limit) {
    std::vector<RunId> result;
    for (const RunRecord& record : journal->runs(environment, limit)) {
      result.push_back(record.id);
    }
    return result;
  };
  CHECK(ids("", 10) == std::vector<RunId>{third, second, first});
  CHECK(ids("", 2) == std::vector<RunId>{third, second});
  CHECK(ids("one", 10) == std::vector<RunId>{third, first});
  CHECK(ids("three", 10).empty());
}

void forgets_old_events(JournalStore& store) {
  const auto journal = store.open();
  const RunId over = journal->begin_run(request_for({"a"}, "one"), owner_called("alice"));
  const RunId interrupted = journal->begin_run(request_for({"a"}, "two"), owner_called("alice"));
  journal->record(RunEvent{over, "", "note", "old"});
  journal->record(RunEvent{interrupted, "", "note", "old, but needed"});
  journal->flush();
  store.let_time_pass(2h);
  journal->record(RunEvent{over, "", "note", "new"});
  journal->finish_run(over, RunState::finished, 0);
  journal->finish_run(interrupted, RunState::interrupted, 130);

  journal->prune(Retention{.events = 1h, .runs = 10});

  CHECK(texts_of(journal->events_of(over)) == std::vector<std::string>{"new"});
  CHECK(texts_of(journal->events_of(interrupted)) == std::vector<std::string>{"old, but needed"});
}

void forgets_old_runs(JournalStore& store) {
  const auto journal = store.open();
  const RunId interrupted = journal->begin_run(request_for({"a"}, "one"), owner_called("alice"));
  journal->finish_run(interrupted, RunState::interrupted, 130);
  store.let_time_pass(1min);
  const RunId old = journal->begin_run(request_for({"a"}, "two"), owner_called("alice"));
  journal->record(applied(old, "a", 5ms));
  journal->finish_run(old, RunState::finished, 0);
  store.let_time_pass(1min);
  const RunId latest = journal->begin_run(request_for({"a"}, "two"), owner_called("alice"));
  journal->finish_run(latest, RunState::finished, 0);

  journal->prune(Retention{.events = 24h, .runs = 1});

  CHECK(error_of([&] { journal->run(old.value); }).kind_name() == "unknown_run");
  CHECK(journal->run(latest.value).id == latest);
  CHECK(journal->run(interrupted.value).state == RunState::interrupted);
  CHECK(journal->texts_of(latest).size() == 2);
  CHECK(journal->texts_of(interrupted).size() == 2);
  CHECK(journal->durations("two").at({"a"}) == 5ms);
}

constexpr std::array<JournalCheck<JournalStore>, 16> kChecks = {{
    {"a run keeps all that it was asked to do", keeps_the_request},
    {"migration texts come back byte by byte", keeps_texts_exactly},
    {"outcomes come back with every field after reopening", keeps_outcomes},
    {"a tenant that starts again has no outcome", starts_again},
    {"a tenant that was not listed comes last", keeps_unlisted_tenants},
    {"events come back in the order they were recorded", keeps_events},
    {"many threads may record at a time", takes_records_from_threads},
    {"ten thousand tenants are no trouble", handles_many_tenants},
    {"the last successful change says how long a tenant takes", remembers_durations},
    {"a tenant id is bound to the uid that was told last, until that is forgotten", binds_uids},
    {"a run is found by a prefix that fits only it", finds_runs},
    {"a run that is not there is refused by name", refuses_unknown_runs},
    {"a run that has finished is reopened", reopens_finished_runs},
    {"runs are listed newest first", lists_runs},
    {"old events go, but not those of unfinished runs", forgets_old_events},
    {"old runs go, but not unfinished ones", forgets_old_runs},
}};

}  // namespace

RunRequest request_for(const std::vector<std::string>& tenants, const std::string& environment) {
  RunRequest request;
  request.environment = environment;
  request.verb = "upgrade";
  request.target = "head";
  request.digest = "d1gest";
  request.options = R"({"single_transaction": false, "name": "O'Neill"})";
  for (const std::string& tenant : tenants) {
    request.tenants.push_back(TenantId{tenant});
  }
  const std::string first = engine::base::sha256_hex(kFirstText);
  const std::string second = engine::base::sha256_hex(kSecondText);
  request.texts = {{first, std::string(kFirstText)}, {second, std::string(kSecondText)}};
  request.files = {{"0001_files.sql", first}, {"0002_path.sql", second}};
  return request;
}

Owner owner_called(const std::string& user) {
  return {user, "far-away.example", 12};
}

TenantFinished applied(const RunId& run,
                       const std::string& tenant,
                       std::chrono::milliseconds duration) {
  TenantOutcome outcome;
  outcome.id = TenantId{tenant};
  outcome.outcome = Outcome::applied;
  outcome.to = {{"0002"}};
  outcome.duration = duration;
  outcome.attempts = 1;
  return {run, outcome};
}

std::span<const JournalCheck<JournalStore>> journal_checks() {
  return kChecks;
}

}  // namespace drover::test

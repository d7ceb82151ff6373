#include <array>
#include <csignal>
#include <map>

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include "orchestrator/store/process_identity.h"
#include "tests/conformance/journal_conformance.h"

using namespace std::chrono_literals;
using namespace drover::orchestrator;

namespace drover::test {
namespace {

/// A child process that does `work` and must be killed.
class Child {
 public:
  template <typename Work>
  explicit Child(Work work) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[0]);
      try {
        work(ends[1]);
      } catch (...) {
      }
      ::_exit(1);
    }
    ::close(ends[1]);
    pipe_ = ends[0];
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    kill();
    ::close(pipe_);
  }

  pid_t pid() const { return pid_; }

  /// Waits until the child has said something; false when it ended first.
  bool wait_for_word() const {
    char word = 0;
    return ::read(pipe_, &word, 1) == 1;
  }

  void kill() {
    if (!killed_) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
      killed_ = true;
    }
  }

 private:
  pid_t pid_ = 0;
  int pipe_ = -1;
  bool killed_ = false;
};

void say_something(int pipe) {
  [[maybe_unused]] const auto written = ::write(pipe, "x", 1);
}

Owner process_on_this_host(std::int64_t pid) {
  return {"alice", store::host_name(), pid};
}

std::string numbered(int number) {
  return fmt::format("t{:06}", number);
}

/// Begins a run and records tenants and events without end; speaks every thousand of them.
void record_for_ever(JournalStore& store, int pipe) {
  constexpr int kListed = 2000;
  std::vector<std::string> names;
  for (int i = 0; i < kListed; ++i) {
    names.push_back(numbered(i));
  }
  const auto journal = store.open();
  const RunId run = journal->begin_run(request_for(names), process_on_this_host(::getpid()));
  for (int i = 0;; ++i) {
    journal->record(applied(run, numbered(i), 1ms));
    journal->record(RunEvent{run, numbered(i), "note", ""});
    if (i % 100 == 99) {
      journal->flush();
    }
    if (i % 1000 == 999) {
      say_something(pipe);
    }
  }
}

void survives_kill(SqlJournalStore& store) {
  Child child([&](int pipe) { record_for_ever(store, pipe); });
  REQUIRE(child.wait_for_word());
  child.kill();

  const auto journal = store.open();
  const std::optional<RunRecord> run = journal->resumable("production");
  REQUIRE(run.has_value());  // the process is gone, so nobody waits for its lease
  const std::vector<JournalTenant> tenants = journal->tenants_of(run->id);
  const std::vector<EventRecord> events = journal->events_of(run->id);
  const std::size_t finished = run->counts.at(Outcome::applied);
  CHECK(finished >= 1000);
  REQUIRE(events.size() == finished);
  for (std::size_t i = 0; i < finished; ++i) {
    REQUIRE(tenants[i].outcome.id.value == numbered(static_cast<int>(i)));
    REQUIRE(tenants[i].finished);
    REQUIRE(events[i].tenant == tenants[i].outcome.id.value);
  }
  CHECK_NOTHROW(journal->take_over(run->id, owner_called("bob")));
}

void notices_dead_process(SqlJournalStore& store) {
  Child child([](int pipe) {
    say_something(pipe);
    ::pause();
  });
  REQUIRE(child.wait_for_word());
  const auto journal = store.open();
  const RunId run = journal->begin_run(request_for({"a"}), process_on_this_host(child.pid()));
  CHECK(journal->run(run.value).lease_alive);

  child.kill();

  CHECK_FALSE(journal->run(run.value).lease_alive);
  CHECK_NOTHROW(store.open()->take_over(run, owner_called("bob")));
}

void notices_used_pid(SqlJournalStore& store) {
  const auto journal = store.open();
  const RunId run = journal->begin_run(request_for({"a"}), process_on_this_host(::getpid()));
  CHECK(journal->run(run.value).lease_alive);

  store.execute("UPDATE runs SET owner_process = owner_process || '1'");

  CHECK_FALSE(journal->run(run.value).lease_alive);
}

void trusts_no_pid_of_another_boot(SqlJournalStore& store) {
  const auto journal = store.open();
  const RunId run = journal->begin_run(request_for({"a"}), process_on_this_host(999'999'999));
  store.execute("UPDATE runs SET owner_process = 'another-boot pid:[1] 77'");

  CHECK(journal->run(run.value).lease_alive);
}

void cleans_texts(SqlJournalStore& store) {
  const auto journal = store.open();
  const RunId run = journal->begin_run(request_for({"a"}), owner_called("al\xFFice"));
  const std::string big(1U << 20U, 'x');
  journal->record(RunEvent{run, "a", "note", std::string("nul \0 latin \xE9 end", 17)});
  journal->record(RunEvent{run, "a", "note", "\xF0\x9F\x90\x84 '; DROP TABLE runs; -- \\ $1 {}"});
  journal->record(RunEvent{run, "a", "note", big});
  journal->flush();

  const std::vector<EventRecord> events = journal->events_of(run);

  REQUIRE(events.size() == 3);
  CHECK(events[0].text == "nul \xEF\xBF\xBD latin \xEF\xBF\xBD end");
  CHECK(events[1].text == "\xF0\x9F\x90\x84 '; DROP TABLE runs; -- \\ $1 {}");
  CHECK(events[2].text == big);
  CHECK(journal->run(run.value).owner.user == "al\xEF\xBF\xBDice");
  CHECK(journal->heartbeat(run, owner_called("al\xFFice")));
}

void refuses_newer_format(SqlJournalStore& store) {
  store.open();
  store.execute("UPDATE journal_format SET format = 99");

  const Error error = error_of([&] { store.open(); });

  CHECK(error.code() == ErrorCode::storage);
  CHECK(error.kind_name() == "journal_too_new");
  CHECK_THAT(error.what(),
             Catch::EndsWith(" has format 99, and this drover knows formats up to 2"));
  CHECK(error.hint() == "Use the newer drover that wrote it, or name another store.");
}

void refuses_changed_texts(SqlJournalStore& store) {
  const auto journal = store.open();
  const RunId run = journal->begin_run(request_for({"a"}), owner_called("alice"));
  store.execute("UPDATE texts SET body = 'DROP TABLE files;'");

  const Error error = error_of([&] { journal->texts_of(run); });

  CHECK(error.code() == ErrorCode::storage);
  CHECK(error.kind_name() == "journal_corrupt");
  CHECK_THAT(error.what(),
             Catch::EndsWith("' that run " + run.value + " keeps in the journal has changed"));

  store.execute("DELETE FROM texts");
  CHECK_THAT(error_of([&] { journal->texts_of(run); }).what(),
             Catch::EndsWith(" keeps in the journal is missing"));
}

void keeps_texts_once(SqlJournalStore& store) {
  const auto journal = store.open();
  const RunId first = journal->begin_run(request_for({"a"}, "one"), owner_called("alice"));
  const RunId second = journal->begin_run(request_for({"a"}, "two"), owner_called("alice"));
  journal->finish_run(first, RunState::finished, 0);
  journal->finish_run(second, RunState::finished, 0);

  CHECK(store.value("SELECT count(*) FROM texts") == "2");

  journal->prune(Retention{.events = 1h, .runs = 0});

  CHECK(store.value("SELECT count(*) FROM texts") == "0");
}

void refuses_rows_without_sense(SqlJournalStore& store) {
  const auto journal = store.open();
  const RunId run = journal->begin_run(request_for({"a"}), owner_called("alice"));
  store.execute("UPDATE run_tenants SET outcome = 'lost'");

  const Error error = error_of([&] { journal->tenants_of(run); });

  CHECK(error.code() == ErrorCode::storage);
  CHECK(error.kind_name() == "journal_corrupt");
  CHECK(error.what() == std::string("the run journal holds a tenant with outcome 'lost'"));
}

void recovers_from_failed_writes(SqlJournalStore& store) {
  const auto journal = store.open();
  const RunId run = journal->begin_run(request_for({"a"}), owner_called("alice"));
  store.execute("ALTER TABLE events RENAME TO hidden");
  journal->record(RunEvent{run, "", "note", "kept"});
  journal->record(applied(run, "a"));

  const Error error = error_of([&] { journal->flush(); });
  CHECK(error.code() == ErrorCode::storage);
  CHECK(error.kind_name() == "journal_failed");
  CHECK(error_of([&] { journal->heartbeat(run, owner_called("alice")); }).kind_name() ==
        "journal_failed");
  CHECK_FALSE(journal->tenants_of(run)[0].finished);

  store.execute("ALTER TABLE hidden RENAME TO events");
  journal->flush();

  CHECK(journal->heartbeat(run, owner_called("alice")));
  CHECK(journal->tenants_of(run)[0].finished);
  CHECK(journal->events_of(run).size() == 1);
}

constexpr std::array<JournalCheck<SqlJournalStore>, 10> kSqlChecks = {{
    {"a killed process leaves a prefix of what it recorded", survives_kill},
    {"a holder on this host that has died is dead at once", notices_dead_process},
    {"a pid that was used again is not the holder", notices_used_pid},
    {"pids of another boot say nothing", trusts_no_pid_of_another_boot},
    {"texts that are not UTF-8 are made so", cleans_texts},
    {"a newer format is refused", refuses_newer_format},
    {"migration texts that were changed in the store are refused", refuses_changed_texts},
    {"equal migration texts are kept once, and go with their last run", keeps_texts_once},
    {"rows that make no sense are refused", refuses_rows_without_sense},
    {"what could not be written is written later", recovers_from_failed_writes},
}};

}  // namespace

std::span<const JournalCheck<SqlJournalStore>> sql_journal_checks() {
  return kSqlChecks;
}

}  // namespace drover::test

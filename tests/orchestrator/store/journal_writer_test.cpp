#include "orchestrator/store/journal_writer.h"

#include <atomic>
#include <future>
#include <mutex>
#include <stdexcept>
#include <string>

#include <catch2/catch.hpp>

using namespace drover::orchestrator;
using namespace std::chrono_literals;
using drover::orchestrator::store::coalesced;
using drover::orchestrator::store::JournalWriter;
using drover::orchestrator::store::NumberedEntry;

namespace {

const RunId kRun{"run"};
constexpr auto kLong = 1h;  // only a flush or the end commits

RunEvent event(const std::string& text) {
  return {kRun, "", "note", text};
}

TenantStarted started(const std::string& tenant, int attempt = 1) {
  return {kRun, {tenant}, attempt};
}

TenantFinished finished(const std::string& tenant) {
  TenantFinished entry{kRun, {}};
  entry.outcome.id = {tenant};
  return entry;
}

/// "started a", "finished a", "event text".
std::string described(const JournalEntry& entry) {
  if (const auto* content = std::get_if<TenantStarted>(&entry)) {
    return "started " + content->tenant.value;
  }
  if (const auto* content = std::get_if<TenantFinished>(&entry)) {
    return "finished " + content->outcome.id.value;
  }
  return "event " + std::get<RunEvent>(entry).text;
}

std::vector<std::string> described(std::span<const NumberedEntry> entries) {
  std::vector<std::string> texts;
  for (const NumberedEntry& entry : entries) {
    texts.push_back(described(entry.entry));
  }
  return texts;
}

std::vector<NumberedEntry> numbered(std::vector<JournalEntry> entries) {
  std::vector<NumberedEntry> result;
  for (JournalEntry& entry : entries) {
    result.push_back({result.size() + 1, std::move(entry)});
  }
  return result;
}

/// A store that keeps what is written, and fails on demand.
class FakeStore {
 public:
  JournalWriter::Write write() {
    return [this](std::span<const NumberedEntry> entries) {
      const std::lock_guard lock(mutex_);
      ++attempts_;
      if (broken_) {
        throw drover::Error(
            drover::ErrorCode::storage, "journal_failed", "the disk is full", "Make room.");
      }
      batches_.push_back(described(entries));
    };
  }

  void break_down() { set_broken(true); }
  void mend() { set_broken(false); }
  std::vector<std::vector<std::string>> batches() {
    const std::lock_guard lock(mutex_);
    return batches_;
  }
  int attempts() {
    const std::lock_guard lock(mutex_);
    return attempts_;
  }

 private:
  void set_broken(bool broken) {
    const std::lock_guard lock(mutex_);
    broken_ = broken;
  }

  std::mutex mutex_;  ///< Guards the rest.
  bool broken_ = false;
  int attempts_ = 0;
  std::vector<std::vector<std::string>> batches_;
};

using Batches = std::vector<std::vector<std::string>>;

}  // namespace

TEST_CASE("entries that gather are committed together", "[store][writer]") {
  FakeStore store;
  JournalWriter writer(store.write(), kLong);
  writer.record(started("a"));
  writer.record(event("one"));
  writer.record(started("b"));

  writer.flush();

  CHECK(store.batches() == Batches{{"started a", "event one", "started b"}});
}

TEST_CASE("entries are committed without a flush, too", "[store][writer]") {
  std::promise<std::size_t> written;
  JournalWriter writer(
      [&](std::span<const NumberedEntry> entries) { written.set_value(entries.size()); }, 1ms);

  writer.record(event("one"));

  CHECK(written.get_future().get() == 1);
}

TEST_CASE("a flush of nothing returns at once", "[store][writer]") {
  FakeStore store;
  store.break_down();
  JournalWriter writer(store.write(), kLong);

  writer.flush();

  CHECK(store.attempts() == 0);
}

TEST_CASE("what is left at the end is committed", "[store][writer]") {
  FakeStore store;
  {
    JournalWriter writer(store.write(), kLong);
    writer.record(event("last"));
  }
  CHECK(store.batches() == Batches{{"event last"}});
}

TEST_CASE("a broken store at the end is no reason to hang or throw", "[store][writer]") {
  FakeStore store;
  store.break_down();
  {
    JournalWriter writer(store.write(), kLong);
    writer.record(event("lost"));
  }
  CHECK(store.attempts() >= 1);
  CHECK(store.batches().empty());
}

TEST_CASE("a failed commit is told and its entries are kept in order", "[store][writer]") {
  FakeStore store;
  JournalWriter writer(store.write(), kLong);
  store.break_down();
  writer.record(event("one"));
  CHECK_THROWS_WITH(writer.flush(), "the disk is full");
  CHECK_THROWS_WITH(writer.throw_if_failing(), "the disk is full");
  writer.record(event("two"));
  CHECK_THROWS_WITH(writer.flush(), "the disk is full");

  store.mend();
  writer.record(event("three"));
  writer.flush();

  CHECK_NOTHROW(writer.throw_if_failing());
  CHECK(store.batches() == Batches{{"event one", "event two", "event three"}});
}

TEST_CASE("what is not an Error comes back as a bug", "[store][writer]") {
  JournalWriter writer([](std::span<const NumberedEntry>) { throw std::logic_error("impossible"); },
                       kLong);
  writer.record(event("one"));
  try {
    writer.flush();
    FAIL("nothing was thrown");
  } catch (const drover::Error& error) {
    CHECK(error.code() == drover::ErrorCode::internal);
    CHECK(error.what() == std::string("impossible"));
  }
}

TEST_CASE("recording does not wait for a store that is busy", "[store][writer]") {
  std::promise<void> entered;
  std::promise<void> leave;
  std::atomic<int> calls = 0;
  JournalWriter writer(
      [&](std::span<const NumberedEntry>) {
        if (calls++ == 0) {
          entered.set_value();
          leave.get_future().wait();
        }
      },
      1ms);
  writer.record(event("one"));
  entered.get_future().wait();

  for (int i = 0; i < 1000; ++i) {
    writer.record(event("more"));
  }
  leave.set_value();
  writer.flush();

  CHECK(calls >= 2);
}

TEST_CASE("memory stays bounded while the store is down", "[store][writer]") {
  constexpr std::size_t kTenants = 100;
  FakeStore store;
  JournalWriter writer(store.write(), kLong);
  store.break_down();
  for (int round = 0; round < 500; ++round) {
    for (std::size_t i = 0; i < kTenants; ++i) {
      writer.record(started(std::to_string(i), round));
      writer.record(event("e"));
    }
  }
  store.mend();
  writer.flush();

  REQUIRE(store.batches().size() == 1);
  CHECK(store.batches()[0].size() == kTenants + JournalWriter::kEventsKept + 1);
  CHECK(store.batches()[0].front() ==
        "event older events were dropped while the journal could not be written");
}

TEST_CASE("of each tenant the last entry stays", "[store][writer]") {
  const auto entries = coalesced(numbered({started("a"),
                                           started("b"),
                                           finished("a"),
                                           event("one"),
                                           started("c", 1),
                                           started("c", 2)}),
                                 10);

  CHECK(described(entries) ==
        std::vector<std::string>{"started b", "finished a", "event one", "started c"});
  CHECK(std::get<TenantStarted>(entries[3].entry).attempt == 2);
  CHECK(entries[1].number == 3);
}

TEST_CASE("tenants of different runs are not the same", "[store][writer]") {
  TenantStarted other = started("a");
  other.run = RunId{"other"};

  CHECK(coalesced(numbered({started("a"), other}), 10).size() == 2);
}

TEST_CASE("the newest events stay, and one says that others were dropped", "[store][writer]") {
  auto entries = coalesced(numbered({event("1"), event("2"), event("3"), event("4")}), 2);

  const std::string dropped =
      "event older events were dropped while the journal could not be written";
  CHECK(described(entries) == std::vector<std::string>{dropped, "event 3", "event 4"});
  CHECK(entries[0].number == 2);

  entries = coalesced(std::move(entries), 2);
  CHECK(described(entries) == std::vector<std::string>{dropped, "event 3", "event 4"});
}

/// The queue between many workers and one store: record() costs a worker a lock and a push, and one
/// thread commits what has gathered about every 50 ms.
///
/// While the store is down, entries stay here. A run has a bounded number of tenants, and of each
/// only the last entry matters; of events the oldest are dropped beyond kEventsKept, and an event
/// says so. So memory is bounded, and record() never waits for the store.
///
/// Thread safety: any thread may call any function.
///
/// Errors: what the backend throws is kept, the entries too; they are tried again, and the error is
/// thrown by flush() and throw_if_failing() until a later attempt succeeds. The destructor tries a
/// last time and lets go.

#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "orchestrator/journal.h"

namespace drover::orchestrator::store {

/// An entry and its place in the order of this writer, by which a store knows it again.
struct NumberedEntry {
  std::uint64_t number = 0;
  JournalEntry entry;
};

/// Leaves of each tenant of a run only the last entry, and of events the last `events_kept`; what
/// was dropped of a run's events becomes one "events_dropped" event, before those kept. The order
/// is kept otherwise.
std::vector<NumberedEntry> coalesced(std::vector<NumberedEntry> entries, std::size_t events_kept);

class JournalWriter {
 public:
  /// How many events wait at most while the store is down.
  static constexpr std::size_t kEventsKept = 10'000;

  /// Commits all entries in one transaction, or throws and commits none. Knows entries again by
  /// their numbers: after a commit in doubt the same ones come a second time. Called by one thread.
  using Write = std::function<void(std::span<const NumberedEntry>)>;

  JournalWriter(Write write, std::chrono::milliseconds interval);
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;
  ~JournalWriter();

  void record(JournalEntry entry);

  /// Returns when everything recorded before is committed. Throws what an attempt made on its
  /// behalf threw.
  void flush();

  /// Throws the error of the last attempt, when it failed.
  void throw_if_failing();

 private:
  void work();
  bool wait_for_work(std::unique_lock<std::mutex>& lock);
  void write_batch(std::unique_lock<std::mutex>& lock);
  std::chrono::milliseconds pause() const;

  const Write write_;
  const std::chrono::milliseconds interval_;

  std::mutex state_mutex_;  ///< Guards everything below but worker_.
  std::condition_variable changed_;
  std::vector<NumberedEntry> queue_;
  std::size_t coalesce_at_;      ///< The queue's size at which it is coalesced again.
  std::uint64_t recorded_ = 0;   ///< Number of the last entry.
  std::uint64_t committed_ = 0;  ///< Every entry up to this number is committed.
  std::uint64_t attempts_begun_ = 0;
  std::uint64_t last_failed_ = 0;  ///< Number of the last attempt that failed.
  int failures_ = 0;               ///< In a row.
  std::optional<Error> error_;     ///< Of the last attempt; none when it succeeded.
  bool flush_wanted_ = false;      ///< By someone whose entries no attempt has begun to write.
  bool ending_ = false;

  std::thread worker_;
};

}  // namespace drover::orchestrator::store

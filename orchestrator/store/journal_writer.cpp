#include "orchestrator/store/journal_writer.h"

#include <algorithm>
#include <exception>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace drover::orchestrator::store {
namespace {

constexpr std::size_t kFirstCoalesce = 16'384;
constexpr std::chrono::milliseconds kLongestPause{2'000};
constexpr int kDoublingsAtMost = 10;

using TenantKey = std::pair<RunId, TenantId>;

/// Whose entry it is; nullopt for an event.
std::optional<TenantKey> key_of(const JournalEntry& entry) {
  if (const auto* started = std::get_if<TenantStarted>(&entry)) {
    return TenantKey{started->run, started->tenant};
  }
  if (const auto* finished = std::get_if<TenantFinished>(&entry)) {
    return TenantKey{finished->run, finished->outcome.id};
  }
  return std::nullopt;
}

/// Stands for events of `run` that were dropped; takes the number of the last of them.
NumberedEntry dropped_event(const RunId& run, std::uint64_t number) {
  return {number,
          RunEvent{run,
                   "",
                   "events_dropped",
                   "older events were dropped while the journal could not be written"}};
}

/// Shares nothing with `error`, so that it can go to another thread.
Error copy_of(const Error& error) {
  return {error.code(), error.kind_name(), error.what(), error.hint(), error.place()};
}

}  // namespace

std::vector<NumberedEntry> coalesced(std::vector<NumberedEntry> entries, std::size_t events_kept) {
  std::set<TenantKey> seen;
  std::map<RunId, std::uint64_t> dropped;  // the highest number of each run's
  std::vector<NumberedEntry> kept;
  std::size_t events = 0;
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    const std::optional<TenantKey> key = key_of(entry->entry);
    const bool keep = key ? seen.insert(*key).second : ++events <= events_kept;
    if (keep) {
      kept.push_back(std::move(*entry));
    } else if (!key) {
      dropped.try_emplace(std::get<RunEvent>(entry->entry).run, entry->number);
    }
  }
  for (const auto& [run, number] : dropped) {
    kept.push_back(dropped_event(run, number));
  }
  std::stable_sort(kept.begin(), kept.end(), [](const NumberedEntry& a, const NumberedEntry& b) {
    return a.number < b.number;
  });
  return kept;
}

JournalWriter::JournalWriter(Write write, std::chrono::milliseconds interval)
    : write_(std::move(write)), interval_(interval), coalesce_at_(kFirstCoalesce) {
  worker_ = std::thread([this] { work(); });
}

JournalWriter::~JournalWriter() {
  {
    const std::lock_guard lock(state_mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  worker_.join();
}

void JournalWriter::record(JournalEntry entry) {
  bool first = false;
  {
    const std::lock_guard lock(state_mutex_);
    first = queue_.empty();
    queue_.push_back({++recorded_, std::move(entry)});
    if (queue_.size() >= coalesce_at_) {
      queue_ = coalesced(std::move(queue_), kEventsKept);
      coalesce_at_ = std::max(kFirstCoalesce, 2 * queue_.size());
    }
  }
  if (first) {
    changed_.notify_all();
  }
}

void JournalWriter::flush() {
  std::unique_lock lock(state_mutex_);
  const std::uint64_t goal = recorded_;
  const std::uint64_t attempts_before = attempts_begun_;
  if (committed_ < goal) {
    flush_wanted_ = true;
    changed_.notify_all();
  }
  changed_.wait(lock, [&] { return committed_ >= goal || last_failed_ > attempts_before; });
  if (committed_ < goal) {
    throw copy_of(*error_);
  }
}

void JournalWriter::throw_if_failing() {
  const std::lock_guard lock(state_mutex_);
  if (error_) {
    throw copy_of(*error_);
  }
}

void JournalWriter::work() {
  std::unique_lock lock(state_mutex_);
  while (wait_for_work(lock)) {
    write_batch(lock);
  }
  if (!queue_.empty()) {
    write_batch(lock);
  }
}

/// False when it is time to end.
bool JournalWriter::wait_for_work(std::unique_lock<std::mutex>& lock) {
  changed_.wait(lock, [&] { return ending_ || !queue_.empty(); });
  changed_.wait_for(lock, pause(), [&] { return ending_ || flush_wanted_; });
  return !ending_;
}

/// Entries are moved out while the store works, so that record() need not wait; those of a failed
/// attempt go back in front.
void JournalWriter::write_batch(std::unique_lock<std::mutex>& lock) {
  std::vector<NumberedEntry> batch = std::exchange(queue_, {});
  const std::uint64_t last = recorded_;
  const std::uint64_t attempt = ++attempts_begun_;
  flush_wanted_ = false;
  lock.unlock();
  std::optional<Error> error;
  batch = coalesced(std::move(batch), kEventsKept);
  try {
    write_(batch);
  } catch (const Error& failure) {
    error = copy_of(failure);
  } catch (const std::exception& bug) {
    error = Error(ErrorCode::internal, "bug", bug.what(), "Please report this.");
  }
  lock.lock();
  error_ = std::move(error);
  if (error_) {
    std::move(queue_.begin(), queue_.end(), std::back_inserter(batch));
    queue_ = std::move(batch);
    last_failed_ = attempt;
    ++failures_;
  } else {
    committed_ = last;
    failures_ = 0;
  }
  changed_.notify_all();
}

/// Longer after every failure in a row, up to kLongestPause.
std::chrono::milliseconds JournalWriter::pause() const {
  return std::min(interval_ * (1 << std::min(failures_, kDoublingsAtMost)),
                  std::max(interval_, kLongestPause));
}

}  // namespace drover::orchestrator::store

/// What the workers of one batch share: who works on which range, what people want, how far it is,
/// and the first thing that went wrong.
///
/// A worker without a range gets half of another's: the owner splits its range at its next border,
/// because nobody but the owner may move its end.
///
/// Thread safety: any thread may call anything.

#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/batch.h"
#include "engine/batch_governor.h"
#include "engine/batch_worker.h"
#include "engine/fault.h"

namespace drover::engine::batch {

class BatchBoard {
 public:
  /// `stop` is that of the caller; the board's own ends with it.
  BatchBoard(std::vector<BatchRange> ranges, BatchControl control);
  BatchBoard(const BatchBoard&) = delete;
  BatchBoard& operator=(const BatchBoard&) = delete;

  /// A range for worker `worker`, which may have to wait for one; nullopt when all are done, or the
  /// work ends.
  std::optional<BatchRange> take(unsigned worker);

  /// How `range` stands now; called after each transaction.
  void note(const BatchRange& range);

  /// It is given back, done or not.
  void leave(const BatchRange& range);

  /// Whether somebody waits for a half of this range.
  bool split_wanted(int number) const;
  void split(const BatchRange& lower, const BatchRange& upper);
  void cannot_split(int number);
  int new_number();  ///< For an upper half; never given twice.

  /// How many may work at a time; those beyond wait in take().
  void allow(unsigned workers);
  bool may_work(unsigned worker) const;
  unsigned workers() const;  ///< That are allowed.

  void set_control(const BatchControl& control);
  BatchControl control() const;

  void waits(unsigned worker, WaitReason reason, const std::string& detail);
  void works(unsigned worker, std::uint64_t size);
  void parked(std::uint64_t rows);

  /// Ends the work of all; the first fault is kept.
  void fail(TenantFault fault);
  void end();
  std::optional<TenantFault> fault() const;
  std::stop_token stop() const { return stop_.get_token(); }

  /// Wakes at once when all is done or ended, or after `most`.
  bool wait_for_end(Milliseconds most);

  bool all_done() const;
  std::vector<BatchRange> ranges() const;
  BatchNews news() const;  ///< Without id, rate and estimate.

 private:
  struct Slot {
    BatchRange range;
    bool taken = false;
    bool split_wanted = false;
    bool splittable = true;
  };
  struct Doing {
    WaitReason reason = WaitReason::none;
    std::string detail;
    std::uint64_t size = 0;
  };

  bool all_done_locked() const;
  Slot* free_slot();
  void ask_for_half();

  mutable std::mutex board_mutex_;  ///< Guards everything below but stop_.
  std::condition_variable_any changed_;
  std::map<int, Slot> slots_;
  BatchControl control_;
  std::map<unsigned, Doing> doing_;
  std::uint64_t parked_ = 0;
  unsigned allowed_ = 1;
  int last_number_ = 0;
  std::optional<TenantFault> fault_;
  std::stop_source stop_;
};

}  // namespace drover::engine::batch

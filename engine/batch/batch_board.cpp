#include "engine/batch/batch_board.h"

#include <algorithm>

namespace drover::engine::batch {

BatchBoard::BatchBoard(std::vector<BatchRange> ranges, BatchControl control)
    : control_(std::move(control)) {
  for (BatchRange& range : ranges) {
    const int number = range.number;
    slots_.emplace(number, Slot{std::move(range)});
    last_number_ = std::max(last_number_, number);
  }
}

bool BatchBoard::all_done_locked() const {
  return std::all_of(
      slots_.begin(), slots_.end(), [](const auto& slot) { return slot.second.range.done; });
}

BatchBoard::Slot* BatchBoard::free_slot() {
  const auto free = std::find_if(slots_.begin(), slots_.end(), [](const auto& slot) {
    return !slot.second.taken && !slot.second.range.done;
  });
  return free == slots_.end() ? nullptr : &free->second;
}

/// Of the range that has been worked on least: most of it is likely to be left.
void BatchBoard::ask_for_half() {
  Slot* best = nullptr;
  for (auto& [number, slot] : slots_) {
    if (slot.taken && slot.splittable && !slot.range.done) {
      if (slot.split_wanted) {
        return;
      }
      best = best == nullptr || slot.range.rows_seen < best->range.rows_seen ? &slot : best;
    }
  }
  if (best != nullptr) {
    best->split_wanted = true;
  }
}

std::optional<BatchRange> BatchBoard::take(unsigned worker) {
  std::unique_lock lock(board_mutex_);
  doing_.erase(worker);
  Slot* slot = nullptr;
  const bool found = changed_.wait(lock, stop_.get_token(), [&] {
    slot = worker < allowed_ ? free_slot() : nullptr;
    if (slot == nullptr && worker < allowed_) {
      ask_for_half();
    }
    return slot != nullptr || all_done_locked();
  });
  if (!found || slot == nullptr || stop_.stop_requested()) {
    return std::nullopt;
  }
  slot->taken = true;
  return slot->range;
}

void BatchBoard::note(const BatchRange& range) {
  const std::lock_guard lock(board_mutex_);
  slots_.at(range.number).range = range;
}

void BatchBoard::leave(const BatchRange& range) {
  {
    const std::lock_guard lock(board_mutex_);
    Slot& slot = slots_.at(range.number);
    slot = {range};
  }
  changed_.notify_all();
}

bool BatchBoard::split_wanted(int number) const {
  const std::lock_guard lock(board_mutex_);
  return slots_.at(number).split_wanted;
}

void BatchBoard::split(const BatchRange& lower, const BatchRange& upper) {
  {
    const std::lock_guard lock(board_mutex_);
    Slot& slot = slots_.at(lower.number);
    slot.range = lower;
    slot.split_wanted = false;
    slots_.emplace(upper.number, Slot{upper});
  }
  changed_.notify_all();
}

void BatchBoard::cannot_split(int number) {
  {
    const std::lock_guard lock(board_mutex_);
    Slot& slot = slots_.at(number);
    slot.splittable = slot.split_wanted = false;
  }
  changed_.notify_all();
}

int BatchBoard::new_number() {
  const std::lock_guard lock(board_mutex_);
  return ++last_number_;
}

void BatchBoard::allow(unsigned workers) {
  {
    const std::lock_guard lock(board_mutex_);
    if (allowed_ == workers) {
      return;
    }
    allowed_ = workers;
  }
  changed_.notify_all();
}

bool BatchBoard::may_work(unsigned worker) const {
  const std::lock_guard lock(board_mutex_);
  return worker < allowed_;
}

unsigned BatchBoard::workers() const {
  const std::lock_guard lock(board_mutex_);
  return allowed_;
}

void BatchBoard::set_control(const BatchControl& control) {
  const std::lock_guard lock(board_mutex_);
  control_ = control;
}

BatchControl BatchBoard::control() const {
  const std::lock_guard lock(board_mutex_);
  return control_;
}

void BatchBoard::waits(unsigned worker, WaitReason reason, const std::string& detail) {
  const std::lock_guard lock(board_mutex_);
  Doing& doing = doing_[worker];
  doing.reason = reason;
  doing.detail = detail;
}

void BatchBoard::works(unsigned worker, std::uint64_t size) {
  const std::lock_guard lock(board_mutex_);
  doing_[worker] = {WaitReason::none, "", size};
}

void BatchBoard::parked(std::uint64_t rows) {
  const std::lock_guard lock(board_mutex_);
  parked_ += rows;
}

void BatchBoard::fail(TenantFault fault) {
  {
    const std::lock_guard lock(board_mutex_);
    if (!fault_) {
      fault_ = std::move(fault);
    }
  }
  end();
}

void BatchBoard::end() {
  stop_.request_stop();
  changed_.notify_all();
}

std::optional<TenantFault> BatchBoard::fault() const {
  const std::lock_guard lock(board_mutex_);
  return fault_;
}

bool BatchBoard::wait_for_end(Milliseconds most) {
  std::unique_lock lock(board_mutex_);
  changed_.wait_for(lock, most, [&] { return all_done_locked() || stop_.stop_requested(); });
  return all_done_locked() || stop_.stop_requested();
}

bool BatchBoard::all_done() const {
  const std::lock_guard lock(board_mutex_);
  return all_done_locked();
}

std::vector<BatchRange> BatchBoard::ranges() const {
  const std::lock_guard lock(board_mutex_);
  std::vector<BatchRange> ranges;
  for (const auto& [number, slot] : slots_) {
    ranges.push_back(slot.range);
  }
  return ranges;
}

BatchNews BatchBoard::news() const {
  const std::lock_guard lock(board_mutex_);
  BatchNews news;
  for (const auto& [number, slot] : slots_) {
    news.rows_seen += slot.range.rows_seen;
    news.rows_changed += slot.range.rows_changed;
  }
  for (const auto& [worker, doing] : doing_) {
    if (doing.reason == WaitReason::none) {
      ++news.workers;
      news.size = std::max(news.size, doing.size);
    } else if (news.waiting.empty()) {
      news.waiting = name_of(doing.reason);
      news.detail = doing.detail;
    }
  }
  if (news.workers > 0) {
    news.waiting.clear();
    news.detail.clear();
  }
  news.parked = parked_;
  return news;
}

}  // namespace drover::engine::batch

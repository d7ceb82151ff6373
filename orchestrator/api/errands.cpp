#include "orchestrator/api/errands.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <thread>

namespace drover::orchestrator {
namespace {

/// Hands out errands, never more at a time than a server may have.
class Errands {
 public:
  Errands(const std::vector<Errand>& errands, std::size_t per_server)
      : errands_(errands), per_server_(per_server), taken_(errands.size(), false) {}

  /// The next one whose server has room; waits for room; null when none is left.
  const Errand* take() {
    std::unique_lock lock(mutex_);
    while (true) {
      bool left = false;
      for (std::size_t i = first_; i < errands_.size(); ++i) {
        if (taken_[i]) {
          first_ = i == first_ ? i + 1 : first_;
          continue;
        }
        left = true;
        if (in_flight_[errands_[i].server] < per_server_) {
          ++in_flight_[errands_[i].server];
          taken_[i] = true;
          return &errands_[i];
        }
      }
      if (!left) {
        return nullptr;
      }
      room_.wait(lock);
    }
  }

  void give_back(const Errand& errand) {
    {
      const std::lock_guard lock(mutex_);
      --in_flight_[errand.server];
    }
    room_.notify_all();
  }

  void went_wrong(std::exception_ptr bug) {
    const std::lock_guard lock(mutex_);
    bug_ = std::move(bug);
  }

  const std::exception_ptr& bug() const noexcept { return bug_; }

 private:
  const std::vector<Errand>& errands_;
  const std::size_t per_server_;
  std::mutex mutex_;  ///< Guards everything below.
  std::condition_variable room_;
  std::vector<bool> taken_;
  std::size_t first_ = 0;  ///< Everything before is taken.
  std::map<std::string, std::size_t> in_flight_;
  std::exception_ptr bug_;
};

}  // namespace

std::vector<Errand> errands_by_database(const std::vector<Tenant>& tenants,
                                        std::size_t most,
                                        const std::function<bool(std::size_t)>& is_meant) {
  std::map<std::string, std::size_t> by_database;
  std::vector<Errand> errands;
  for (std::size_t i = 0; i < tenants.size(); ++i) {
    if (!is_meant(i)) {
      continue;
    }
    const engine::Target& target = tenants[i].target;
    if (target.dialect == engine::Dialect::postgres && most > 1) {
      const auto [found, fresh] = by_database.emplace(target.connection, errands.size());
      if (!fresh && errands[found->second].tenants.size() < most) {
        errands[found->second].tenants.push_back(i);
        continue;
      }
      found->second = errands.size();
    }
    errands.push_back({{i}, target.server});
  }
  return errands;
}

void carry_out(const std::vector<Errand>& errands,
               const Limits& limits,
               const std::function<void(const Errand&)>& visit) {
  Errands left(errands, std::max<std::size_t>(limits.per_server, 1));
  const std::size_t count =
      std::clamp<std::size_t>(limits.in_flight, 1, std::max<std::size_t>(errands.size(), 1));
  const auto go = [&](const Errand& errand) {
    try {
      visit(errand);
    } catch (...) {
      left.went_wrong(std::current_exception());
    }
    left.give_back(errand);
  };
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < count; ++i) {
    threads.emplace_back([&] {
      while (const Errand* errand = left.take()) {
        go(*errand);
      }
    });
  }
  threads.clear();  // waits for all
  if (left.bug()) {
    std::rethrow_exception(left.bug());
  }
}

}  // namespace drover::orchestrator

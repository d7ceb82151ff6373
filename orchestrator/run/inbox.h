/// What the coordinator hears from other threads, in the order in which it was said.
///
/// Waiting goes through the Clock, so that a test's time can pass while nothing comes.
///
/// Thread safety: any thread may push(); one thread waits.

#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>
#include <variant>
#include <vector>

#include "engine/clock.h"
#include "orchestrator/control.h"
#include "orchestrator/hook.h"
#include "orchestrator/rollout.h"
#include "orchestrator/run/run_plan.h"
#include "orchestrator/stage_check.h"

namespace drover::orchestrator::run {

struct TenantReturned {
  std::size_t tenant;
  TenantOutcome outcome;
};
struct ProbeReturned {
  std::size_t server;
  std::optional<engine::SqlError> error;
};
struct CapacityReturned {
  std::size_t server;
  std::optional<std::size_t> free;
};
struct LeaseRenewed {
  engine::SteadyTime trusted_until;
};
struct LeaseNotRenewed {  ///< The store cannot be written; it may recover.
  Halt why;
};
struct HaltWanted {
  Halt why;
};
struct DrainWanted {
  int exit_status;
};
struct CancelWanted {
  int exit_status;
  Force force;
};
struct ControlWanted {
  Control control;
};
struct CheckReturned {
  AskCheck asked;
  CheckResult result;
};
struct HookReturned {
  HookEvent event;
  std::optional<Halt> failed;  ///< Why; nullopt: nothing follows from it.
};
using Message = std::variant<TenantReturned,
                             ProbeReturned,
                             CapacityReturned,
                             LeaseRenewed,
                             LeaseNotRenewed,
                             HaltWanted,
                             DrainWanted,
                             CancelWanted,
                             ControlWanted,
                             CheckReturned,
                             HookReturned>;

class Inbox {
 public:
  void push(Message message) {
    std::optional<std::stop_source> waiter;
    {
      const std::lock_guard lock(messages_mutex_);
      messages_.push_back(std::move(message));
      waiter = std::exchange(waiter_, std::nullopt);
    }
    if (waiter) {
      waiter->request_stop();
    }
  }

  /// All that has come; waits for something until `until`.
  std::vector<Message> wait(engine::Clock& clock, engine::SteadyTime until) {
    std::stop_source woken;
    {
      const std::lock_guard lock(messages_mutex_);
      if (!messages_.empty()) {
        return std::exchange(messages_, {});
      }
      waiter_ = woken;
    }
    clock.wait_until(until, woken.get_token());
    const std::lock_guard lock(messages_mutex_);
    waiter_ = std::nullopt;
    return std::exchange(messages_, {});
  }

 private:
  std::mutex messages_mutex_;  // guards both below
  std::vector<Message> messages_;
  std::optional<std::stop_source> waiter_;  ///< Ends the wait under way; nullopt: nobody waits.
};

}  // namespace drover::orchestrator::run

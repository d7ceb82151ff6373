/// The end of a run that is asked for from outside, whether its coordinator is there already or
/// not.
///
/// Thread safety: any thread, any moment.

#pragma once

#include <mutex>
#include <optional>

namespace drover::orchestrator::run {

class Coordinator;

class RunStop {
 public:
  /// As Coordinator's; one that comes before the coordinator reaches it as soon as it is there.
  void drain(int exit_status);
  void cancel(int exit_status);

  /// Lets `coordinator` be reached as long as this object is there.
  class Reach {
   public:
    Reach(RunStop& stop, Coordinator& coordinator);
    Reach(const Reach&) = delete;
    Reach& operator=(const Reach&) = delete;
    ~Reach();

   private:
    RunStop& stop_;
  };

 private:
  std::mutex stopping_mutex_;  ///< Guards everything below.
  Coordinator* coordinator_ = nullptr;
  std::optional<int> drain_asked_;
  std::optional<int> cancel_asked_;
};

}  // namespace drover::orchestrator::run

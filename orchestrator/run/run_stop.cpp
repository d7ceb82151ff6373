#include "orchestrator/run/run_stop.h"

#include "orchestrator/run/coordinator.h"

namespace drover::orchestrator::run {

void RunStop::drain(int exit_status) {
  const std::lock_guard lock(stopping_mutex_);
  drain_asked_ = exit_status;
  if (coordinator_ != nullptr) {
    coordinator_->drain(exit_status);
  }
}

void RunStop::cancel(int exit_status) {
  const std::lock_guard lock(stopping_mutex_);
  cancel_asked_ = exit_status;
  if (coordinator_ != nullptr) {
    coordinator_->cancel(exit_status);
  }
}

RunStop::Reach::Reach(RunStop& stop, Coordinator& coordinator) : stop_(stop) {
  const std::lock_guard lock(stop_.stopping_mutex_);
  stop_.coordinator_ = &coordinator;
  if (stop_.drain_asked_) {
    coordinator.drain(*stop_.drain_asked_);
  }
  if (stop_.cancel_asked_) {
    coordinator.cancel(*stop_.cancel_asked_);
  }
}

RunStop::Reach::~Reach() {
  const std::lock_guard lock(stop_.stopping_mutex_);
  stop_.coordinator_ = nullptr;
}

}  // namespace drover::orchestrator::run

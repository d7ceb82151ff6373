#include "engine/batch/server_governor.h"

#include <utility>

namespace drover::engine::batch {

ServerGovernor::ServerGovernor(SessionFactory& sessions, Clock& clock, BatchLimits limits)
    : sessions_(sessions), clock_(clock), limits_(std::move(limits)) {}

std::unique_ptr<BatchGovernor::Seat> ServerGovernor::enter(const Target& target,
                                                           BatchSeatFacts facts) {
  return watch_of(target).enter(target, std::move(facts));
}

unsigned ServerGovernor::workers_for(const Target& target, unsigned wanted) {
  return watch_of(target).workers_for(wanted);
}

std::vector<std::string> ServerGovernor::notes() const {
  const std::lock_guard lock(servers_mutex_);
  std::vector<std::string> all;
  for (const auto& [name, server] : servers_) {
    const std::vector<std::string> notes = server->notes();
    all.insert(all.end(), notes.begin(), notes.end());
  }
  return all;
}

ServerWatch& ServerGovernor::watch_of(const Target& target) {
  const std::lock_guard lock(servers_mutex_);
  std::unique_ptr<ServerWatch>& server = servers_[target.server];
  if (server == nullptr) {
    server = std::make_unique<ServerWatch>(sessions_, clock_, target, limits_);
  }
  return *server;
}

}  // namespace drover::engine::batch

/// The governor of real servers: seats at one watch (server_watch.h) for each Target::server.
///
/// On PostgreSQL it reads the server while batches work there, waits when the server needs it, and
/// cancels statements of ours that others have waited for too long. SQLite files are not watched;
/// the switches and the WAL budget of the limits hold for them as well.
///
/// Thread safety: any thread, any function. Seats must be gone before the governor is destroyed.
/// Errors: none; what cannot be read makes seats wait, see batch_throttle.h.

#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/batch/server_watch.h"
#include "engine/batch_governor.h"
#include "engine/batch_throttle.h"

namespace drover::engine::batch {

class ServerGovernor final : public BatchGovernor {
 public:
  /// The limits are those of each server. `sessions` and `clock` outlive the governor.
  ServerGovernor(SessionFactory& sessions, Clock& clock, BatchLimits limits = {});

  std::unique_ptr<Seat> enter(const Target& target, BatchSeatFacts facts) override;
  unsigned workers_for(const Target& target, unsigned wanted) override;

  /// What is not watched, and why: for a report, a sentence each, by server.
  std::vector<std::string> notes() const;

 private:
  ServerWatch& watch_of(const Target& target);

  SessionFactory& sessions_;
  Clock& clock_;
  const BatchLimits limits_;
  mutable std::mutex servers_mutex_;                             // guards servers_
  std::map<std::string, std::unique_ptr<ServerWatch>> servers_;  // by Target::server; kept
};

}  // namespace drover::engine::batch

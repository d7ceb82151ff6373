#include "engine/batch_governor.h"

#include <array>

namespace drover::engine {
namespace {

constexpr std::array<std::string_view, 16> kReasonNames = {"",
                                                           "paused",
                                                           "rest",
                                                           "window",
                                                           "flag",
                                                           "query",
                                                           "unobservable",
                                                           "replica_lag",
                                                           "slot_retention",
                                                           "blocked_sessions",
                                                           "active_backends",
                                                           "commit_latency",
                                                           "wal_budget",
                                                           "autovacuum",
                                                           "dead_rows",
                                                           "lock"};

class OpenSeat final : public BatchGovernor::Seat {
 public:
  BatchLeave ask(const BatchWork& /*done*/) override { return {}; }
  bool was_cancelled() override { return false; }
  void moved(std::int64_t /*backend_pid*/) override {}
};

}  // namespace

std::string_view name_of(WaitReason reason) noexcept {
  return kReasonNames.at(static_cast<std::size_t>(reason));
}

std::unique_ptr<BatchGovernor::Seat> OpenBatchGovernor::enter(const Target& /*target*/,
                                                              BatchSeatFacts /*facts*/) {
  return std::make_unique<OpenSeat>();
}

}  // namespace drover::engine

/// How a run journal is kept.
///
/// Thread safety: plain values.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "orchestrator/store/process_identity.h"

namespace drover::orchestrator::store {

struct LeaseOptions {
  /// How long a holder may be silent before it counts as dead.
  std::chrono::milliseconds duration{30'000};

  /// This host, as its owners name it: a holder here whose process is gone is dead at once.
  std::string host = host_name();
};

struct JournalOptions {
  LeaseOptions lease;
  std::chrono::milliseconds commit_interval{50};
  std::string schema = "drover_runs";  ///< PostgreSQL: where the tables live.
};

}  // namespace drover::orchestrator::store

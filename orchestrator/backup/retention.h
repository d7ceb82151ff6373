/// Which backups of a tenant need not be kept any longer.
///
/// Thread safety: a pure function.

#pragma once

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "orchestrator/backup.h"

namespace drover::orchestrator::backup {

struct RetentionRule {
  std::size_t count = 7;             ///< The newest stay,
  std::chrono::milliseconds age{0};  ///< and what is younger,
  std::set<std::string> runs = {};   ///< and what these runs made: they may go on.
};

/// Of `backups`, which are all of one tenant, the oldest first, those that may go. The newest never
/// does. What restores have put aside is counted for itself: it is what somebody wanted to be rid
/// of, and must not push a backup out.
std::vector<Backup> dispensable(const std::vector<Backup>& backups,
                                const RetentionRule& rule,
                                WallTime now);

}  // namespace drover::orchestrator::backup

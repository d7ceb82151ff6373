#include "orchestrator/backup/retention.h"

#include <algorithm>

namespace drover::orchestrator::backup {

std::vector<Backup> dispensable(const std::vector<Backup>& backups,
                                const RetentionRule& rule,
                                WallTime now) {
  const std::size_t stay = std::max<std::size_t>(rule.count, 1);
  const std::size_t old = backups.size() > stay ? backups.size() - stay : 0;
  std::vector<Backup> gone;
  for (std::size_t i = 0; i < old; ++i) {
    if (now - backups[i].finished >= rule.age && !rule.runs.contains(backups[i].run)) {
      gone.push_back(backups[i]);
    }
  }
  return gone;
}

}  // namespace drover::orchestrator::backup

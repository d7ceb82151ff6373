#include "orchestrator/backup/retention.h"

#include <algorithm>

namespace drover::orchestrator::backup {

std::vector<Backup> dispensable(const std::vector<Backup>& backups,
                                const RetentionRule& rule,
                                WallTime now) {
  const std::size_t stay = std::max<std::size_t>(rule.count, 1);
  std::size_t newer = 0;
  std::size_t newer_aside = 0;
  std::vector<Backup> gone;
  for (auto backup = backups.rbegin(); backup != backups.rend(); ++backup) {
    const std::size_t before = backup->aside ? newer_aside++ : newer++;
    if (before >= stay && now - backup->finished >= rule.age && !rule.runs.contains(backup->run)) {
      gone.push_back(*backup);
    }
  }
  std::reverse(gone.begin(), gone.end());
  return gone;
}

}  // namespace drover::orchestrator::backup

#include "orchestrator/api/backup_news.h"

#include <fmt/format.h>

#include "orchestrator/report/text.h"

namespace drover::orchestrator {

void BackupNews::on_progress(const ProgressSnapshot& snapshot) {
  ProgressSnapshot whole = snapshot;
  if (backups_ != nullptr) {
    const BackupProgress progress = backups_->progress();
    if (progress.planned + progress.made + progress.failed + progress.in_flight > 0) {
      whole.backups = progress;
    }
  }
  to_.on_progress(whole);
}

void BackupNews::tell_who_has_none() {
  const std::vector<TenantId> without =
      backups_ == nullptr ? std::vector<TenantId>() : backups_->left_without();
  if (!without.empty()) {
    to_.on_event(fmt::format("{} had no backup when it was its turn, the first is '{}'",
                             report::count_of(without.size(), "tenant"),
                             without.front().value));
  }
}

}  // namespace drover::orchestrator

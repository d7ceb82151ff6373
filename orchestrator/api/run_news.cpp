#include "orchestrator/api/run_news.h"

#include <fmt/format.h>

#include "orchestrator/report/text.h"

namespace drover::orchestrator {

void RunNews::on_progress(const ProgressSnapshot& snapshot) {
  ProgressSnapshot whole = snapshot;
  if (backups_ != nullptr) {
    const BackupProgress progress = backups_->progress();
    if (progress.planned + progress.made + progress.failed + progress.in_flight > 0) {
      whole.backups = progress;
    }
  }
  whole.batches = batches_.progress();
  to_.on_progress(whole);
}

void RunNews::tell_rest() {
  const std::vector<TenantId> without =
      backups_ == nullptr ? std::vector<TenantId>() : backups_->left_without();
  if (!without.empty()) {
    to_.on_event(fmt::format("{} had no backup when it was its turn, the first is '{}'",
                             report::count_of(without.size(), "tenant"),
                             without.front().value));
  }
  for (const std::string& note : batches_.notes()) {
    to_.on_event(note);
  }
}

}  // namespace drover::orchestrator

#include "orchestrator/api/run_batches.h"

#include <chrono>
#include <filesystem>
#include <system_error>

#include "orchestrator/gates/window.h"

namespace drover::orchestrator {

engine::BatchLimits limits_of(const BatchSettings& settings) {
  engine::BatchLimits limits;
  limits.replica_lag = settings.replica_lag;
  limits.replica_bytes = settings.replica_bytes;
  limits.active_backends = settings.active_backends;
  limits.commit_latency = settings.commit_latency;
  limits.wal_per_second = settings.wal_per_second;
  if (settings.window) {
    limits.window = {[window = *settings.window] {
                       const auto now = std::chrono::system_clock::now();
                       return gates::span_at_or_after(window, now).opens <= now;
                     },
                     settings.window->zone};
  }
  if (!settings.flag.empty()) {
    limits.flag = {[file = settings.flag] {
                     std::error_code ignored;
                     return std::filesystem::exists(file, ignored);
                   },
                   settings.flag.string()};
  }
  return limits;
}

RunBatches::RunBatches(engine::SessionFactory& sessions,
                       engine::Clock& clock,
                       const BatchSettings& settings,
                       std::stop_token stopping)
    : governor_(sessions, clock, limits_of(settings)),
      runner_(sessions, clock, governor_),
      stopping_(std::move(stopping)) {}

std::optional<engine::TenantFault> RunBatches::work(const engine::BatchOrder& order,
                                                    const engine::Patience& patience,
                                                    const engine::BatchObserver& observer) {
  std::stop_source either;
  const std::stop_callback of_tenant(patience.stop, [&] { either.request_stop(); });
  const std::stop_callback of_run(stopping_, [&] { either.request_stop(); });
  return runner_.work(order, {patience.deadline, either.get_token()}, observer);
}

engine::BatchObserver RunBatches::observer_for(const TenantId& tenant) {
  return [this, tenant](const engine::BatchNews& news) {
    const std::lock_guard lock(news_mutex_);
    news_[tenant] = news;
  };
}

void RunBatches::tenant_done(const TenantId& tenant) {
  const std::lock_guard lock(news_mutex_);
  news_.erase(tenant);
}

std::map<TenantId, engine::BatchNews> RunBatches::news() const {
  const std::lock_guard lock(news_mutex_);
  return news_;
}

std::optional<BatchProgress> RunBatches::progress() const {
  const std::lock_guard lock(news_mutex_);
  if (news_.empty()) {
    return std::nullopt;
  }
  BatchProgress progress;
  for (const auto& [tenant, news] : news_) {
    ++progress.tenants;
    progress.rows_seen += news.rows_seen;
    progress.estimated_rows += news.estimated_rows;
    progress.rows_per_second += news.rows_per_second;
    progress.parked += news.parked;
    if (!news.waiting.empty()) {
      ++progress.waiting[news.waiting];
    }
  }
  const auto left = static_cast<double>(progress.estimated_rows - progress.rows_seen);
  if (progress.rows_per_second > 0) {
    progress.remaining = std::chrono::milliseconds(
        static_cast<std::int64_t>(left / progress.rows_per_second * 1000));
  }
  return progress;
}

}  // namespace drover::orchestrator

/// The backups of a run: made ahead of the tenants' turns, under limits of their own, and waited
/// for by each tenant's thread before its first change.
///
/// What a backup is and how one is made is backup/; this decides only who is next. A tenant whose
/// turn has come goes before those that are prepared for. A backup that was made ahead and does not
/// fit what the tenant's history says under its lock is made again.
///
/// Thread safety: any thread may call anything. Errors: a backup that fails is a TenantFault.

#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "engine/clock.h"
#include "engine/fault.h"
#include "orchestrator/backup.h"
#include "orchestrator/progress.h"

namespace drover::orchestrator {

/// How backups come to be; made by api/backup_desk.h. All of it is called from many threads.
struct BackupMeans {
  std::function<std::variant<Backup, engine::TenantFault>(const BackupSubject&,
                                                          const engine::Patience&)>
      make;

  /// One that is there and serves() already; nullopt: none.
  std::function<std::optional<Backup>(const BackupSubject&, const BackupWanted&)> find;

  /// Told of each that was made, or could not be.
  std::function<void(const TenantId&, const std::variant<Backup, engine::TenantFault>&)> told = {};
};

class BackupLine {
 public:
  /// `planned` is how many backups are likely to be wanted. `clock` must outlive the line.
  BackupLine(engine::Clock& clock,
             BackupMeans means,
             const BackupOptions& options,
             std::size_t planned);
  BackupLine(const BackupLine&) = delete;
  BackupLine& operator=(const BackupLine&) = delete;

  /// Ends what is under way, and waits for it.
  ~BackupLine();

  /// Makes a backup of `subject` some time soon, if there is none that serves. The tenant must
  /// outlive the line.
  void make_ahead(const BackupSubject& subject, const BackupWanted& wanted);

  /// Returns when there is a proven backup that serves, or with why there is none.
  std::optional<engine::TenantFault> ensure(const BackupSubject& subject,
                                            const BackupWanted& wanted,
                                            const engine::Patience& patience);

  BackupProgress progress() const;

 private:
  struct Job;
  using Jobs = std::deque<std::shared_ptr<Job>>;

  std::shared_ptr<Job> enqueue(const BackupSubject& subject,
                               const BackupWanted& wanted,
                               bool urgent);
  bool is_of_use(const Job& job, const BackupSubject& subject, const BackupWanted& wanted) const;
  std::shared_ptr<Job> next(const std::stop_token& stop);
  std::shared_ptr<Job> take_from(Jobs& jobs);
  void serve(const std::stop_token& stop);
  std::variant<Backup, engine::TenantFault> carry_out(const Job& job);
  void finish(Job& job, std::variant<Backup, engine::TenantFault> result);

  engine::Clock& clock_;
  const BackupMeans means_;
  const std::size_t in_flight_limit_;
  const std::size_t per_server_limit_;
  const std::chrono::milliseconds deadline_;

  mutable std::mutex line_mutex_;  ///< Guards everything below but the threads.
  std::condition_variable_any moved_;
  Jobs urgent_;  ///< Their tenants' threads wait.
  Jobs ahead_;
  std::map<TenantId, std::shared_ptr<Job>> newest_;
  std::map<std::string, std::size_t> on_server_;
  BackupProgress progress_;
  engine::SteadyTime started_;
  Rate backups_done_;
  Rate bytes_done_;

  std::vector<std::jthread> threads_;  ///< The last member: they end first.
};

}  // namespace drover::orchestrator

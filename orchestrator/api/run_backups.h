/// The backups of one run: which tenant needs one and by which rules, made ahead and before the
/// first change, told to the journal; and what is to become of a tenant that is stuck half-way.
///
/// How one is made, found and put back comes from outside (backup_desk.h); who is next is
/// backup_line.h.
///
/// Thread safety: any thread may call anything.

#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/migration_set.h"
#include "orchestrator/api/backup_line.h"
#include "orchestrator/api/tenant_guard.h"
#include "orchestrator/dispatcher.h"
#include "orchestrator/plan.h"

namespace drover::orchestrator {

/// What holds for the tenants of one stage.
struct BackupRule {
  BackupPolicy policy = BackupPolicy::none;
  std::optional<std::chrono::milliseconds> max_age;
  OnPartial on_partial = OnPartial::stop;
};

/// The rule of each stage of `environment` by its name, and of "" what holds without stages.
std::map<std::string, BackupRule> backup_rules(const Environment& environment);

/// Whether a run of `environment` has to do with backups, or with tenants that are stuck, at all.
bool needs_guard(const std::map<std::string, BackupRule>& rules);

/// All references must outlive the RunBackups.
struct RunBackupsRequest {
  engine::Clock& clock;
  Journal& journal;
  const Environment& environment;
  const engine::MigrationSet& migrations;
  RunId run;
  bool resumed = false;
  const Plan* plan = nullptr;  ///< May be absent; then nothing is made ahead.
  std::map<TenantId, Extent> extents;
  BackupMeans means;
  std::function<std::optional<engine::TenantFault>(
      const Backup&, const Tenant&, const engine::Patience&)>
      put_back;
};

class RunBackups final : public TenantGuard, public TenantPreparer {
 public:
  explicit RunBackups(RunBackupsRequest request);

  std::optional<engine::TenantFault> before_turn(const Tenant& tenant,
                                                 const engine::Patience& patience) override;
  std::optional<engine::TenantFault> before_change(const Tenant& tenant,
                                                   const engine::History& history,
                                                   const engine::Patience& patience) override;
  OnPartial on_partial(const Tenant& tenant) const override;
  std::optional<engine::TenantFault> put_back(const Tenant& tenant,
                                              const engine::Patience& patience) override;

  std::size_t looks_ahead() const noexcept override;
  void prepare(const Tenant& tenant) override;

  BackupProgress progress() const { return line_.progress(); }

  /// Tenants that were changed without a backup, where that was put up with, sorted.
  std::vector<TenantId> left_without() const;

 private:
  const BackupRule& rule_of(const TenantId& tenant) const;
  bool is_copied(const Tenant& tenant) const;
  std::optional<BackupSubject> planned_subject(const Tenant& tenant) const;
  std::optional<engine::TenantFault> put_up_with(const BackupRule& rule,
                                                 const Tenant& tenant,
                                                 std::optional<engine::TenantFault> fault);
  BackupSubject subject_of(const Tenant& tenant) const;
  void note(const TenantId& tenant, std::string kind, std::string text);

  const RunBackupsRequest request_;
  const std::map<std::string, BackupRule> rules_;
  std::map<TenantId, const PlannedTenant*> planned_;
  mutable std::mutex seen_mutex_;  ///< Guards what follows.
  std::vector<TenantId> without_;
  std::map<TenantId, std::string> uids_;  ///< As the tenants' histories told them.
  BackupLine line_;                       ///< Ends before what it tells goes.
};

}  // namespace drover::orchestrator

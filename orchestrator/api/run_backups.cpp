#include "orchestrator/api/run_backups.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "engine/tenant_session.h"
#include "orchestrator/report/text.h"

namespace drover::orchestrator {
namespace {

/// Backups that may be ready before their tenants' turns, for each that is made at a time.
constexpr std::size_t kAheadPerThread = 2;

/// How many tenants of `plan` are to be changed under a rule that wants a backup.
std::size_t wanted_by(const Plan* plan, const std::map<std::string, BackupRule>& rules) {
  if (plan == nullptr) {
    return 0;
  }
  return static_cast<std::size_t>(
      std::count_if(plan->tenants.begin(), plan->tenants.end(), [&](const PlannedTenant& tenant) {
        const auto rule = rules.find(plan->waves.at(tenant.wave).name);
        return rule != rules.end() && rule->second.policy != BackupPolicy::none &&
               tenant.unfit.empty() && !plan->step_lists.at(tenant.steps).empty();
      }));
}

std::vector<engine::RevisionId> in_order(std::vector<engine::RevisionId> heads) {
  std::sort(heads.begin(), heads.end());
  return heads;
}

engine::TenantFault moved_since_copy(const Tenant& tenant) {
  return engine::found(
      ErrorCode::incomplete,
      "backup_failed",
      fmt::format("tenant '{}' has no template copy of where its history is now", tenant.id.value),
      "Run the command again: it is copied before its turn.");
}

}  // namespace

std::map<std::string, BackupRule> backup_rules(const Environment& environment) {
  BackupRule usual;
  if (environment.backup) {
    usual.policy = environment.backup->policy;
    usual.max_age = environment.backup->max_age;
  }
  std::map<std::string, BackupRule> rules{{"", usual}};
  if (!environment.rollout) {
    return rules;
  }
  for (const Stage& stage : environment.rollout->stages) {
    BackupRule rule = usual;
    rule.policy = stage.backup.value_or(usual.policy);
    rule.max_age = stage.backup_max_age ? stage.backup_max_age : usual.max_age;
    rule.on_partial = stage.on_partial;
    rules.emplace(stage.name, rule);
  }
  return rules;
}

bool needs_guard(const std::map<std::string, BackupRule>& rules) {
  return std::any_of(rules.begin(), rules.end(), [](const auto& rule) {
    return rule.second.policy != BackupPolicy::none || rule.second.on_partial != OnPartial::stop;
  });
}

RunBackups::RunBackups(RunBackupsRequest request)
    : request_([&] {
        request.means.told = [this](const TenantId& tenant, const auto& result) {
          if (const auto* const made = std::get_if<Backup>(&result)) {
            note(tenant,
                 "backup_made",
                 fmt::format("backup {} of tenant '{}', {}",
                             made->id.value,
                             tenant.value,
                             report::bytes_text(made->bytes)));
          } else {
            note(tenant,
                 "backup_failed",
                 fmt::format("tenant '{}' has no backup: {}",
                             tenant.value,
                             std::get<engine::TenantFault>(result).message));
          }
        };
        return std::move(request);
      }()),
      rules_(backup_rules(request_.environment)),
      line_(request_.clock,
            request_.means,
            request_.environment.backup.value_or(BackupOptions()),
            wanted_by(request_.plan, rules_)) {
  if (request_.plan != nullptr) {
    for (const PlannedTenant& tenant : request_.plan->tenants) {
      planned_.emplace(tenant.id, &tenant);
    }
  }
}

/// One that joined late is treated as every tenant without a stage.
const BackupRule& RunBackups::rule_of(const TenantId& tenant) const {
  const auto planned = planned_.find(tenant);
  const std::string& stage =
      planned == planned_.end() ? "" : request_.plan->waves.at(planned->second->wave).name;
  const auto rule = rules_.find(stage);
  return rule == rules_.end() ? rules_.at("") : rule->second;
}

BackupSubject RunBackups::subject_of(const Tenant& tenant) const {
  const auto extent = request_.extents.find(tenant.id);
  const auto planned = planned_.find(tenant.id);
  const auto bytes =
      planned == planned_.end() ? 0 : static_cast<std::uint64_t>(planned->second->bytes);
  return {tenant,
          extent == request_.extents.end() ? Extent::whole : extent->second,
          {},
          {},
          0,
          request_.environment.name,
          request_.run.value,
          bytes};
}

/// A template copy ends the sessions of its tenant, ours too, and takes the tenant's lock itself.
bool RunBackups::is_copied(const Tenant& tenant) const {
  return request_.environment.backup && provider_for(*request_.environment.backup, tenant) ==
                                            BackupOptions::Provider::template_copy;
}

/// What the plan says of a tenant that it has steps for.
std::optional<BackupSubject> RunBackups::planned_subject(const Tenant& tenant) const {
  const auto planned = planned_.find(tenant.id);
  const bool useful = planned != planned_.end() && planned->second->unfit.empty() &&
                      rule_of(tenant.id).policy != BackupPolicy::none &&
                      !request_.plan->step_lists.at(planned->second->steps).empty();
  if (!useful) {
    return std::nullopt;
  }
  BackupSubject subject = subject_of(tenant);
  subject.uid = planned->second->uid;
  subject.epoch = planned->second->epoch;
  subject.heads = in_order(planned->second->from);
  return subject;
}

/// With a policy of best effort a tenant without a backup is changed all the same, and listed.
std::optional<engine::TenantFault> RunBackups::put_up_with(
    const BackupRule& rule, const Tenant& tenant, std::optional<engine::TenantFault> fault) {
  if (!fault || rule.policy == BackupPolicy::required || fault->kind == "interrupted") {
    return fault;
  }
  const std::lock_guard lock(seen_mutex_);
  without_.push_back(tenant.id);
  return std::nullopt;
}

std::optional<engine::TenantFault> RunBackups::before_turn(const Tenant& tenant,
                                                           const engine::Patience& patience) {
  const std::optional<BackupSubject> subject =
      is_copied(tenant) && !request_.resumed ? planned_subject(tenant) : std::nullopt;
  if (!subject) {
    return std::nullopt;
  }
  const BackupRule& rule = rule_of(tenant.id);
  return put_up_with(rule, tenant, line_.ensure(*subject, {rule.max_age, false}, patience));
}

std::optional<engine::TenantFault> RunBackups::before_change(const Tenant& tenant,
                                                             const engine::History& history,
                                                             const engine::Patience& patience) {
  const BackupRule& rule = rule_of(tenant.id);
  if (rule.policy == BackupPolicy::none) {
    return std::nullopt;
  }
  BackupSubject subject = subject_of(tenant);
  subject.uid = history.tenant.uid;
  {
    const std::lock_guard lock(seen_mutex_);
    uids_.emplace(tenant.id, subject.uid);
  }
  subject.epoch = history.tenant.epoch;
  subject.heads = in_order(request_.migrations.graph().current_heads(history.applied_ids()));
  const bool has_our_rows =
      std::any_of(history.applied.begin(), history.applied.end(), [&](const auto& row) {
        return row.run == request_.run.value;
      });
  const bool changed = request_.resumed || has_our_rows || !history.tenant.in_progress.empty();
  if (is_copied(tenant)) {
    const bool there = request_.means.find(subject, {rule.max_age, changed}).has_value();
    return put_up_with(
        rule, tenant, there ? std::nullopt : std::optional(moved_since_copy(tenant)));
  }
  return put_up_with(rule, tenant, line_.ensure(subject, {rule.max_age, changed}, patience));
}

OnPartial RunBackups::on_partial(const Tenant& tenant) const {
  return rule_of(tenant.id).on_partial;
}

std::optional<engine::TenantFault> RunBackups::put_back(const Tenant& tenant,
                                                        const engine::Patience& patience) {
  BackupSubject subject = subject_of(tenant);
  {
    const std::lock_guard lock(seen_mutex_);
    subject.uid = uids_[tenant.id];
  }
  const std::optional<Backup> backup = request_.means.find(subject, {std::nullopt, true});
  if (!backup) {
    return engine::found(ErrorCode::incomplete,
                         "no_backup",
                         fmt::format("tenant '{}' has no backup of this run", tenant.id.value),
                         "See drover backups list for what there is.");
  }
  std::optional<engine::TenantFault> fault = request_.put_back(*backup, tenant, patience);
  if (!fault) {
    note(tenant.id,
         "backup_restored",
         fmt::format("backup {} of tenant '{}' was put back", backup->id.value, tenant.id.value));
  }
  return fault;
}

std::size_t RunBackups::looks_ahead() const noexcept {
  return request_.environment.backup ? request_.environment.backup->in_flight * kAheadPerThread : 0;
}

void RunBackups::prepare(const Tenant& tenant) {
  const std::optional<BackupSubject> subject =
      is_copied(tenant) || request_.resumed ? std::nullopt : planned_subject(tenant);
  if (subject) {
    line_.make_ahead(*subject, {rule_of(tenant.id).max_age, false});
  }
}

std::vector<TenantId> RunBackups::left_without() const {
  const std::lock_guard lock(seen_mutex_);
  std::vector<TenantId> tenants = without_;
  std::sort(tenants.begin(), tenants.end());
  return tenants;
}

void RunBackups::note(const TenantId& tenant, std::string kind, std::string text) {
  request_.journal.record(RunEvent{request_.run, tenant.value, std::move(kind), std::move(text)});
}

}  // namespace drover::orchestrator

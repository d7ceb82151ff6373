#include "orchestrator/backup.h"

#include <algorithm>
#include <iterator>

namespace drover::orchestrator {
namespace {

// In the order of their enumerators.
constexpr std::string_view kProviders[] = {"pg_dump", "sqlite", "template_copy", "command"};

}  // namespace

bool serves(const Backup& backup,
            const BackupSubject& subject,
            const BackupWanted& wanted,
            WallTime now) {
  // One without a uid was made before the tenant's history was.
  const bool same_tenant =
      backup.tenant == subject.tenant.id &&
      (backup.uid == subject.uid || (backup.uid.empty() && wanted.changed_by_run));
  const bool same_history = backup.epoch == subject.epoch && backup.heads == subject.heads;
  const bool same_run = !backup.run.empty() && backup.run == subject.run;
  if (!same_tenant || backup.environment != subject.environment) {
    return false;
  }
  if (same_run && (same_history || wanted.changed_by_run)) {
    return true;
  }
  return !wanted.changed_by_run && same_history && wanted.max_age &&
         now - backup.started <= *wanted.max_age;
}

std::string_view name_of(BackupOptions::Provider provider) noexcept {
  return kProviders[static_cast<std::size_t>(provider)];
}

std::optional<BackupOptions::Provider> provider_named(std::string_view name) noexcept {
  const auto* const found = std::find(std::begin(kProviders), std::end(kProviders), name);
  if (found == std::end(kProviders)) {
    return std::nullopt;
  }
  return static_cast<BackupOptions::Provider>(found - std::begin(kProviders));
}

BackupOptions::Provider provider_for(const BackupOptions& options, const Tenant& tenant) noexcept {
  using Provider = BackupOptions::Provider;
  const bool sqlite = tenant.target.dialect == engine::Dialect::sqlite;
  if (options.provider == Provider::command) {
    return Provider::command;
  }
  return sqlite ? Provider::sqlite : options.provider.value_or(Provider::pg_dump);
}

std::map<TenantId, Extent> extents_of(const std::vector<Tenant>& fleet) {
  std::map<std::string_view, std::size_t> in_database;
  for (const Tenant& tenant : fleet) {
    ++in_database[tenant.target.connection];
  }
  std::map<TenantId, Extent> extents;
  for (const Tenant& tenant : fleet) {
    const bool own_schema =
        tenant.target.dialect == engine::Dialect::postgres &&
        (tenant.target.schema != "public" || in_database[tenant.target.connection] > 1);
    extents.emplace(tenant.id, own_schema ? Extent::schema : Extent::whole);
  }
  return extents;
}

}  // namespace drover::orchestrator

#include "orchestrator/api/backup_checks.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <set>
#include <system_error>

#include <fmt/format.h>

#include "engine/error.h"
#include "orchestrator/api/run_backups.h"
#include "orchestrator/backup/pg_tools.h"
#include "orchestrator/report/text.h"

namespace drover::orchestrator {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kUnknown = std::numeric_limits<std::uintmax_t>::max();

/// Free bytes where `directory` is, or will be.
std::uintmax_t free_at(fs::path directory) {
  std::error_code failed;
  while (!fs::exists(directory, failed) && directory.has_relative_path()) {
    directory = directory.parent_path();
  }
  const fs::space_info space = fs::space(directory, failed);
  return failed ? kUnknown : space.available;
}

/// The strictest of what the stages say.
BackupPolicy policy_of(const Environment& environment) {
  BackupPolicy strictest = BackupPolicy::none;
  for (const auto& [stage, rule] : backup_rules(environment)) {
    if (!environment.rollout || !stage.empty()) {
      strictest = std::max(strictest, rule.policy);
    }
  }
  return strictest;
}

/// A copy of the whole database is no backup of one schema: it could not be put back alone.
void refuse_copy_of_schema(const BackupOptions& options, const Tenant& tenant) {
  const std::string& schema = tenant.target.schema;
  if (provider_for(options, tenant) == BackupOptions::Provider::template_copy && !schema.empty() &&
      schema != "public") {
    throw Error(
        ErrorCode::usage,
        "copy_of_schema",
        fmt::format("tenant '{}' is schema '{}', and a template copy is of a whole database",
                    tenant.id.value,
                    schema),
        "Use pg_dump for tenants that are schemas.");
  }
}

/// A dump of one schema cannot be proven to be of its tenant without the history inside.
void refuse_history_elsewhere(const Environment& environment, const Tenant& tenant) {
  const std::string& schema = tenant.target.schema;
  const std::string& history = environment.history_schema;
  const bool alone =
      provider_for(*environment.backup, tenant) == BackupOptions::Provider::pg_dump &&
      !schema.empty() && schema != "public";
  if (alone && !history.empty() && history != schema) {
    throw Error(ErrorCode::usage,
                "history_outside_backup",
                fmt::format("a backup of schema '{}' (tenant '{}') would not hold its history, "
                            "which is in schema '{}'",
                            schema,
                            tenant.id.value,
                            history),
                "Leave out history_schema for tenants that are schemas, or backups.");
  }
}

std::string joined(const std::set<std::string>& words) {
  return fmt::format("{}", fmt::join(words, " and "));
}

}  // namespace

std::vector<PlanFinding> look_at_backups(const BackupLook& look) {
  const BackupPolicy policy = policy_of(look.environment);
  if (!look.environment.backup || policy == BackupPolicy::none) {
    return {};
  }
  const BackupOptions& options = *look.environment.backup;
  std::set<std::string> providers;
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  bool takes_room = false;
  std::map<std::string, int> to_dump;
  for (std::size_t i = 0; i < look.tenants.size(); ++i) {
    if (!look.is_to_change[i] || look.standings[i].fault) {
      continue;
    }
    refuse_copy_of_schema(options, look.tenants[i]);
    refuse_history_elsewhere(look.environment, look.tenants[i]);
    const BackupOptions::Provider provider = provider_for(options, look.tenants[i]);
    providers.insert(std::string(name_of(provider)));
    const auto version = look.server_versions.find(look.standings[i].server);
    if (provider == BackupOptions::Provider::pg_dump && version != look.server_versions.end()) {
      to_dump.insert(*version);
    }
    takes_room = takes_room || provider == BackupOptions::Provider::pg_dump ||
                 provider == BackupOptions::Provider::sqlite;
    bytes += look.standings[i].bytes.value_or(0);
    ++count;
  }
  if (count == 0) {
    return {};
  }
  for (const auto& [server, version] : to_dump) {
    backup::PgTools(options.tools).check(server, version);
  }
  const std::string directory = options.directory.generic_string();
  const std::uintmax_t free = takes_room ? free_at(options.directory) : kUnknown;
  std::vector<PlanFinding> findings{
      {"backups",
       directory,
       fmt::format(
           "backups ({}) by {} before {}, at most {} in {}{}",
           policy == BackupPolicy::required ? "required" : "best effort",
           joined(providers),
           report::count_of(count, "tenant") + (count == 1 ? " is changed" : " are changed"),
           report::bytes_text(bytes),
           directory,
           free == kUnknown ? "" : fmt::format(", which has {} free", report::bytes_text(free)))}};
  if (free < bytes) {
    findings.push_back({"little_backup_space",
                        directory,
                        fmt::format("{} has {} free, and the tenants to be backed up hold {}",
                                    directory,
                                    report::bytes_text(free),
                                    report::bytes_text(bytes))});
  }
  return findings;
}

}  // namespace drover::orchestrator

#include "orchestrator/settings/backup_section.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "orchestrator/settings/section.h"

namespace drover::orchestrator::settings {
namespace {

constexpr std::size_t kMostBackups = 1000;
constexpr std::size_t kMostJobs = 64;

// In the order of their enumerators.
const std::vector<std::string> kPolicies = {"none", "best_effort", "required"};
const std::vector<std::string> kProviders = {"pg_dump", "sqlite", "template_copy", "command"};

BackupPolicy to_policy(const Given& given) {
  return static_cast<BackupPolicy>(to_choice(given, kPolicies));
}

void read_limits(const Section& section, BackupOptions& backup) {
  if (const std::optional<Given> max_age = section.given("max_age")) {
    backup.max_age = to_duration(*max_age, std::chrono::seconds(1));
  }
  if (const std::optional<Given> deadline = section.given("deadline")) {
    backup.deadline = to_duration(*deadline, std::chrono::seconds(1));
  }
  if (const std::optional<Given> in_flight = section.given("in_flight")) {
    backup.in_flight = to_count(*in_flight, 1, kMostBackups);
  }
  if (const std::optional<Given> per_server = section.given("per_server")) {
    backup.per_server = to_count(*per_server, 1, kMostBackups);
  }
}

/// How pg_dump is to work.
void read_dump(const Section& section, const SectionReader& reader, BackupOptions& backup) {
  if (const std::optional<Given> compress = section.given("compress")) {
    backup.compress = to_text(*compress);
    const bool is_word = std::all_of(backup.compress.begin(), backup.compress.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == ':' || c == '=' || c == ',';
    });
    if (!is_word) {
      refuse_setting(*compress, "is no compression", "Write it as pg_dump takes it: 6, zstd:3.");
    }
  }
  if (const std::optional<Given> tools = section.given("tools")) {
    backup.tools = reader.path(*tools);
  }
  if (const std::optional<Given> large = section.given("large")) {
    backup.large = to_bytes(*large);
  }
  if (const std::optional<Given> jobs = section.given("jobs")) {
    backup.jobs = to_count(*jobs, 1, kMostJobs);
  }
}

void read_commands(const Section& section, BackupOptions& backup) {
  if (const YamlNode* const command = section.value("command")) {
    backup.command = texts_of(*command, section.name_of("command"));
  }
  if (const YamlNode* const restore = section.value("restore_command")) {
    backup.restore_command = texts_of(*restore, section.name_of("restore_command"));
  }
}

void read_keep(const Section& section, BackupOptions& backup) {
  const YamlNode* const node = section.value("keep");
  if (node == nullptr) {
    return;
  }
  const Section keep(*node, section.name_of("keep"), {"count", "age"});
  if (const std::optional<Given> count = keep.given("count")) {
    backup.keep_count = to_count(*count, 1, 100'000);  // the last good one always stays
  }
  if (const std::optional<Given> age = keep.given("age")) {
    backup.keep_age = to_duration(*age, std::chrono::milliseconds(0));
  }
}

/// Each provider has what it cannot do without.
void check_provider(const Section& section, const BackupOptions& backup) {
  using Provider = BackupOptions::Provider;
  const bool by_command = backup.provider == Provider::command;
  if (backup.policy == BackupPolicy::none) {
    return;
  }
  if (by_command && backup.command.empty()) {
    section.required_value("command");
  }
  if (backup.directory.empty()) {
    section.required("directory");  // the manifests are there, whoever keeps the copies
  }
  if (backup.provider == Provider::template_copy && !backup.maintenance) {
    refuse_setting(*section.given("provider"),
                   "is 'template_copy', which ends the sessions of all users",
                   "Say maintenance: true beside it, or use pg_dump.");
  }
}

}  // namespace

BackupOptions read_backup(const YamlNode& node,
                          const std::string& name,
                          const SectionReader& reader) {
  const Section section(node,
                        name,
                        {"policy",
                         "provider",
                         "directory",
                         "max_age",
                         "deadline",
                         "in_flight",
                         "per_server",
                         "compress",
                         "tools",
                         "large",
                         "jobs",
                         "maintenance",
                         "command",
                         "restore_command",
                         "keep"});
  BackupOptions backup;
  backup.place = section.place();
  backup.policy = to_policy(section.required("policy"));
  if (const std::optional<Given> provider = section.given("provider")) {
    backup.provider = static_cast<BackupOptions::Provider>(to_choice(*provider, kProviders));
  }
  if (const std::optional<Given> directory = section.given("directory")) {
    backup.directory = reader.path(*directory);
  }
  if (const std::optional<Given> maintenance = section.given("maintenance")) {
    backup.maintenance = to_flag(*maintenance);
  }
  read_limits(section, backup);
  read_dump(section, reader, backup);
  read_commands(section, backup);
  read_keep(section, backup);
  check_provider(section, backup);
  return backup;
}

void read_stage_backup(const YamlNode& node, const std::string& name, Stage& stage) {
  const Section section(node, name, {"policy", "max_age"});
  if (const std::optional<Given> policy = section.given("policy")) {
    stage.backup = to_policy(*policy);
  }
  if (const std::optional<Given> max_age = section.given("max_age")) {
    stage.backup_max_age = to_duration(*max_age, std::chrono::seconds(1));
  }
}

}  // namespace drover::orchestrator::settings

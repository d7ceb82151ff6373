#include "orchestrator/settings/environment_section.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "orchestrator/settings/backup_section.h"
#include "orchestrator/settings/batch_section.h"
#include "orchestrator/settings/hook_section.h"
#include "orchestrator/settings/rollout_section.h"
#include "orchestrator/settings/scalar_settings.h"
#include "orchestrator/settings/tenant_sources.h"

namespace drover::orchestrator::settings {
namespace {

constexpr std::size_t kMostNameBytes = 63;

/// The name of an environment is typed by people, in flags and in answers to questions.
void check_name(const YamlEntry& entry) {
  const bool has_form = !entry.key.empty() && entry.key.size() <= kMostNameBytes &&
                        entry.key.front() != '-' &&
                        std::all_of(entry.key.begin(), entry.key.end(), [](char c) {
                          return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                                 (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
                        });
  if (!has_form) {
    refuse_setting({"environments", "", entry.key_place},
                   fmt::format("has '{}', which cannot be an environment's name", entry.key),
                   "Use 1 to 63 letters, digits, _, - and . in a name.");
  }
}

void read_switches(const Section& section, Environment& environment, Origins& origins) {
  if (const std::optional<Given> production = section.given("production")) {
    environment.production = to_flag(*production);
    origins.set(production->name, production->text, *production);
  }
  if (const std::optional<Given> auto_migrate = section.given("auto_migrate")) {
    environment.auto_migrate = to_flag(*auto_migrate);
    origins.set(auto_migrate->name, auto_migrate->text, *auto_migrate);
    if (environment.auto_migrate && environment.production) {
      refuse_setting(*auto_migrate,
                     "is true in an environment with production: true",
                     "Migrate production with `drover upgrade`; applications only wait for it.");
    }
  }
  if (const std::optional<Given> transaction = section.given("transaction")) {
    environment.transaction = to_choice(*transaction, {"per_revision", "all"}) == 0
                                  ? TransactionMode::per_revision
                                  : TransactionMode::all;
    origins.set(transaction->name, transaction->text, *transaction);
  }
}

void read_places(const Section& section,
                 const SectionReader& reader,
                 Environment& environment,
                 Origins& origins) {
  if (const std::optional<Given> migrations = section.given("migrations")) {
    environment.migrations = reader.path(*migrations);
    origins.set(migrations->name, printable_path(*migrations, environment.migrations), *migrations);
  }
  if (const std::optional<Given> schema = section.given("history_schema")) {
    environment.history_schema = reader.text(*schema);
    origins.set(schema->name, printable(*schema), *schema);
  }
}

/// What a stage wants of backups, the environment must say how to do.
void check_stage_backups(const Environment& environment, const std::string& name) {
  const BackupPolicy usual = environment.backup ? environment.backup->policy : BackupPolicy::none;
  for (std::size_t i = 0; i < environment.rollout->stages.size(); ++i) {
    const Stage& stage = environment.rollout->stages[i];
    const bool makes_some = stage.backup.value_or(usual) != BackupPolicy::none;
    const Given where{fmt::format("{}[{}]", name, i), "", stage.place, {}};
    if (makes_some && (!environment.backup || environment.backup->directory.empty())) {
      refuse_setting(where,
                     fmt::format("('{}') wants backups, and the environment does not say where "
                                 "they go",
                                 stage.name),
                     "Give the environment a backup section with a directory.");
    }
    if (stage.on_partial == OnPartial::restore && !makes_some) {
      refuse_setting(
          where,
          fmt::format("('{}') restores what fails half-way, and makes no backups", stage.name),
          "Let its backup policy be required, or on_partial be stop or downgrade.");
    }
  }
}

}  // namespace

Environment read_environment(const YamlEntry& entry,
                             const Environment& common,
                             const Section* secrets,
                             const SectionReader& reader,
                             Origins& origins) {
  check_name(entry);
  const Section section(entry.value,
                        "environments." + entry.key,
                        {"production",
                         "auto_migrate",
                         "transaction",
                         "migrations",
                         "history_schema",
                         "limits",
                         "timeouts",
                         "tenants",
                         "backup",
                         "batches",
                         "rollout",
                         "hooks"});
  Environment environment = common;
  environment.name = entry.key;
  environment.place = entry.key_place;
  read_switches(section, environment, origins);
  read_places(section, reader, environment, origins);
  read_section(section, kLimitsSection, environment.limits, origins);
  read_section(section, kTimeoutsSection, environment.timeouts, origins);
  environment.tenants = read_tenant_sources(
      section.required_value("tenants"), section.name_of("tenants"), secrets, reader);
  for (std::size_t i = 0; i < environment.tenants.size(); ++i) {
    const TenantSource& source = environment.tenants[i];
    origins.set(fmt::format("{}[{}]", section.name_of("tenants"), i),
                std::string(kind_name_of(source)),
                to_string(source.place));
  }
  if (const YamlNode* const batches = section.value("batches")) {
    environment.batches = read_batches(*batches, section.name_of("batches"), reader);
  }
  if (const YamlNode* const backup = section.value("backup")) {
    environment.backup = read_backup(*backup, section.name_of("backup"), reader);
  }
  if (const YamlNode* const rollout = section.value("rollout")) {
    environment.rollout =
        read_rollout(*rollout, section.name_of("rollout"), environment.limits, reader);
    check_stage_backups(environment, section.name_of("rollout.stages"));
  }
  if (const YamlNode* const hooks = section.value("hooks")) {
    environment.hooks = read_hooks(
        *hooks, section.name_of("hooks"), environment.rollout ? &*environment.rollout : nullptr);
  }
  return environment;
}

}  // namespace drover::orchestrator::settings

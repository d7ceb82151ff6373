/// The settings that are one value each and may come from the file, an environment's section or an
/// environment variable: limits, timeouts and retention. One table per section says how each is
/// read and printed.
///
/// Thread safety: immutable tables and pure functions.
/// Errors: Error usage, naming the key and its place, or the variable.

#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "orchestrator/options.h"
#include "orchestrator/settings/given.h"
#include "orchestrator/settings/origins.h"
#include "orchestrator/settings/secrets.h"
#include "orchestrator/settings/section.h"

namespace drover::orchestrator::settings {

template <typename Values>
struct ScalarSetting {
  const char* key;
  void (*read)(Values& values, const Given& given);
  std::string (*print)(const Values& values);
};

/// The section "limits", "timeouts" or "retention" of the file.
template <typename Values>
struct ScalarSection {
  const char* name;
  std::span<const ScalarSetting<Values>> settings;
};

extern const ScalarSection<Limits> kLimitsSection;
extern const ScalarSection<Timeouts> kTimeoutsSection;
extern const ScalarSection<Retention> kRetentionSection;

/// "DROVER_LIMITS_IN_FLIGHT" for section "limits" and key "in_flight".
std::string variable_name(std::string_view section, std::string_view key);

/// Notes the defaults that `values` hold.
template <typename Values>
void note_defaults(const Values& values, const ScalarSection<Values>& section, Origins& origins) {
  for (const ScalarSetting<Values>& setting : section.settings) {
    origins.set(std::string(section.name) + "." + setting.key, setting.print(values), "default");
  }
}

/// Reads what `parent` says in its mapping `section.name`, if it has one.
template <typename Values>
void read_section(const Section& parent,
                  const ScalarSection<Values>& section,
                  Values& values,
                  Origins& origins) {
  const YamlNode* const node = parent.value(section.name);
  if (node == nullptr) {
    return;
  }
  std::vector<std::string> keys;
  for (const ScalarSetting<Values>& setting : section.settings) {
    keys.emplace_back(setting.key);
  }
  const Section given_section(*node, parent.name_of(section.name), keys);
  for (const ScalarSetting<Values>& setting : section.settings) {
    if (const std::optional<Given> given = given_section.given(setting.key)) {
      setting.read(values, *given);
      origins.set(given->name, setting.print(values), *given);
    }
  }
}

/// Reads what `variables` say. `prefix` is that of the keys in `origins`: "" or
/// "environments.production.".
template <typename Values>
void read_variables(const EnvironmentVariables& variables,
                    const ScalarSection<Values>& section,
                    const std::string& prefix,
                    Values& values,
                    Origins& origins) {
  for (const ScalarSetting<Values>& setting : section.settings) {
    const std::string name = variable_name(section.name, setting.key);
    const auto found = variables.find(name);
    if (found == variables.end()) {
      continue;
    }
    const Given given{name, found->second, {}, Given::Style::plain};
    setting.read(values, given);
    origins.set(prefix + section.name + "." + setting.key, setting.print(values), given);
  }
}

/// Refuses a variable that starts with DROVER_ and that nobody reads. `also_known` are those that
/// others read.
///
/// Throws Error usage: unknown_variable, with the nearest name.
void check_variables(const EnvironmentVariables& variables,
                     const std::vector<std::string>& also_known);

}  // namespace drover::orchestrator::settings

#include "orchestrator/settings/scalar_settings.h"

#include <algorithm>
#include <array>
#include <chrono>

#include <fmt/format.h>

#include "orchestrator/hook.h"
#include "orchestrator/nearest.h"

namespace drover::orchestrator::settings {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMostSessions = 10'000;
constexpr std::size_t kMostRuns = 1'000'000;
constexpr milliseconds kAtOnce{1};
constexpr std::string_view kVariablePrefix = "DROVER_";

constexpr std::array<ScalarSetting<Limits>, 4> kLimits = {{
    {"in_flight",
     [](Limits& limits, const Given& given) {
       limits.in_flight = to_count(given, 1, kMostSessions);
     },
     [](const Limits& limits) { return std::to_string(limits.in_flight); }},
    {"per_server",
     [](Limits& limits, const Given& given) {
       limits.per_server = to_count(given, 1, kMostSessions);
     },
     [](const Limits& limits) { return std::to_string(limits.per_server); }},
    {"concurrent_ddl",
     [](Limits& limits, const Given& given) {
       limits.concurrent_ddl = to_count(given, 1, kMostSessions);
     },
     [](const Limits& limits) { return std::to_string(limits.concurrent_ddl); }},
    {"server_pause",
     [](Limits& limits, const Given& given) { limits.server_pause = to_duration(given, kAtOnce); },
     [](const Limits& limits) { return print_duration(limits.server_pause); }},
}};

constexpr std::array<ScalarSetting<Timeouts>, 4> kTimeouts = {{
    {"connect",
     [](Timeouts& timeouts, const Given& given) { timeouts.connect = to_duration(given, kAtOnce); },
     [](const Timeouts& timeouts) { return print_duration(timeouts.connect); }},
    {"lock",
     [](Timeouts& timeouts, const Given& given) { timeouts.lock = to_duration(given, kAtOnce); },
     [](const Timeouts& timeouts) { return print_duration(timeouts.lock); }},
    {"statement",
     [](Timeouts& timeouts, const Given& given) {
       timeouts.statement = to_duration(given, kAtOnce);
     },
     [](const Timeouts& timeouts) { return print_duration(timeouts.statement); }},
    {"concurrent",
     [](Timeouts& timeouts, const Given& given) {
       timeouts.concurrent = to_duration_or_none(given, kAtOnce);
     },
     [](const Timeouts& timeouts) {
       return timeouts.concurrent ? print_duration(*timeouts.concurrent) : std::string("none");
     }},
}};

constexpr std::array<ScalarSetting<Retention>, 2> kRetention = {{
    {"events",
     [](Retention& retention, const Given& given) {
       retention.events =
           std::chrono::floor<std::chrono::hours>(to_duration(given, std::chrono::hours(1)));
     },
     [](const Retention& retention) { return print_duration(retention.events); }},
    {"runs",
     [](Retention& retention, const Given& given) {
       retention.runs = to_count(given, 1, kMostRuns);
     },
     [](const Retention& retention) { return std::to_string(retention.runs); }},
}};

template <typename Values>
void add_names(const ScalarSection<Values>& section, std::vector<std::string>& names) {
  for (const ScalarSetting<Values>& setting : section.settings) {
    names.push_back(variable_name(section.name, setting.key));
  }
}

}  // namespace

const ScalarSection<Limits> kLimitsSection{"limits", kLimits};
const ScalarSection<Timeouts> kTimeoutsSection{"timeouts", kTimeouts};
const ScalarSection<Retention> kRetentionSection{"retention", kRetention};

std::string variable_name(std::string_view section, std::string_view key) {
  std::string name =
      fmt::format("{}{}{}{}", kVariablePrefix, section, section.empty() ? "" : "_", key);
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return name;
}

void check_variables(const EnvironmentVariables& variables,
                     const std::vector<std::string>& also_known) {
  std::vector<std::string> known;
  for (const char* const key : {"migrations", "store", "ids", "default_environment"}) {
    known.push_back(variable_name("", key));
  }
  add_names(kLimitsSection, known);
  add_names(kTimeoutsSection, known);
  add_names(kRetentionSection, known);
  known.insert(known.end(), also_known.begin(), also_known.end());
  for (const auto& [name, value] : variables) {
    const bool is_ours =
        name.compare(0, kVariablePrefix.size(), kVariablePrefix) == 0 && !is_given_variable(name);
    if (is_ours && std::find(known.begin(), known.end(), name) == known.end()) {
      throw Error(ErrorCode::usage,
                  "unknown_variable",
                  fmt::format("the environment variable '{}' means nothing to drover", name),
                  nearest_hint(name, known));
    }
  }
}

}  // namespace drover::orchestrator::settings

#include "orchestrator/settings/rollout_section.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "orchestrator/settings/section.h"

namespace drover::orchestrator::settings {
namespace {

constexpr std::size_t kMostTenants = 1'000'000;
constexpr std::size_t kMostApprovals = 10;
constexpr unsigned kDaysInWeek = 7;

/// In the order of std::chrono::weekday.
const std::vector<std::string> kDayNames = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
const std::vector<std::string> kPolicies = {"none", "required"};
const std::vector<std::string> kProviders = {"pg_dump", "sqlite", "template_copy", "command"};

unsigned to_day(Given given, const std::string& word) {
  given.text = word;
  return static_cast<unsigned>(to_choice(given, kDayNames));
}

/// "mon", or a range "mon-fri" that may go over the end of the week.
std::vector<std::chrono::weekday> days_in(const Given& given) {
  const std::size_t dash = given.text.find('-');
  const unsigned first = to_day(given, given.text.substr(0, dash));
  const unsigned last =
      dash == std::string::npos ? first : to_day(given, given.text.substr(dash + 1));
  std::vector<std::chrono::weekday> days;
  for (unsigned day = first;; day = (day + 1) % kDaysInWeek) {
    days.emplace_back(day);
    if (day == last) {
      return days;
    }
  }
}

std::vector<std::chrono::weekday> read_days(const YamlNode& node, const std::string& name) {
  if (node.kind != YamlNode::Kind::list) {
    return days_in(given_of(node, name));
  }
  std::vector<std::chrono::weekday> days;
  for (const YamlNode& item : items_of(node, name)) {
    const std::vector<std::chrono::weekday> more = days_in(given_of(item, name));
    days.insert(days.end(), more.begin(), more.end());
  }
  return days;
}

/// "22:00"
std::chrono::minutes to_time_of_day(const Given& given) {
  const std::string& text = given.text;
  const auto digit = [&text](std::size_t at) { return text[at] >= '0' && text[at] <= '9'; };
  const auto number = [&text](std::size_t at) {
    return (text[at] - '0') * 10 + text[at + 1] - '0';
  };
  const bool has_form = text.size() == 5 && digit(0) && digit(1) && text[2] == ':' && digit(3) &&
                        digit(4) && number(0) < 24 && number(3) < 60;
  if (!has_form) {
    refuse_setting(given,
                   fmt::format("is '{}', not a time of day", text),
                   "Write hours and minutes in quotes, as in \"22:00\".");
  }
  return std::chrono::hours(number(0)) + std::chrono::minutes(number(3));
}

/// "Europe/Berlin" or "UTC". Whether the zone exists is known only where the zones are.
std::string to_zone(const Given& given) {
  std::string zone = to_text(given);
  const bool has_form = std::all_of(zone.begin(), zone.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '/' ||
           c == '_' || c == '-' || c == '+';
  });
  if (!has_form || zone.front() == '/' || zone.back() == '/') {
    refuse_setting(given,
                   fmt::format("is '{}', not a time zone", zone),
                   "Write the zone's name, as in Europe/Berlin or UTC.");
  }
  return zone;
}

Window read_window(const YamlNode& node, const std::string& name) {
  const Section section(node, name, {"days", "from", "to", "zone"});
  Window window;
  window.days = read_days(section.required_value("days"), section.name_of("days"));
  window.from = to_time_of_day(section.required("from"));
  window.to = to_time_of_day(section.required("to"));
  if (window.from == window.to) {
    refuse_setting(section.required("to"), "is the same as from", "Give a window that is open.");
  }
  window.zone = to_zone(section.required("zone"));
  return window;
}

Amount to_amount(const Given& given) {
  if (!given.text.empty() && given.text.back() == '%') {
    return {to_percent(given), Amount::Of::percent};
  }
  return {to_count(given, 0, kMostTenants), Amount::Of::tenants};
}

StageBudget read_budget(const YamlNode& node, const std::string& name) {
  const Section section(node, name, {"failures", "strict"});
  StageBudget budget;
  if (const std::optional<Given> failures = section.given("failures")) {
    budget.failures = to_amount(*failures);
  }
  if (const std::optional<Given> strict = section.given("strict")) {
    budget.strict = to_flag(*strict);
  }
  return budget;
}

Gate read_gate(const YamlNode& node, const std::string& name) {
  const Section section(node, name, {"soak", "approvals", "probe"});
  Gate gate;
  if (const std::optional<Given> soak = section.given("soak")) {
    gate.soak = to_duration(*soak, std::chrono::milliseconds(0));
  }
  if (const std::optional<Given> approvals = section.given("approvals")) {
    gate.approvals = to_count(*approvals, 0, kMostApprovals);
  }
  if (const YamlNode* const probe = section.value("probe")) {
    const Section asked(*probe, section.name_of("probe"), {"on", "sql"});
    to_choice(asked.required("on"), {"tenant"});
    gate.probe = Probe{Probe::On::tenant, to_text(asked.required("sql"))};
  }
  return gate;
}

/// `select:`, by labels or by percent.
void read_select(const Section& stage_section, Stage& stage) {
  const YamlNode* const node = stage_section.value("select");
  if (node == nullptr) {
    stage.takes_rest = true;
    return;
  }
  const Section section(*node, stage_section.name_of("select"), {"labels", "percent"});
  if (const YamlNode* const labels = section.value("labels")) {
    const Section wanted = Section::of_names(*labels, section.name_of("labels"));
    for (const YamlEntry& entry : wanted.entries()) {
      const Given value = given_of(entry.value, wanted.name_of(entry.key));
      stage.labels.emplace(entry.key, to_text(value));
    }
  }
  if (const std::optional<Given> percent = section.given("percent")) {
    stage.percent = to_percent(*percent);
  }
  if (stage.labels.empty() && !stage.percent) {
    refuse_setting({section.name(), "", section.place()},
                   "selects nothing",
                   "Give labels or percent; leave select out only in the last stage.");
  }
}

Stage read_stage(const YamlNode& node, const std::string& name, const Limits& limits) {
  const Section section(node, name, {"name", "select", "in_flight", "budget", "gate", "window"});
  Stage stage;
  stage.place = section.place();
  stage.name = to_text(section.required("name"));
  read_select(section, stage);
  if (const std::optional<Given> in_flight = section.given("in_flight")) {
    stage.in_flight = to_count(*in_flight, 1, kMostTenants);
    if (*stage.in_flight > limits.in_flight) {
      refuse_setting(
          *in_flight,
          fmt::format(
              "is {}, more than the environment's limit of {}", *stage.in_flight, limits.in_flight),
          "A stage can only lower a limit; raise limits.in_flight instead.");
    }
  }
  if (const YamlNode* const budget = section.value("budget")) {
    stage.budget = read_budget(*budget, section.name_of("budget"));
  }
  if (const YamlNode* const gate = section.value("gate")) {
    stage.gate = read_gate(*gate, section.name_of("gate"));
  }
  if (const YamlNode* const window = section.value("window")) {
    stage.window = read_window(*window, section.name_of("window"));
  }
  return stage;
}

/// Every tenant must find a stage: the last one, and only that, takes who is left.
void check_stages(const std::vector<Stage>& stages, const std::string& name) {
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const bool is_last = i + 1 == stages.size();
    const Given stage{fmt::format("{}[{}]", name, i), "", stages[i].place, {}};
    if (stages[i].takes_rest && !is_last) {
      refuse_setting(
          stage,
          fmt::format("('{}') takes every tenant and leaves none to the stages behind it",
                      stages[i].name),
          "Give it a select, or make it the last stage.");
    }
    if (!stages[i].takes_rest && is_last) {
      refuse_setting(
          stage,
          fmt::format("('{}') is the last stage and would leave tenants out", stages[i].name),
          "End with a stage without select: it takes the rest.");
    }
    const auto same_name = [&stages, i](const Stage& other) {
      return other.name == stages[i].name;
    };
    const auto end = stages.begin() + static_cast<std::ptrdiff_t>(i);
    if (std::any_of(stages.begin(), end, same_name)) {
      refuse_setting(stage,
                     fmt::format("has the name '{}' of an earlier stage", stages[i].name),
                     "Give each stage a name of its own.");
    }
  }
}

}  // namespace

BackupOptions read_backup(const YamlNode& node,
                          const std::string& name,
                          const SectionReader& reader) {
  const Section section(node, name, {"policy", "provider", "directory", "max_age"});
  BackupOptions backup;
  backup.place = section.place();
  backup.policy = to_choice(section.required("policy"), kPolicies) == 0
                      ? BackupOptions::Policy::none
                      : BackupOptions::Policy::required;
  if (const std::optional<Given> provider = section.given("provider")) {
    backup.provider = static_cast<BackupOptions::Provider>(to_choice(*provider, kProviders));
  }
  if (const std::optional<Given> directory = section.given("directory")) {
    backup.directory = reader.path(*directory);
  } else if (backup.policy == BackupOptions::Policy::required) {
    section.required("directory");
  }
  if (const std::optional<Given> max_age = section.given("max_age")) {
    backup.max_age = to_duration(*max_age, std::chrono::seconds(1));
  }
  return backup;
}

RolloutOptions read_rollout(const YamlNode& node, const std::string& name, const Limits& limits) {
  const Section section(node, name, {"budget", "stages"});
  RolloutOptions rollout;
  rollout.place = section.place();
  if (const YamlNode* const budget = section.value("budget")) {
    const Section of_run(*budget, section.name_of("budget"), {"fingerprint"});
    rollout.fingerprint_budget = to_count(of_run.required("fingerprint"), 0, kMostTenants);
  }
  const std::string stages_name = section.name_of("stages");
  for (const YamlNode& item : items_of(section.required_value("stages"), stages_name)) {
    const std::string stage_name = fmt::format("{}[{}]", stages_name, rollout.stages.size());
    rollout.stages.push_back(read_stage(item, stage_name, limits));
  }
  check_stages(rollout.stages, stages_name);
  return rollout;
}

}  // namespace drover::orchestrator::settings

#include "orchestrator/settings/rollout_section.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "orchestrator/settings/backup_section.h"
#include "orchestrator/settings/gate_section.h"
#include "orchestrator/settings/section.h"

namespace drover::orchestrator::settings {
namespace {

constexpr std::size_t kMostTenants = 1'000'000;
constexpr std::size_t kMostPlanApprovals = 10;

// In the order of their enumerators.
const std::vector<std::string> kStrata = {"server", "version", "size"};
const std::vector<std::string> kOrders = {"slowest", "smallest", "listed"};
const std::vector<std::string> kOnPartial = {"stop", "downgrade", "restore"};
const std::vector<std::string> kLateJoiners = {"ignore", "append", "stop"};

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

void read_labels(const YamlNode& node, const std::string& name, Selection& select) {
  const Section wanted = Section::of_names(node, name);
  for (const YamlEntry& entry : wanted.entries()) {
    const Given value = given_of(entry.value, wanted.name_of(entry.key));
    select.labels.emplace(entry.key, to_text(value));
  }
}

/// `select:`, by ids, by labels, by a number or a share, one of each kind.
void read_select(const Section& stage_section, Stage& stage) {
  const YamlNode* const node = stage_section.value("select");
  if (node == nullptr) {
    stage.takes_rest = true;
    return;
  }
  const Section section(
      *node, stage_section.name_of("select"), {"ids", "labels", "count", "percent", "stratify"});
  Selection& select = stage.select;
  if (const YamlNode* const ids = section.value("ids")) {
    for (const std::string& id : texts_of(*ids, section.name_of("ids"))) {
      select.ids.push_back(TenantId{id});
    }
  }
  if (const YamlNode* const labels = section.value("labels")) {
    read_labels(*labels, section.name_of("labels"), select);
  }
  if (const std::optional<Given> count = section.given("count")) {
    select.count = to_count(*count, 1, kMostTenants);
  }
  if (const std::optional<Given> percent = section.given("percent")) {
    select.percent = to_percent(*percent);
    if (select.count) {
      refuse_setting(*percent, "stands beside a count", "Give one of the two.");
    }
  }
  if (const YamlNode* const strata = section.value("stratify")) {
    const std::string name = section.name_of("stratify");
    for (const YamlNode& item : items_of(*strata, name)) {
      select.stratify.push_back(static_cast<Stratum>(to_choice(given_of(item, name), kStrata)));
    }
  }
  if (select == Selection{}) {
    refuse_setting(
        {section.name(), "", section.place()},
        "selects nothing",
        "Give ids, labels, count, percent or stratify; leave select out only in the last "
        "stage.");
  }
}

/// `key` of a stage, which can only lower `most`, the environment's `limit`.
std::optional<std::size_t> lowered(const Section& section,
                                   const std::string& key,
                                   std::size_t most) {
  const std::optional<Given> given = section.given(key);
  if (!given) {
    return std::nullopt;
  }
  const std::size_t value = to_count(*given, 1, kMostTenants);
  if (value > most) {
    refuse_setting(*given,
                   fmt::format("is {}, more than the environment's limit of {}", value, most),
                   fmt::format("A stage can only lower a limit; raise limits.{} instead.", key));
  }
  return value;
}

Stage read_stage(const YamlNode& node,
                 const std::string& name,
                 const Limits& limits,
                 const SectionReader& reader) {
  const Section section(node,
                        name,
                        {"name",
                         "select",
                         "in_flight",
                         "per_server",
                         "order",
                         "delay",
                         "budget",
                         "progress_deadline",
                         "gate",
                         "window",
                         "backup",
                         "on_partial"});
  Stage stage;
  stage.place = section.place();
  stage.name = to_text(section.required("name"));
  read_select(section, stage);
  stage.in_flight = lowered(section, "in_flight", limits.in_flight);
  stage.per_server = lowered(section, "per_server", limits.per_server);
  if (const std::optional<Given> order = section.given("order")) {
    stage.order = static_cast<StartOrder>(to_choice(*order, kOrders));
  }
  if (const std::optional<Given> delay = section.given("delay")) {
    stage.delay = to_duration(*delay, std::chrono::milliseconds(0));
  }
  if (const YamlNode* const budget = section.value("budget")) {
    stage.budget = read_budget(*budget, section.name_of("budget"));
  }
  if (const std::optional<Given> deadline = section.given("progress_deadline")) {
    stage.progress_deadline = to_duration(*deadline, std::chrono::seconds(1));
  }
  if (const YamlNode* const gate = section.value("gate")) {
    stage.gate = read_gate(*gate, section.name_of("gate"), reader);
  }
  if (const YamlNode* const window = section.value("window")) {
    stage.window = read_window(*window, section.name_of("window"));
  }
  if (const YamlNode* const backup = section.value("backup")) {
    read_stage_backup(*backup, section.name_of("backup"), stage);
  }
  if (const std::optional<Given> on_partial = section.given("on_partial")) {
    stage.on_partial = static_cast<OnPartial>(to_choice(*on_partial, kOnPartial));
  }
  return stage;
}

/// More than everybody cannot be asked for, and nobody belongs to two stages.
void check_selections(const std::vector<Stage>& stages, const std::string& name) {
  std::size_t percent = 0;
  std::map<std::string, std::string> stage_of;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const Given stage{fmt::format("{}[{}]", name, i), "", stages[i].place, {}};
    percent += stages[i].select.percent.value_or(0);
    if (percent > 100) {
      refuse_setting(
          stage,
          fmt::format(
              "('{}') brings the stages to {} percent of the fleet", stages[i].name, percent),
          "Let the percentages add up to 100 at most.");
    }
    for (const TenantId& id : stages[i].select.ids) {
      const auto [found, is_new] = stage_of.emplace(id.value, stages[i].name);
      if (!is_new) {
        refuse_setting(stage,
                       fmt::format("('{}') selects tenant '{}', which stage '{}' has already",
                                   stages[i].name,
                                   id.value,
                                   found->second),
                       "Select each tenant once.");
      }
    }
  }
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

void read_plan_approvals(const YamlNode& node,
                         const std::string& name,
                         const SectionReader& reader,
                         RolloutOptions& rollout) {
  const Section section(node, name, {"count", "expiry", "keys"});
  if (const YamlNode* const keys = section.value("keys")) {
    const Section owners = Section::of_names(*keys, section.name_of("keys"));
    for (const YamlEntry& entry : owners.entries()) {
      const Given file = given_of(entry.value, owners.name_of(entry.key));
      rollout.approval_keys.emplace(entry.key, reader.path(file));
    }
  }
  rollout.approvals = to_count(section.required("count"), 1, kMostPlanApprovals);
  if (const std::optional<Given> expiry = section.given("expiry")) {
    rollout.approval_expiry = to_duration(*expiry, std::chrono::minutes(1));
  }
}

void read_run_budget(const YamlNode& node, const std::string& name, RolloutOptions& rollout) {
  const Section section(node, name, {"failures", "server", "fingerprint"});
  if (const std::optional<Given> failures = section.given("failures")) {
    rollout.run_budget = to_amount(*failures);
  }
  if (const std::optional<Given> server = section.given("server")) {
    rollout.server_budget = to_count(*server, 0, kMostTenants);
  }
  if (const std::optional<Given> fingerprint = section.given("fingerprint")) {
    rollout.fingerprint_budget = to_count(*fingerprint, 0, kMostTenants);
  }
  if (section.entries().empty()) {
    refuse_setting({section.name(), "", section.place()},
                   "is empty",
                   "Give failures, server or fingerprint, or leave the budget out.");
  }
}

}  // namespace

RolloutOptions read_rollout(const YamlNode& node,
                            const std::string& name,
                            const Limits& limits,
                            const SectionReader& reader) {
  const Section section(node, name, {"budget", "approvals", "late_joiners", "stages"});
  RolloutOptions rollout;
  rollout.place = section.place();
  if (const YamlNode* const budget = section.value("budget")) {
    read_run_budget(*budget, section.name_of("budget"), rollout);
  }
  if (const YamlNode* const approvals = section.value("approvals")) {
    read_plan_approvals(*approvals, section.name_of("approvals"), reader, rollout);
  }
  if (const std::optional<Given> late = section.given("late_joiners")) {
    rollout.late_joiners = static_cast<LateJoiners>(to_choice(*late, kLateJoiners));
  }
  const std::string stages_name = section.name_of("stages");
  for (const YamlNode& item : items_of(section.required_value("stages"), stages_name)) {
    const std::string stage_name = fmt::format("{}[{}]", stages_name, rollout.stages.size());
    rollout.stages.push_back(read_stage(item, stage_name, limits, reader));
  }
  check_stages(rollout.stages, stages_name);
  check_selections(rollout.stages, stages_name);
  return rollout;
}

}  // namespace drover::orchestrator::settings

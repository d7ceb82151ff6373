#include "orchestrator/settings/hook_section.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "orchestrator/nearest.h"
#include "orchestrator/settings/section.h"

namespace drover::orchestrator::settings {
namespace {

// In the order of the enumerators.
const std::vector<std::string> kOnError = {"fail", "warn"};

HookEvent to_event(const Given& given, const RolloutOptions* rollout) {
  const auto event = static_cast<HookEvent>(to_choice(given, hook_event_names()));
  const bool needs_stages = event == HookEvent::stage_start || event == HookEvent::stage_end;
  if (needs_stages && rollout == nullptr) {
    refuse_setting(given,
                   fmt::format("is '{}', and the environment has no stages", given.text),
                   "Give it a rollout with stages, or use run_start and run_end.");
  }
  return event;
}

std::vector<HookEvent> read_events(const Section& section, const RolloutOptions* rollout) {
  const YamlNode& node = section.required_value("on");
  const std::string name = section.name_of("on");
  if (node.kind != YamlNode::Kind::list) {
    return {to_event(given_of(node, name), rollout)};
  }
  std::vector<HookEvent> events;
  for (const YamlNode& item : items_of(node, name)) {
    const Given given = given_of(item, fmt::format("{}[{}]", name, events.size()));
    const HookEvent event = to_event(given, rollout);
    if (std::find(events.begin(), events.end(), event) != events.end()) {
      refuse_setting(given, fmt::format("is '{}' once more", given.text), "Name an event once.");
    }
    events.push_back(event);
  }
  return events;
}

void check_stage(const Given& given, const RolloutOptions* rollout) {
  std::vector<std::string> known;
  if (rollout != nullptr) {
    for (const Stage& stage : rollout->stages) {
      known.push_back(stage.name);
    }
  }
  if (std::find(known.begin(), known.end(), given.text) == known.end()) {
    refuse_setting(given,
                   fmt::format("is '{}', which is no stage of the environment", given.text),
                   known.empty()
                       ? "Give it a rollout with stages, or leave the key out, so that the hook is "
                         "for every tenant."
                       : nearest_hint(given.text, known));
  }
}

std::vector<std::string> read_stages(const Section& section,
                                     const HookOptions& hook,
                                     const RolloutOptions* rollout) {
  const YamlNode* const node = section.value("stages");
  if (node == nullptr) {
    return {};
  }
  const std::string name = section.name_of("stages");
  const auto of_none = std::find_if_not(hook.on.begin(), hook.on.end(), is_of_stage);
  if (of_none != hook.on.end()) {
    refuse_setting({name, "", node->place},
                   fmt::format("limits '{}', which belongs to no stage", name_of(*of_none)),
                   "Leave the key out, or write a hook of its own for that event.");
  }
  std::vector<std::string> stages = texts_of(*node, name);
  for (std::size_t i = 0; i < stages.size(); ++i) {
    check_stage(given_of(node->items[i], fmt::format("{}[{}]", name, i)), rollout);
  }
  return stages;
}

HookOptions read_hook(const YamlNode& node,
                      const std::string& name,
                      const RolloutOptions* rollout) {
  const Section section(node, name, {"on", "command", "deadline", "on_error", "stages"});
  HookOptions hook;
  hook.place = section.place();
  hook.on = read_events(section, rollout);
  hook.command = texts_of(section.required_value("command"), section.name_of("command"));
  if (const std::optional<Given> deadline = section.given("deadline")) {
    hook.deadline = to_duration(*deadline, std::chrono::milliseconds(100));
  }
  if (const std::optional<Given> on_error = section.given("on_error")) {
    hook.on_error = static_cast<HookOptions::OnError>(to_choice(*on_error, kOnError));
  }
  hook.stages = read_stages(section, hook, rollout);
  return hook;
}

}  // namespace

std::vector<HookOptions> read_hooks(const YamlNode& node,
                                    const std::string& name,
                                    const RolloutOptions* rollout) {
  std::vector<HookOptions> hooks;
  for (const YamlNode& item : items_of(node, name)) {
    hooks.push_back(read_hook(item, fmt::format("{}[{}]", name, hooks.size()), rollout));
  }
  return hooks;
}

}  // namespace drover::orchestrator::settings

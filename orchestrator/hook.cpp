#include "orchestrator/hook.h"

#include <algorithm>
#include <array>

namespace drover::orchestrator {
namespace {

// In the order of the enumerators.
const std::vector<std::string> kEventNames = {"run_start",
                                              "run_end",
                                              "stage_start",
                                              "stage_end",
                                              "before_tenant",
                                              "after_tenant",
                                              "failure",
                                              "halt"};

constexpr std::array<std::string_view, 18> kVariables = {"DROVER_EVENT",
                                                         "DROVER_RUN",
                                                         "DROVER_ENVIRONMENT",
                                                         "DROVER_VERB",
                                                         "DROVER_RESUMED",
                                                         "DROVER_STAGE",
                                                         "DROVER_TENANT",
                                                         "DROVER_SERVER",
                                                         "DROVER_DATABASE",
                                                         "DROVER_SCHEMA",
                                                         "DROVER_FILE",
                                                         "DROVER_ATTEMPT",
                                                         "DROVER_OUTCOME",
                                                         "DROVER_REASON",
                                                         "DROVER_MESSAGE",
                                                         "DROVER_FROM",
                                                         "DROVER_TO",
                                                         "DROVER_EXIT_STATUS"};

}  // namespace

std::string_view name_of(HookEvent event) noexcept {
  return kEventNames[static_cast<std::size_t>(event)];
}

const std::vector<std::string>& hook_event_names() {
  return kEventNames;
}

HookOptions::OnError default_on_error(HookEvent event) noexcept {
  const bool is_last = event == HookEvent::run_end || is_beside_run(event);
  return is_last ? HookOptions::OnError::warn : HookOptions::OnError::fail;
}

HookOptions::OnError on_error_of(const HookOptions& hook, HookEvent event) noexcept {
  return hook.on_error.value_or(default_on_error(event));
}

bool is_of_stage(HookEvent event) noexcept {
  return event != HookEvent::run_start && event != HookEvent::run_end;
}

bool is_beside_run(HookEvent event) noexcept {
  return event == HookEvent::failure || event == HookEvent::halt;
}

bool stops_at_failure(HookEvent event) noexcept {
  return event == HookEvent::run_start || event == HookEvent::stage_start ||
         event == HookEvent::stage_end || event == HookEvent::before_tenant;
}

bool is_meant(const HookOptions& hook, HookEvent event, std::string_view stage) noexcept {
  return std::find(hook.on.begin(), hook.on.end(), event) != hook.on.end() &&
         (hook.stages.empty() ||
          std::find(hook.stages.begin(), hook.stages.end(), stage) != hook.stages.end());
}

bool is_given_variable(std::string_view name) noexcept {
  return name.starts_with("DROVER_LABEL_") || name.starts_with("DROVER_COUNT_") ||
         std::find(kVariables.begin(), kVariables.end(), name) != kVariables.end();
}

}  // namespace drover::orchestrator

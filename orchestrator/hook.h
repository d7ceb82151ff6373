/// Programs that a run calls when something happens: which events there are, and how a hook of them
/// is wanted. What it is told is hook_facts.h.
///
/// What a hook means, event by event:
/// - run_start: before anything else; a failure ends the run before a tenant is touched. Also when
///   a run is gone on with (`resumed`).
/// - stage_start: nothing of the stage is started before its hooks have ended; a failure halts.
///   When a run is gone on with in the midst of a stage, its hooks are called again.
/// - before_tenant: before the tenant is connected to; after a failure it is left alone and has
///   failed. Called for each attempt.
/// - after_tenant: after each attempt that before_tenant was called for, also when that, or the
///   attempt itself, failed; a failure makes one that went well a failed one.
/// - stage_end: when the stage's gate has passed; a failure halts, and the stage has not passed.
/// - failure: when a tenant has ended failed, partial, in_doubt or unreachable. Beside the run.
/// - halt: when the run stops early, or is paused by a person. Beside the run.
/// - run_end: the last thing that a run does, however it went, unless another process has it now.
///
/// A run without stages has no stage_start and stage_end. Who runs them is hooks/, who is called
/// when is run/ and api/.
///
/// Thread safety: values and pure functions.

#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/error.h"

namespace drover::orchestrator {

enum class HookEvent {
  run_start,
  run_end,
  stage_start,
  stage_end,
  before_tenant,
  after_tenant,
  failure,
  halt,
};

/// Points to static storage.
std::string_view name_of(HookEvent event) noexcept;

/// The names of all events, in the order of the enumerators.
const std::vector<std::string>& hook_event_names();

/// `hooks:` of an environment: one program, for one event or more.
struct HookOptions {
  enum class OnError {
    fail,  ///< What was to follow does not; see above.
    warn,  ///< Is told, and changes nothing.
  };
  std::vector<HookEvent> on;
  std::vector<std::string> command;  ///< A relative program path starts at the configuration's.
  std::chrono::milliseconds deadline{60'000};
  std::optional<OnError> on_error = {};  ///< Nullopt: as default_on_error() has it.
  std::vector<std::string> stages = {};  ///< Empty: of all.
  Place place = {};
};

/// `fail` for what something follows on, `warn` for run_end, failure and halt.
HookOptions::OnError default_on_error(HookEvent event) noexcept;
HookOptions::OnError on_error_of(const HookOptions& hook, HookEvent event) noexcept;

/// True for events that belong to a stage, where there are stages: all but run_start and run_end.
bool is_of_stage(HookEvent event) noexcept;

/// True for events that the run does not wait for.
bool is_beside_run(HookEvent event) noexcept;

/// True when one hook that fails keeps the next ones of the event from being called: those that
/// clear up, or tell, are all called.
bool stops_at_failure(HookEvent event) noexcept;

/// Whether the hook is for `event` in `stage` (empty: none).
bool is_meant(const HookOptions& hook, HookEvent event, std::string_view stage) noexcept;

/// The reason of a tenant that failed because of a hook.
inline constexpr std::string_view kHookReason = "hook";

/// The kind of the journal's events that tell how a hook ended, and of the fault or halt that
/// follows from one that failed.
inline constexpr std::string_view kHookEvent = "hook";
inline constexpr std::string_view kHookFailed = "hook_failed";

/// True for a variable that programs are given by a run, so that Drover may be called by them.
bool is_given_variable(std::string_view name) noexcept;

}  // namespace drover::orchestrator

/// What a run is given, what it tells while it goes, and what it ends with.
///
/// Thread safety: values. A RunObserver is called on the thread that runs.

#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "engine/clock.h"
#include "orchestrator/journal.h"
#include "orchestrator/options.h"
#include "orchestrator/outcome.h"
#include "orchestrator/progress.h"
#include "orchestrator/rollout.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator::run {

/// Events of a run by which a resumed one knows its stages; their text is the stage's name.
inline constexpr std::string_view kStageBegun = "stage_begun";
inline constexpr std::string_view kStageAtGate = "stage_at_gate";
inline constexpr std::string_view kStagePassed = "stage_passed";

/// How long the process may take the run for its own, as every thread of it sees it. Thread safe.
class LeaseTrust {
 public:
  void extend(engine::SteadyTime until) noexcept { until_ = until; }
  bool holds(engine::SteadyTime now) const noexcept { return now < until_.load(); }

 private:
  std::atomic<engine::SteadyTime> until_{engine::SteadyTime::max()};
};

/// Whether cancelling cuts statements short that leave something half-made behind (CONCURRENTLY).
enum class Force { no, yes };

struct RunPlan {
  RunId run;  ///< Begun, or taken over, by the caller.
  Owner owner;
  engine::SteadyTime lease_taken;  ///< From before the call that began it or took it over.
  std::vector<Tenant> tenants;     ///< Those that are to be worked on.
  std::map<TenantId, std::chrono::milliseconds> durations;  ///< See Journal::durations().
  std::map<TenantId, int> crashed_starts;                   ///< See crashed_starts() below.
  Limits limits;                                            ///< Of a run without stages,
  std::optional<std::size_t> failure_budget;     ///< ... as this; see default_failure_budget().
  RolloutRules rollout = {};                     ///< No stages: one, of all tenants.
  std::map<TenantId, std::uint64_t> bytes = {};  ///< Of the data of tenants, where known.
  std::chrono::milliseconds probe_timeout{10'000};
  std::uint32_t seed = 0;
  std::shared_ptr<LeaseTrust> trust =
      {};  ///< Kept up to date while the run goes on; may be absent.

  /// Asked to stop once nothing more is started: what may end at any point without harm (a batch)
  /// does not wait for its end then.
  std::stop_source stopping = {};
};

/// How often a process died under each tenant that was started and has no outcome. Empty for a run
/// whose every start has one.
std::map<TenantId, int> crashed_starts(const std::vector<JournalTenant>& tenants);

class RunObserver {
 public:
  RunObserver() = default;
  RunObserver(const RunObserver&) = delete;
  RunObserver& operator=(const RunObserver&) = delete;
  virtual ~RunObserver() = default;

  /// At most every 100 ms, at least every second, and once at the end.
  virtual void on_progress(const ProgressSnapshot& snapshot) = 0;

  /// A tenant has its outcome.
  virtual void on_tenant(const TenantOutcome& outcome) = 0;

  /// A stage begins, comes to its gate, or has passed it.
  virtual void on_stage(const std::string& name, StageMoved::To to) = 0;

  /// Anything else that a person would want to know: one sentence.
  virtual void on_event(const std::string& text) = 0;
};

struct RunResult {
  std::vector<TenantOutcome> tenants;  ///< In the plan's order.
  RunSummary summary;
  std::optional<Halt> halt;
  std::optional<int> interrupted;  ///< The exit status that the interrupt asked for.
  RunState state = RunState::finished;
  std::size_t failed_hooks = 0;  ///< Of those that nothing but the exit status follows from.

  /// By the order of precedence of exit codes.
  int exit_status() const noexcept;
};

}  // namespace drover::orchestrator::run

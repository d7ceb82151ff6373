/// What a run is given, what it tells while it goes, and what it ends with.
///
/// Thread safety: values. A RunObserver is called on the thread that runs.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/clock.h"
#include "orchestrator/journal.h"
#include "orchestrator/options.h"
#include "orchestrator/outcome.h"
#include "orchestrator/progress.h"
#include "orchestrator/schedule.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator::run {

struct RunPlan {
  RunId run;  ///< Begun, or taken over, by the caller.
  Owner owner;
  engine::SteadyTime lease_taken;  ///< From before the call that began it or took it over.
  std::vector<Tenant> tenants;     ///< Those that are to be worked on.
  std::map<TenantId, std::chrono::milliseconds> durations;  ///< See Journal::durations().
  std::map<TenantId, int> crashed_starts;                   ///< See crashed_starts() below.
  Limits limits;
  std::optional<std::size_t> failure_budget;  ///< See default_failure_budget().
  std::chrono::milliseconds probe_timeout{10'000};
  std::uint32_t seed = 0;
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

  /// Anything else that a person would want to know: one sentence.
  virtual void on_event(const std::string& text) = 0;
};

struct RunResult {
  std::vector<TenantOutcome> tenants;  ///< In the plan's order.
  RunSummary summary;
  std::optional<Halt> halt;
  std::optional<int> interrupted;  ///< The exit status that the interrupt asked for.
  RunState state = RunState::finished;

  /// By the order of precedence of exit codes.
  int exit_status() const noexcept;
};

}  // namespace drover::orchestrator::run

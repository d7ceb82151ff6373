/// What became of one tenant in a run, and of the run as a whole.
///
/// Thread safety: values and pure functions.

#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/fault.h"
#include "engine/revision_graph.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator {

enum class Outcome {
  applied,      ///< Changed, and where it should be.
  current,      ///< Was there already; nothing was written.
  failed,       ///< Where it was before, or between two revisions; the fault says why.
  partial,      ///< Stopped inside a revision; the next run goes on there.
  in_doubt,     ///< Not known; resolved by looking again under the lock.
  not_started,  ///< The run ended before its turn.
  skipped,      ///< Left out on purpose; the reason says why.
  held,         ///< Kept out by a hold.
  unreachable,  ///< Could not be connected to.
  vanished,     ///< Was in the fleet when the run was planned and is gone now.
};

/// In the order of the enumerators.
inline constexpr std::array kEveryOutcome = {Outcome::applied,
                                             Outcome::current,
                                             Outcome::failed,
                                             Outcome::partial,
                                             Outcome::in_doubt,
                                             Outcome::not_started,
                                             Outcome::skipped,
                                             Outcome::held,
                                             Outcome::unreachable,
                                             Outcome::vanished};

/// Points to static storage.
std::string_view name_of(Outcome outcome) noexcept;

/// The outcome called `name`, or nullopt.
std::optional<Outcome> outcome_named(std::string_view name) noexcept;

/// TenantOutcome::reason of a tenant that was left as it is because it has no proven backup.
inline constexpr std::string_view kNoBackup = "backup";

struct TenantOutcome {
  TenantId id;
  std::string server;
  Outcome outcome = Outcome::not_started;
  std::string reason;                     ///< "changed_since_plan" ...; mostly empty.
  std::vector<engine::RevisionId> from;   ///< Heads before.
  std::vector<engine::RevisionId> to;     ///< Heads after.
  std::chrono::milliseconds duration{0};  ///< Of the last attempt that did something.
  int attempts = 0;
  std::string uid = {};  ///< What the tenant's history says it is; empty: as the journal knows.
  std::optional<engine::TenantFault> fault;
};

/// True for applied and current: the tenant is where the run wanted it.
bool went_well(const TenantOutcome& outcome) noexcept;

/// True for skipped, held and vanished: out of the run by somebody's wish.
bool was_left_out(const TenantOutcome& outcome) noexcept;

/// Of a tenant that nothing was tried with.
TenantOutcome untouched(const TenantId& id,
                        const std::string& server,
                        Outcome outcome,
                        const std::string& reason);

/// Tenants that failed for one cause.
struct FaultGroup {
  std::string fingerprint;
  engine::TenantFault example;
  std::size_t count = 0;
  std::vector<TenantId> tenants;  ///< The first 20.
};

/// Counts by outcome, and groups faults: the most frequent first, ties by fingerprint.
class RunSummary {
 public:
  void add(const TenantOutcome& outcome);

  std::size_t total() const noexcept { return total_; }
  std::size_t count(Outcome outcome) const noexcept;
  std::vector<FaultGroup> fault_groups() const;

  /// The exit status that these results stand for: 7 when files and history of any tenant differ;
  /// 5 or 6 when that is the cause of every tenant; 3 when any is not where it should be; else 0.
  /// Held tenants do not count. Interrupts and halts are the caller's to add.
  int exit_status() const noexcept;

 private:
  std::size_t total_ = 0;
  std::map<Outcome, std::size_t> counts_;
  std::map<std::string, FaultGroup> groups_;
  std::map<ErrorCode, std::size_t> causes_;  ///< Of the tenants not where they should be.
};

}  // namespace drover::orchestrator

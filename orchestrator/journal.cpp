#include "orchestrator/journal.h"

#include <algorithm>
#include <array>
#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace drover::orchestrator {
namespace {

/// In the order of the enumerators.
constexpr std::array<std::string_view, 4> kRunStateNames = {
    "running", "finished", "interrupted", "abandoned"};
static_assert(static_cast<std::size_t>(RunState::abandoned) + 1 == kRunStateNames.size());

constexpr std::uint32_t kSuffixMask = 0xFFFFFFU;  // six hexadecimal digits

std::tm utc(WallTime time) {
  return fmt::gmtime(std::chrono::system_clock::to_time_t(time));
}

/// "22:14:03Z", or with its date when that is not the day of `today`.
std::string time_of_day(WallTime time, WallTime today) {
  const bool same_day =
      std::chrono::floor<std::chrono::days>(time) == std::chrono::floor<std::chrono::days>(today);
  return same_day ? fmt::format("{:%H:%M:%SZ}", utc(time))
                  : fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", utc(time));
}

}  // namespace

RunId make_run_id(WallTime now, std::uint32_t random) {
  return RunId{fmt::format("{:%Y%m%dT%H%M%S}-{:06x}", utc(now), random & kSuffixMask)};
}

std::string_view name_of(RunState state) noexcept {
  return kRunStateNames.at(static_cast<std::size_t>(state));
}

std::optional<RunState> run_state_named(std::string_view name) noexcept {
  const auto* const found = std::find(kRunStateNames.begin(), kRunStateNames.end(), name);
  if (found == kRunStateNames.end()) {
    return std::nullopt;
  }
  return static_cast<RunState>(found - kRunStateNames.begin());
}

RunInProgress run_in_progress(const RunRecord& holder) {
  return {holder,
          fmt::format("environment '{}' is being migrated by run {} of {} on host {} (pid {}), "
                      "since {}",
                      holder.request.environment,
                      holder.id.value,
                      holder.owner.user,
                      holder.owner.host,
                      holder.owner.pid,
                      time_of_day(holder.started, holder.heartbeat)),
          "Wait for that run to end, or stop it; a run whose process is gone is taken over."};
}

Error unknown_run(std::string_view run) {
  return {ErrorCode::usage,
          "unknown_run",
          fmt::format("run '{}' is not in the journal", run),
          "List the runs to see which there are."};
}

Error ambiguous_run(std::string_view prefix, const RunId& one, const RunId& other) {
  return {ErrorCode::usage,
          "ambiguous_run",
          fmt::format("run '{}' is not clear: it may be {} or {}", prefix, one.value, other.value),
          "Write more of the id."};
}

Error run_finished(const RunRecord& record) {
  return {ErrorCode::usage,
          "run_finished",
          fmt::format("run {} is {}", record.id.value, name_of(record.state)),
          "Start a new run; only one that was interrupted or whose process died goes on."};
}

Error lease_lost(const RunId& run) {
  return {ErrorCode::busy,
          "lease_lost",
          fmt::format("run {} was taken over by another process", run.value),
          "Look at the run to see who goes on with it; this process starts nothing more."};
}

}  // namespace drover::orchestrator

#include "orchestrator/report/progress_view.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "orchestrator/report/run_report.h"
#include "orchestrator/report/text.h"

namespace drover::orchestrator::report {
namespace {

constexpr std::size_t kWidestBar = 40;
constexpr std::size_t kNarrowestBar = 10;
constexpr std::size_t kPausedShown = 3;

/// Outcomes that a person looks at while it runs; the others only at the end.
constexpr std::array kShown = {Outcome::applied,
                               Outcome::current,
                               Outcome::failed,
                               Outcome::partial,
                               Outcome::in_doubt,
                               Outcome::unreachable,
                               Outcome::skipped,
                               Outcome::held,
                               Outcome::vanished};

std::size_t percent_done(const ProgressSnapshot& snapshot) {
  return snapshot.total == 0 ? 100 : snapshot.done * 100 / snapshot.total;
}

std::string bar(const ProgressSnapshot& snapshot, std::size_t cells) {
  const std::size_t full = snapshot.total == 0 ? cells : snapshot.done * cells / snapshot.total;
  return std::string(full, '#') + std::string(cells - full, '.');
}

std::string counts(const ProgressSnapshot& snapshot) {
  std::string text;
  for (const Outcome outcome : kShown) {
    const auto found = snapshot.counts.find(outcome);
    if (found != snapshot.counts.end() && found->second > 0) {
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", found->second, name_of(outcome));
    }
  }
  if (snapshot.in_flight > 0) {
    text += fmt::format("{}{} in flight", text.empty() ? "" : ", ", snapshot.in_flight);
  }
  return text;
}

std::string pace(const ProgressSnapshot& snapshot) {
  std::string text = fmt::format(
      "{:.1f}/s, {} so far", snapshot.tenants_per_second, duration_text(snapshot.elapsed));
  if (snapshot.remaining && snapshot.done < snapshot.total) {
    text += fmt::format(", about {} to go", duration_text(*snapshot.remaining));
  }
  return text;
}

/// "12/100 made, 2 in flight, 48.0 MiB/s, about 2 min to go"
std::string backups(const BackupProgress& backups) {
  std::string text = backups.planned > 0 ? fmt::format("{}/{} made", backups.made, backups.planned)
                                         : fmt::format("{} made", backups.made);
  if (backups.failed > 0) {
    text += fmt::format(", {} failed", backups.failed);
  }
  if (backups.in_flight > 0) {
    text += fmt::format(", {} in flight", backups.in_flight);
  }
  if (backups.bytes > 0) {
    text += fmt::format(", {}/s", bytes_text(static_cast<std::uint64_t>(backups.bytes_per_second)));
  }
  if (backups.remaining) {
    text += fmt::format(", about {} to go", duration_text(*backups.remaining));
  }
  return text;
}

/// "3 tenants, 1200000/4000000 rows (30 %), 52000/s, about 1 min to go; 1 waits: replica_lag"
std::string batches(const BatchProgress& batches) {
  const std::uint64_t percent =
      batches.estimated_rows == 0 ? 0 : 100 * batches.rows_seen / batches.estimated_rows;
  std::string text = fmt::format("{}, {}/{} rows ({} %)",
                                 count_of(batches.tenants, "tenant"),
                                 batches.rows_seen,
                                 batches.estimated_rows,
                                 percent);
  if (batches.rows_per_second > 0) {
    text += fmt::format(", {:.0f}/s", batches.rows_per_second);
  }
  if (batches.remaining) {
    text += fmt::format(", about {} to go", duration_text(*batches.remaining));
  }
  if (batches.parked > 0) {
    text += fmt::format(", {} parked", count_of(batches.parked, "row"));
  }
  for (const auto& [reason, tenants] : batches.waiting) {
    text += fmt::format("; {} waiting for {}", tenants, reason);
  }
  return text;
}

}  // namespace

std::string progress_block(const ProgressSnapshot& snapshot, std::size_t width) {
  std::string block;
  const auto add = [&](const std::string& line) { block += cut_to(printable(line), width) + "\n"; };
  const std::string done =
      fmt::format("{}/{} ({} %)", snapshot.done, snapshot.total, percent_done(snapshot));
  const std::size_t room = width > done.size() + 3 ? width - done.size() - 3 : 0;
  const std::size_t cells = std::min(kWidestBar, room);
  add(cells < kNarrowestBar ? done : fmt::format("[{}] {}", bar(snapshot, cells), done));
  if (const std::string line = counts(snapshot); !line.empty()) {
    add(line);
  }
  add(pace(snapshot));
  if (snapshot.backups) {
    add("backups: " + backups(*snapshot.backups));
  }
  if (snapshot.batches) {
    add("batches: " + batches(*snapshot.batches));
  }
  for (const TenantUnderWay& tenant : snapshot.slowest) {
    const std::string attempt =
        tenant.attempt > 1 ? fmt::format(", attempt {}", tenant.attempt) : "";
    add(fmt::format("  {} {}{}", duration_text(tenant.age), tenant.id.value, attempt));
  }
  for (std::size_t i = 0; i < std::min(kPausedShown, snapshot.paused.size()); ++i) {
    const PausedServer& paused = snapshot.paused[i];
    add(fmt::format("paused: server {}: {}", paused.server, paused.why));
  }
  if (snapshot.paused.size() > kPausedShown) {
    add(fmt::format("paused: {}", count_of(snapshot.paused.size() - kPausedShown, "more server")));
  }
  if (!snapshot.waiting_for.empty()) {
    add("waiting for " + snapshot.waiting_for);
  }
  return block;
}

std::string progress_line(const ProgressSnapshot& snapshot) {
  std::string line =
      fmt::format("{}/{} ({} %)", snapshot.done, snapshot.total, percent_done(snapshot));
  if (const std::string said = counts(snapshot); !said.empty()) {
    line += ": " + said;
  }
  line += "; " + pace(snapshot);
  if (snapshot.backups) {
    line += "; backups: " + backups(*snapshot.backups);
  }
  if (snapshot.batches) {
    line += "; batches: " + batches(*snapshot.batches);
  }
  if (!snapshot.paused.empty()) {
    line += fmt::format("; {} paused", count_of(snapshot.paused.size(), "server"));
  }
  if (!snapshot.waiting_for.empty()) {
    line += "; waiting for " + snapshot.waiting_for;
  }
  return printable(line);
}

}  // namespace drover::orchestrator::report

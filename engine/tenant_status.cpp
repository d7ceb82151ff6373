#include "engine/tenant_status.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/revision_ref.h"
#include "engine/tenant_plan.h"

namespace drover::engine {
namespace {

constexpr std::string_view kNames[] = {"unreachable",
                                       "held",
                                       "partial",
                                       "edited",
                                       "unknown_revision",
                                       "diverged",
                                       "ahead",
                                       "behind",
                                       "empty",
                                       "current"};

std::string progress_of(const MigrationSet& migrations, Dialect dialect, const History& history) {
  const RevisionId id = history.half_done();
  const Migration* migration = migrations.find(id);
  const Direction direction = direction_in_progress(history);
  const bool down = direction == Direction::down;
  int done = 0;
  for (const StepRecord& step : history.steps) {
    if (step.revision == id && step.direction == direction) {
      done = std::max(done, step.statement == 0 && step.done ? step.unit : step.unit - 1);
    }
  }
  if (migration == nullptr) {
    return fmt::format("{} units of revision '{}'", done, id.value);
  }
  const auto units = down ? down_units(*migration, dialect) : up_units(*migration, dialect);
  return fmt::format(
      "{} of {} units of revision '{}' {}", done, units.size(), id.value, down ? "undone" : "done");
}

/// The state that a history which does not fit stands for.
TenantState state_of(const TenantFault& fault) {
  if (fault.kind == "edited") {
    return TenantState::edited;
  }
  return fault.kind == "unknown_revision" ? TenantState::unknown_revision : TenantState::diverged;
}

/// True when something is applied that `targets` do not need.
bool is_ahead(const RevisionGraph& graph,
              const RevisionSet& applied,
              const std::vector<RevisionId>& targets) {
  const RevisionSet wanted = graph.closure(targets);
  return std::any_of(
      applied.begin(), applied.end(), [&](const RevisionId& id) { return !wanted.contains(id); });
}

/// Where `ref` takes a tenant. "+1" takes one that has all there is nowhere.
std::vector<RevisionId> targets_of(const RevisionGraph& graph,
                                   const std::string& ref,
                                   const RevisionSet& applied) {
  try {
    return resolve_upgrade(graph, ref, applied);
  } catch (const GraphError& error) {
    const bool at_the_end = Goal{Direction::up, ref, FromPartial::no}.relative() &&
                            error.kind() == GraphError::Kind::out_of_range;
    if (!at_the_end) {
      throw;
    }
    return graph.current_heads(applied);
  }
}

}  // namespace

std::string_view name_of(TenantState state) noexcept {
  return kNames[static_cast<std::size_t>(state)];
}

TenantStatus status_of(const MigrationSet& migrations,
                       Dialect dialect,
                       History history,
                       const std::string& ref) {
  TenantStatus status;
  const RevisionSet applied = history.applied_ids();
  status.current = migrations.graph().current_heads(applied);
  status.fault = history_fault(migrations, dialect, history);
  if (!status.fault) {
    const auto targets = targets_of(migrations.graph(), ref, applied);
    status.pending = migrations.graph().pending(applied, targets);
    const bool ahead = status.pending.empty() && is_ahead(migrations.graph(), applied, targets);
    const bool empty = applied.empty();
    status.state = ahead                     ? TenantState::ahead
                   : !status.pending.empty() ? TenantState::behind
                   : empty                   ? TenantState::empty
                                             : TenantState::current;
  } else {
    status.state = state_of(*status.fault);
  }
  if (!history.half_done().value.empty()) {
    status.state = TenantState::partial;
    status.progress = progress_of(migrations, dialect, history);
  }
  status.history = std::move(history);
  return status;
}

TenantStatus read_status(TenantSession& tenant,
                         const MigrationSet& migrations,
                         const std::string& ref,
                         const Patience& patience) {
  if (auto fault = tenant.look(patience)) {
    return unreadable(std::move(*fault));
  }
  TenantStatus status = status_of(migrations, tenant.target().dialect, tenant.history(), ref);
  if (auto fault = tenant.identity_fault()) {
    status.fault = std::move(fault);
  }
  return status;
}

TenantStatus unreadable(TenantFault fault) {
  TenantStatus status;
  status.state = TenantState::unreachable;
  status.fault = std::move(fault);
  return status;
}

}  // namespace drover::engine

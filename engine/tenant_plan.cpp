#include "engine/tenant_plan.h"

#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "engine/revision_ref.h"
#include "engine/step_refusal.h"
#include "engine/tenant_session.h"

namespace drover::engine {
namespace {

/// The files of a half-done revision must not have changed where they were run already.
std::optional<TenantFault> changed_since(const Migration& migration,
                                         const std::vector<Unit>& units,
                                         const StepRecord& record) {
  const auto unit = static_cast<std::size_t>(record.unit - 1);
  std::string now;
  if (unit < units.size()) {
    const Unit& here = units[unit];
    if (record.statement == 0) {
      now = checksum_of(here);
    } else if (here.kind == Unit::Kind::statements) {
      const auto& statements = here.sections.front()->statements;
      const auto index = static_cast<std::size_t>(record.statement - 1);
      now = index < statements.size() ? checksum_of(statements[index]) : std::string();
    }
  }
  if (now == record.checksum) {
    return std::nullopt;
  }
  TenantFault fault =
      found(migration.id,
            ErrorCode::verification,
            "edited",
            fmt::format("unit {} of revision '{}' was run already, and its text is another now",
                        record.unit,
                        migration.id.value),
            "Put the text back as it was; only units that were not run yet may change.");
  fault.place.file = migration.source.generic_string();
  return fault;
}

/// Where a half-done revision goes on.
std::optional<TenantFault> go_on(Step& step, const History& history) {
  step.resumed = true;
  for (const StepRecord& record : history.steps) {
    if (record.revision != step.migration->id || record.direction != step.direction) {
      continue;
    }
    if (auto fault = changed_since(*step.migration, step.units, record)) {
      return fault;
    }
    if (record.statement == 0) {  // a whole unit; of a batch, also one that was begun
      step.first_unit = static_cast<std::size_t>(record.done ? record.unit : record.unit - 1);
      step.first_statement = 1;
      step.started = record.done ? std::nullopt : std::optional(record);
      continue;
    }
    step.first_unit = static_cast<std::size_t>(record.unit - 1);
    step.first_statement = record.done ? record.statement + 1 : record.statement;
    step.started = record.done ? std::nullopt : std::optional(record);
    const auto count = step.units[step.first_unit].sections.front()->statements.size();
    if (static_cast<std::size_t>(step.first_statement) > count) {
      ++step.first_unit;
      step.first_statement = 1;
    }
  }
  return std::nullopt;
}

Step step_of(const Migration& migration, Dialect dialect, Direction direction) {
  Step step;
  step.migration = &migration;
  step.direction = direction;
  step.units =
      direction == Direction::up ? up_units(migration, dialect) : down_units(migration, dialect);
  return step;
}

/// Whether the batch that is to come, or under way, is the only thing that `id` waits for: then
/// nobody waits for it but those who depend on it.
bool waits_aside(const History& history, const RevisionId& id, const Itinerary& itinerary) {
  return history.tenant.in_progress.empty() && history.waits_for_batch(id) &&
         itinerary.direction == Direction::up;
}

/// A revision that was left half done comes first; nothing else may run before it is whole, unless
/// it is its batch that it waits for.
std::optional<TenantFault> add_half_done(const MigrationSet& migrations,
                                         Dialect dialect,
                                         const History& history,
                                         const Itinerary& itinerary,
                                         FromPartial from_partial,
                                         std::vector<Step>& steps) {
  const RevisionId id = history.half_done();
  if (id.value.empty() || waits_aside(history, id, itinerary)) {
    return std::nullopt;
  }
  const Migration* migration = migrations.find(id);
  if (migration == nullptr) {
    return found(id,
                 ErrorCode::verification,
                 "unknown_revision",
                 fmt::format("revision '{}' is half done, and its file is not here", id.value),
                 "Use the migrations that it was started with.");
  }
  const auto& wanted = itinerary.revisions;
  const bool asked_for = std::find(wanted.begin(), wanted.end(), id) != wanted.end();
  const Direction begun = direction_in_progress(history);
  const bool goes_on = begun == itinerary.direction;
  const bool undoes = begun == Direction::up && itinerary.direction == Direction::down &&
                      from_partial == FromPartial::yes;
  if (!asked_for || !(goes_on || undoes)) {
    const bool down = begun == Direction::down;
    return found(id,
                 ErrorCode::incomplete,
                 "partial",
                 fmt::format("revision '{}' is half {}", id.value, down ? "undone" : "done"),
                 down ? "Finish the downgrade first."
                      : "Finish it with an upgrade, or undo it with --from-partial.");
  }
  Step step = step_of(*migration, dialect, itinerary.direction);
  step.resumed = true;
  step.recorded = itinerary.direction == Direction::up || history.find(id) != nullptr;
  auto fault = goes_on ? go_on(step, history) : std::nullopt;
  steps.push_back(std::move(step));
  return fault;
}

/// A revision whose batch works in the background is applied, and yet not what others can stand on.
std::optional<TenantFault> unfinished_ground(const MigrationSet& migrations,
                                             const History& history,
                                             const std::vector<Step>& steps) {
  for (const Step& step : steps) {
    for (const RevisionId& id : history.tenant.at_batch) {
      const bool rests_on_it =
          step.direction == Direction::up && step.migration->id != id &&
          migrations.graph().closure(std::span(&step.migration->id, 1)).contains(id);
      if (rests_on_it && history.find(id) != nullptr) {
        return found(step.migration->id,
                     ErrorCode::waiting,
                     "batch_unfinished",
                     fmt::format("revision '{}' rests on '{}', whose batch is not done",
                                 step.migration->id.value,
                                 id.value),
                     "See drover batches list; drover batches run works it off.");
      }
    }
  }
  return std::nullopt;
}

}  // namespace

Direction direction_in_progress(const History& history) {
  // Rows of the way up stay while a revision that is half done is undone.
  const bool any_down =
      std::any_of(history.steps.begin(), history.steps.end(), [](const StepRecord& step) {
        return step.direction == Direction::down;
      });
  const bool recorded = history.find(history.half_done()) != nullptr;
  return any_down || recorded ? Direction::down : Direction::up;
}

bool Goal::relative() const noexcept {
  const std::size_t sign = target.find_first_of("+-");
  return sign != std::string::npos || target == "current";
}

Itinerary itinerary_for(const MigrationSet& migrations,
                        const RevisionSet& applied,
                        const Goal& goal) {
  const RevisionGraph& graph = migrations.graph();
  if (goal.direction == Direction::up) {
    const std::vector<RevisionId> targets = resolve_upgrade(graph, goal.target, applied);
    return {Direction::up, graph.pending(applied, targets)};
  }
  const std::vector<RevisionId> unwanted = resolve_downgrade(graph, goal.target, applied);
  return {Direction::down, graph.to_undo(applied, unwanted)};
}

TenantPlan plan_tenant(const MigrationSet& migrations,
                       Dialect dialect,
                       const History& history,
                       const Itinerary& itinerary,
                       TransactionMode mode,
                       FromPartial from_partial) {
  TenantPlan plan;
  plan.fault = history_fault(migrations, dialect, history);
  if (plan.fault) {
    return plan;
  }
  std::vector<Step> steps;
  plan.fault = add_half_done(migrations, dialect, history, itinerary, from_partial, steps);
  const bool up = itinerary.direction == Direction::up;
  const RevisionSet applied = history.applied_ids();
  for (const RevisionId& id : itinerary.revisions) {
    const bool begun = !steps.empty() && steps.front().migration->id == id;
    if (!begun && applied.contains(id) != up) {
      steps.push_back(step_of(*migrations.find(id), dialect, itinerary.direction));
    }
    if (!begun && !plan.fault && up && history.waits_for_batch(id) && !applied.contains(id)) {
      plan.fault = go_on(steps.back(), history);
    }
  }
  if (!plan.fault) {
    plan.fault = unfinished_ground(migrations, history, steps);
  }
  if (!plan.fault) {
    plan.fault = step_refusal(migrations, dialect, applied, steps, mode);
  }
  if (!plan.fault) {
    plan.steps = std::move(steps);
  }
  return plan;
}

std::optional<TenantFault> history_fault(const MigrationSet& migrations,
                                         Dialect dialect,
                                         const History& history) {
  const AppliedCheck check = migrations.graph().check(history.applied_ids());
  for (const AppliedRevision& row : history.applied) {
    const Migration* migration = migrations.find(row.id);
    if (migration != nullptr && migration->checksums.at(dialect).up != row.checksums.up) {
      TenantFault fault =
          found(row.id,
                ErrorCode::verification,
                "edited",
                fmt::format("revision '{}' was edited after it was applied", row.id.value),
                "Put the file back as it was and write a new revision, or accept the change with "
                "repair.");
      fault.place.file = migration->source.generic_string();
      return fault;
    }
  }
  if (!check.unknown.empty()) {
    return found(check.unknown.front(),
                 ErrorCode::verification,
                 "unknown_revision",
                 fmt::format("the tenant has applied '{}', and there is no file for it",
                             check.unknown.front().value),
                 "Use the migrations of the build that applied it.");
  }
  if (!check.gaps.empty()) {
    return found(check.gaps.front().applied,
                 ErrorCode::verification,
                 "diverged",
                 fmt::format("the tenant has applied '{}' but not '{}', which it needs",
                             check.gaps.front().applied.value,
                             check.gaps.front().missing.value),
                 "Compare the tenant's schema with the history, then repair its record.");
  }
  for (const AppliedRevision& row : history.applied) {
    if (migrations.find(row.id)->checksums.at(dialect).chain != row.checksums.chain) {
      return found(
          row.id,
          ErrorCode::verification,
          "diverged",
          fmt::format("revision '{}' has other parents now than when it was applied", row.id.value),
          "Give it its old parents back, or accept the new ones with repair.");
    }
  }
  return std::nullopt;
}

std::vector<RevisionId> heads_of(const MigrationSet& migrations, const History& history) {
  return migrations.graph().current_heads(history.applied_ids());
}

}  // namespace drover::engine

#include "engine/step_refusal.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "engine/tenant_session.h"

namespace drover::engine {
namespace {

std::optional<TenantFault> refuse_unit(const Step& step, TransactionMode mode) {
  for (const Unit& unit : step.units) {
    if (mode == TransactionMode::all && unit.kind != Unit::Kind::transaction) {
      return found(step.migration->id,
                   ErrorCode::usage,
                   "not_one_transaction",
                   fmt::format("revision '{}' has a {} section and cannot be part of a single "
                               "transaction",
                               step.migration->id.value,
                               unit.kind == Unit::Kind::batch ? "batch" : "no-transaction"),
                   "Run without a single transaction, or up to the revision before it first.");
    }
  }
  return std::nullopt;
}

/// The statements of `step`, in the order in which they run.
std::vector<const SqlStatement*> statements_of(const Step& step) {
  std::vector<const SqlStatement*> statements;
  for (const Unit& unit : step.units) {
    for (const Section* section : unit.sections) {
      for (const SqlStatement& statement : section->statements) {
        statements.push_back(&statement);
      }
    }
  }
  return statements;
}

/// Calls `visit` with each statement of `steps` and its revision, until it returns a fault.
template <typename Visit>
std::optional<TenantFault> first_fault(const std::vector<Step>& steps, Visit visit) {
  for (const Step& step : steps) {
    for (const SqlStatement* statement : statements_of(step)) {
      if (auto fault = visit(*step.migration, *statement)) {
        return fault;
      }
    }
  }
  return std::nullopt;
}

/// PostgreSQL refuses to use an enum value in the transaction that added it.
std::optional<TenantFault> enum_value_used(const std::vector<Step>& steps) {
  std::vector<std::string_view> added;
  return first_fault(steps, [&](const Migration& migration, const SqlStatement& statement) {
    std::optional<TenantFault> fault;
    if (statement.kind == StatementKind::alter_type_add_value) {
      added.push_back(statement.table);
      return fault;
    }
    const auto used = std::find_if(added.begin(), added.end(), [&](std::string_view value) {
      return !value.empty() && statement.text.find(value) != std::string_view::npos;
    });
    if (used != added.end()) {
      fault = found(migration.id,
                    ErrorCode::usage,
                    "not_one_transaction",
                    fmt::format("revision '{}' uses the enum value {}, which the same transaction "
                                "would add",
                                migration.id.value,
                                *used),
                    "Run without a single transaction: PostgreSQL lets a new value be used only "
                    "after the commit.");
      fault->place = migration.place_of(statement, 0);
    }
    return fault;
  });
}

/// SQLite cannot turn foreign keys on or off within a transaction.
std::optional<TenantFault> foreign_keys_differ(const std::vector<Step>& steps) {
  const auto keeps_on = [](const Step& step) {
    const std::string* setting = setting_of(*step.migration, "foreign_keys");
    return setting != nullptr && *setting == "on";
  };
  const auto other = std::find_if(steps.begin(), steps.end(), [&](const Step& step) {
    return keeps_on(step) != keeps_on(steps.front());
  });
  if (other == steps.end()) {
    return std::nullopt;
  }
  const RevisionId& id = other->migration->id;
  return found(
      id,
      ErrorCode::usage,
      "not_one_transaction",
      fmt::format("revision '{}' sets foreign_keys otherwise than '{}' does, with which it "
                  "would share a transaction",
                  id.value,
                  steps.front().migration->id.value),
      "Run without a single transaction, or up to the revision before it first.");
}

std::optional<TenantFault> refuse_downgrade(const Step& step) {
  if (step.direction == Direction::up || !step.migration->irreversible) {
    return std::nullopt;
  }
  return found(step.migration->id,
               ErrorCode::usage,
               "irreversible",
               fmt::format("revision '{}' cannot be undone: {}",
                           step.migration->id.value,
                           *step.migration->irreversible),
               "Go down only to a revision after it, or restore a backup.");
}

/// The itinerary was chosen when the tenant was first seen. Should somebody have taken it elsewhere
/// since, a step could pull the ground from under what was applied, or lack it.
bool stands_on_its_ground(const MigrationSet& migrations,
                          const Step& step,
                          const RevisionSet& applied) {
  const Migration& migration = *step.migration;
  const auto holds = [](const std::vector<RevisionId>& ids, const RevisionId& id) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
  };
  if (step.direction == Direction::up) {
    const auto is_applied = [&](const RevisionId& id) { return applied.contains(id); };
    return std::all_of(migration.parents.begin(), migration.parents.end(), is_applied) &&
           std::all_of(migration.depends.begin(), migration.depends.end(), is_applied);
  }
  return std::none_of(applied.begin(), applied.end(), [&](const RevisionId& id) {
    const Migration* other = migrations.find(id);
    return other != nullptr &&
           (holds(other->parents, migration.id) || holds(other->depends, migration.id));
  });
}

std::optional<TenantFault> ground_lacking(const MigrationSet& migrations,
                                          const std::vector<Step>& steps,
                                          RevisionSet applied) {
  for (const Step& step : steps) {
    const RevisionId& id = step.migration->id;
    if (!stands_on_its_ground(migrations, step, applied)) {
      return found(id,
                   ErrorCode::busy,
                   "history_moves",
                   fmt::format("revision '{}' was to go {}, and the tenant was taken elsewhere "
                               "meanwhile",
                               id.value,
                               name_of(step.direction)),
                   "Find out who else migrates this tenant, and try again.");
    }
    if (step.direction == Direction::up) {
      applied.insert(id);
    } else {
      applied.erase(id);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<TenantFault> step_refusal(const MigrationSet& migrations,
                                        Dialect dialect,
                                        const RevisionSet& applied,
                                        const std::vector<Step>& steps,
                                        TransactionMode mode) {
  for (const Step& step : steps) {
    if (auto fault = refuse_downgrade(step)) {
      return fault;
    }
    if (auto fault = refuse_unit(step, mode)) {
      return fault;
    }
  }
  if (mode == TransactionMode::all) {
    auto fault = dialect == Dialect::postgres ? enum_value_used(steps) : foreign_keys_differ(steps);
    if (fault) {
      return fault;
    }
  }
  return ground_lacking(migrations, steps, applied);
}

}  // namespace drover::engine

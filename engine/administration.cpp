#include "engine/administration.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/revision_ref.h"
#include "engine/session_hygiene.h"
#include "engine/transaction_script.h"

namespace drover::engine {
namespace {

/// Sends `statements` behind the fence, in one transaction; makes the tables first if need be.
std::optional<TenantFault> commit_changes(TenantSession& tenant,
                                          const Provenance& by,
                                          const std::vector<OwnedStatement>& statements,
                                          const std::string& in_progress,
                                          const Patience& patience) {
  ScriptContext context;
  context.tables = &tenant.tables();
  context.by = by;
  context.settings = tenant.settings();
  ScriptWriter writer(context, tenant.history().tenant.epoch);
  if (!tenant.history().exists) {
    writer.create_tables(tenant.options().environment, tenant.options().production);
  }
  writer.settle(ScriptWriter::Resets::no);
  writer.administer(statements, in_progress);
  const std::vector<Line> lines = writer.take();
  for (std::size_t from = 0; from < lines.size();) {
    std::vector<Statement> views;
    std::size_t to = from;
    while (to < lines.size()) {
      views.push_back(lines[to].view());
      if (lines[to++].expect != Line::Expect::nothing) {
        break;
      }
    }
    const Exchange answer = tenant.exchange(views, patience);
    const bool fenced = answer.ok() && lines[to - 1].expect == Line::Expect::one_row_changed &&
                        answer.results.back().affected != 1;
    if (!answer.ok() || fenced) {
      tenant.roll_back();
      return fenced ? found(ErrorCode::busy,
                            "history_moves",
                            "the tenant's history changed under us",
                            "Try again.")
                    : fault_from(*answer.error, "changing the history");
    }
    from = to;
  }
  return tenant.reread(patience);
}

std::string yes_or_no(bool value) {
  return value ? "yes" : "no";
}

HistoryChange checksum_change(const RevisionId& id,
                              std::string_view which,
                              const std::string& before,
                              const std::string& after) {
  constexpr std::size_t kShown = 12;
  return {fmt::format("revision {}: {} checksum", id.value, which),
          before.substr(0, kShown),
          after.substr(0, kShown)};
}

/// Takes the files' checksums for those of revisions that were edited or re-parented. An accepted
/// edit changes the chain of everything that follows it, so chains are brought up to date with it.
void accept_files(const TenantSession& tenant,
                  const MigrationSet& migrations,
                  const RepairRequest& request,
                  std::vector<HistoryChange>& changes,
                  std::vector<OwnedStatement>& statements) {
  if (!request.accept_edits && !request.accept_parents) {
    return;
  }
  for (const AppliedRevision& row : tenant.history().applied) {
    const Migration* migration = migrations.find(row.id);
    if (migration == nullptr) {
      continue;
    }
    const Checksums& now = migration->checksums.at(tenant.target().dialect);
    const bool edited = now.up != row.checksums.up || now.down != row.checksums.down;
    const bool moved = now.chain != row.checksums.chain;
    if (edited && !request.accept_edits) {
      continue;
    }
    if (now.up != row.checksums.up) {
      changes.push_back(checksum_change(row.id, "up", row.checksums.up, now.up));
    } else if (edited) {
      changes.push_back(checksum_change(row.id, "down", row.checksums.down, now.down));
    } else if (moved) {
      changes.push_back(checksum_change(row.id, "chain", row.checksums.chain, now.chain));
    }
    if (edited || moved) {
      statements.push_back(tenant.tables().update_checksums(*migration));
    }
  }
}

/// Takes a person's word for what became of a statement that was cut short.
void settle_statements(const TenantSession& tenant,
                       const RepairRequest& request,
                       std::vector<HistoryChange>& changes,
                       std::vector<OwnedStatement>& statements) {
  if (request.statement == RepairRequest::Statement::leave) {
    return;
  }
  const bool done = request.statement == RepairRequest::Statement::done;
  for (const StepRecord& step : tenant.history().steps) {
    if (step.done || step.statement == 0) {
      continue;
    }
    statements.push_back(done ? tenant.tables().step_done(step)
                              : tenant.tables().forget_step(step));
    changes.push_back({fmt::format("statement {} of unit {} of revision {}",
                                   step.statement,
                                   step.unit,
                                   step.revision.value),
                       "started",
                       done ? "done" : "not started"});
  }
}

}  // namespace

std::optional<TenantFault> approach_for_change(TenantSession& tenant,
                                               CheckEnvironment check,
                                               const Patience& patience) {
  if (auto fault = tenant.approach(nullptr, patience)) {
    return fault;
  }
  if (check == CheckEnvironment::yes) {
    if (auto fault = tenant.environment_fault()) {
      return fault;
    }
  }
  return tenant.locked() ? std::nullopt : tenant.lock(patience);
}

AdministrationResult stamp(TenantSession& tenant,
                           const MigrationSet& migrations,
                           const std::vector<std::string>& refs,
                           Purge purge,
                           const Provenance& by,
                           Commit commit,
                           const Patience& patience) {
  AdministrationResult result;
  result.fault = approach_for_change(tenant, CheckEnvironment::yes, patience);
  if (result.fault) {
    return result;
  }
  const History& history = tenant.history();
  const RevisionSet before = history.applied_ids();
  RevisionSet wanted;
  for (const std::string& ref : refs) {
    const auto targets =
        resolve_upgrade(migrations.graph(), ref, purge == Purge::yes ? RevisionSet{} : before);
    wanted.merge(migrations.graph().closure(targets));
  }
  std::vector<OwnedStatement> statements;
  const HistoryTables& tables = tenant.tables();
  for (auto row = history.applied.rbegin(); row != history.applied.rend(); ++row) {
    if (purge == Purge::yes || !wanted.contains(row->id)) {
      const auto rows = tables.record_down(row->id, by, "stamp");
      statements.push_back(rows.front());
      if (!wanted.contains(row->id)) {
        result.changes.push_back({"revision " + row->id.value, "applied", "not applied"});
      }
    }
  }
  for (const Migration& migration : migrations.in_order()) {
    const bool there = purge == Purge::no && before.contains(migration.id);
    if (wanted.contains(migration.id) && !there) {
      statements.push_back(tables.record_up(migration, by, Milliseconds{0}, "stamp").front());
      if (!before.contains(migration.id)) {
        result.changes.push_back({"revision " + migration.id.value, "not applied", "applied"});
      }
    }
  }
  if (commit == Commit::yes && !statements.empty()) {
    statements.push_back(
        tables.add_event("stamp", "", by, fmt::format("{}", fmt::join(refs, " "))));
    result.fault = commit_changes(tenant, by, statements, history.tenant.in_progress, patience);
  }
  return result;
}

AdministrationResult repair(TenantSession& tenant,
                            const MigrationSet& migrations,
                            const RepairRequest& request,
                            const Provenance& by,
                            Commit commit,
                            const Patience& patience) {
  AdministrationResult result;
  result.fault = approach_for_change(tenant, CheckEnvironment::yes, patience);
  if (result.fault) {
    return result;
  }
  std::vector<OwnedStatement> statements;
  accept_files(tenant, migrations, request, result.changes, statements);
  settle_statements(tenant, request, result.changes, statements);
  const HistoryTables& tables = tenant.tables();
  std::string in_progress = tenant.history().tenant.in_progress;
  if (request.forget_partial && !in_progress.empty()) {
    statements.push_back(tables.clear_steps(RevisionId{in_progress}));
    result.changes.push_back({"progress of revision " + in_progress, "half done", "forgotten"});
    in_progress.clear();
  }
  if (commit == Commit::yes && !statements.empty()) {
    std::string detail;
    for (const HistoryChange& change : result.changes) {
      detail += fmt::format("{}: {} -> {}; ", change.what, change.before, change.after);
    }
    statements.push_back(tables.add_event("repair", "", by, detail));
    result.fault = commit_changes(tenant, by, statements, in_progress, patience);
  }
  return result;
}

AdministrationResult mark(TenantSession& tenant,
                          const std::string& environment,
                          bool production,
                          const Provenance& by,
                          Commit commit,
                          const Patience& patience) {
  AdministrationResult result;
  result.fault = approach_for_change(tenant, CheckEnvironment::no, patience);
  if (result.fault) {
    return result;
  }
  const TenantRow& row = tenant.history().tenant;
  if (row.environment != environment) {
    result.changes.push_back({"environment", row.environment, environment});
  }
  if (row.production != production) {
    result.changes.push_back({"production", yes_or_no(row.production), yes_or_no(production)});
  }
  if (commit == Commit::yes && !result.changes.empty()) {
    const HistoryTables& tables = tenant.tables();
    result.fault = commit_changes(
        tenant,
        by,
        {tables.mark(environment, production),
         tables.add_event("mark", "", by, fmt::format("{} -> {}", row.environment, environment))},
        row.in_progress,
        patience);
  }
  return result;
}

std::optional<TenantFault> drop_history(TenantSession& tenant, const Patience& patience) {
  const Exchange answer = tenant.exchange(tenant.tables().drop(), patience);
  return answer.ok() ? std::nullopt
                     : std::optional(fault_from(*answer.error, "dropping the history"));
}

}  // namespace drover::engine

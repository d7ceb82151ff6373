#include "engine/administration.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/revision_ref.h"
#include "engine/session_hygiene.h"
#include "engine/transaction_script.h"

namespace drover::engine {
namespace {

TenantFault history_moves() {
  return found(ErrorCode::busy,
               "history_moves",
               "the tenant's history changed under us",
               "Look at what it says now, and try again.");
}

/// What an error at `line` means.
TenantFault fault_at(const Line& line, const SqlError& error) {
  if (line.role == Line::Role::fence && error.sqlstate == "22012") {
    return history_moves();
  }
  TenantFault fault = fault_from(error, "changing the history");
  if (error.origin == SqlError::Origin::connection) {
    fault.kind = "in_doubt";
    fault.hint = "Run the same command again: it shows what is left to change.";
  }
  return fault;
}

/// Sends lines up to those whose answer must be looked at, looks, and goes on.
std::optional<TenantFault> send(TenantSession& tenant,
                                const std::vector<Line>& lines,
                                const Patience& patience) {
  std::vector<OwnedStatement> part;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    part.push_back(lines[i].own);
    const bool looks = lines[i].expect != Line::Expect::nothing;
    if (!looks && i + 1 < lines.size()) {
      continue;
    }
    const Exchange answer = tenant.exchange(part, patience);
    if (!answer.ok()) {
      tenant.roll_back();
      return fault_at(lines[i + 1 - part.size() + answer.results.size()], *answer.error);
    }
    if (looks && answer.results.back().affected != 1) {
      tenant.roll_back();
      return history_moves();
    }
    part.clear();
  }
  return std::nullopt;
}

/// Sends `statements` behind the fence, in one transaction; makes the tables first if need be.
/// `in_progress` as HistoryTables::fence() takes it.
std::optional<TenantFault> commit_changes(TenantSession& tenant,
                                          const std::vector<OwnedStatement>& statements,
                                          const std::optional<std::string>& in_progress,
                                          const Patience& patience) {
  ScriptContext context;
  context.tables = &tenant.tables();
  context.settings = tenant.settings();
  ScriptWriter writer(context, tenant.history().tenant.epoch);
  writer.settle(ScriptWriter::Resets::no);
  if (!tenant.history().exists) {
    writer.create_tables(tenant.options().environment, tenant.options().production);
  }
  writer.administer(statements, in_progress);
  if (auto fault = send(tenant, writer.take(), patience)) {
    return fault;
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

/// The statements that make the history say `wanted`, and what they change.
void stamp_rows(const TenantSession& tenant,
                const MigrationSet& migrations,
                const RevisionSet& wanted,
                Purge purge,
                const Provenance& by,
                std::vector<HistoryChange>& changes,
                std::vector<OwnedStatement>& statements) {
  const History& history = tenant.history();
  const HistoryTables& tables = tenant.tables();
  const auto add = [&](const std::vector<OwnedStatement>& more) {
    statements.insert(statements.end(), more.begin(), more.end());
  };
  for (auto row = history.applied.rbegin(); row != history.applied.rend(); ++row) {
    if (purge == Purge::yes || !wanted.contains(row->id)) {
      add(tables.record_down(row->id, by, std::nullopt, "stamp"));
    }
    if (!wanted.contains(row->id)) {
      changes.push_back({"revision " + row->id.value, "applied", "not applied"});
    }
  }
  for (const Migration& migration : migrations.in_order()) {
    const bool there = history.find(migration.id) != nullptr;
    if (wanted.contains(migration.id) && (purge == Purge::yes || !there)) {
      add(tables.record_up(migration, by, std::nullopt, Milliseconds{0}, "stamp"));
    }
    if (wanted.contains(migration.id) && !there) {
      changes.push_back({"revision " + migration.id.value, "not applied", "applied"});
    }
  }
  const RevisionId half = history.half_done();
  if (!half.value.empty()) {
    statements.push_back(tables.clear_steps());
    statements.push_back(tables.set_at_batch({}));
    changes.push_back({"progress of revision " + half.value, "half done", "forgotten"});
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
    if (auto fault = tenant.identity_fault()) {
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
  const RevisionId half = history.half_done();
  if (!half.value.empty() && purge == Purge::no) {
    result.fault =
        found(ErrorCode::incomplete,
              "partial",
              fmt::format("revision '{}' is half done", half.value),
              "Finish it first, forget its progress with repair, or stamp with --purge.");
    return result;
  }
  const RevisionSet before = history.applied_ids();
  RevisionSet wanted;
  for (const std::string& ref : refs) {
    const auto targets =
        resolve_upgrade(migrations.graph(), ref, purge == Purge::yes ? RevisionSet{} : before);
    wanted.merge(migrations.graph().closure(targets));
  }
  std::vector<OwnedStatement> statements;
  stamp_rows(tenant, migrations, wanted, purge, by, result.changes, statements);
  if (commit == Commit::yes && !statements.empty()) {
    statements.push_back(
        tenant.tables().add_event("stamp", "", by, fmt::format("{}", fmt::join(refs, " "))));
    result.fault = commit_changes(tenant, statements, std::string(), patience);
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
  const RevisionId half = tenant.history().half_done();
  if (request.forget_partial && !half.value.empty()) {
    statements.push_back(tables.clear_steps());
    statements.push_back(tables.set_at_batch({}));
    result.changes.push_back({"progress of revision " + half.value, "half done", "forgotten"});
  }
  if (commit == Commit::yes && !statements.empty()) {
    std::string detail;
    for (const HistoryChange& change : result.changes) {
      detail += fmt::format("{}: {} -> {}; ", change.what, change.before, change.after);
    }
    statements.push_back(tables.forget_progress_without_steps());
    statements.push_back(tables.add_event("repair", "", by, detail));
    result.fault = commit_changes(tenant, statements, std::nullopt, patience);
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
        {tables.mark(environment, production),
         tables.add_event("mark", "", by, fmt::format("{} -> {}", row.environment, environment))},
        std::nullopt,
        patience);
  }
  return result;
}

std::optional<TenantFault> note_batch_done(TenantSession& tenant,
                                           const RevisionId& id,
                                           const Provenance& by,
                                           const Patience& patience) {
  if (auto fault = approach_for_change(tenant, CheckEnvironment::yes, patience)) {
    return fault;
  }
  std::vector<RevisionId> others = tenant.history().tenant.at_batch;
  std::erase(others, id);
  return commit_changes(tenant,
                        {tenant.tables().set_at_batch(others),
                         tenant.tables().add_event("batch", id.value, by, "done")},
                        std::nullopt,
                        patience);
}

std::optional<TenantFault> drop_history(TenantSession& tenant, const Patience& patience) {
  if (!tenant.alive()) {
    if (auto fault = approach_for_change(tenant, CheckEnvironment::yes, patience)) {
      return fault;
    }
  }
  const History& history = tenant.history();
  if (!history.applied.empty() || !history.half_done().value.empty()) {
    return found(ErrorCode::usage,
                 "not_empty",
                 fmt::format("the tenant has applied {} revisions", history.applied.size()),
                 "Take them down first: downgrade to base.");
  }
  return history.exists ? commit_changes(tenant, tenant.tables().drop(), std::nullopt, patience)
                        : std::nullopt;
}

}  // namespace drover::engine

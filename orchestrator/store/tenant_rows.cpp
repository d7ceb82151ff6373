#include "orchestrator/store/tenant_rows.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "orchestrator/store/run_rows.h"

namespace drover::orchestrator::store {
namespace {

using engine::FaultClass;
using engine::RevisionId;
using engine::TenantFault;

constexpr std::int64_t kPositionOfUnlisted = std::numeric_limits<std::int32_t>::max();

/// In the order of the enumerators.
constexpr std::array<std::string_view, 8> kFaultClassNames = {"permanent",
                                                              "transient",
                                                              "server_down",
                                                              "session_killed",
                                                              "server_suspect",
                                                              "no_connection",
                                                              "authentication",
                                                              "fatal"};
static_assert(static_cast<std::size_t>(FaultClass::fatal) + 1 == kFaultClassNames.size());

enum TenantColumn : std::size_t {
  tenant_column,
  tenant_started_column,
  attempts_column,
  outcome_column,
  server_column,
  reason_column,
  heads_before_column,
  heads_after_column,
  duration_column,
  fault_code_column,
  fault_class_column,
  fault_kind_column,
  fault_sqlstate_column,
  fault_message_column,
  fault_hint_column,
  fault_revision_column,
  fault_file_column,
  fault_line_column,
  fault_column_column,
  blocker_pid_column,
  blocker_application_column,
  blocker_user_column,
  blocker_state_column,
  blocker_age_column,
  tenant_columns,  ///< How many there are.
};

/// In the order of TenantColumn; a row to insert goes on with run and position.
constexpr std::string_view kTenantColumns =
    "tenant, started, attempts, outcome, server, reason, heads_before, heads_after, duration_ms, "
    "fault_code, fault_class, fault_kind, fault_sqlstate, fault_message, fault_hint, "
    "fault_revision, fault_file, fault_line, fault_column, "
    "blocker_pid, blocker_application, blocker_user, blocker_state, blocker_age";

/// What a tenant has of its own when it is listed or recorded again: all but its position.
constexpr std::string_view kReplaceTenant = R"sql(
  ON CONFLICT (run, tenant) DO UPDATE SET
    started = excluded.started, attempts = excluded.attempts, outcome = excluded.outcome,
    server = excluded.server, reason = excluded.reason, heads_before = excluded.heads_before,
    heads_after = excluded.heads_after, duration_ms = excluded.duration_ms,
    fault_code = excluded.fault_code, fault_class = excluded.fault_class,
    fault_kind = excluded.fault_kind, fault_sqlstate = excluded.fault_sqlstate,
    fault_message = excluded.fault_message, fault_hint = excluded.fault_hint,
    fault_revision = excluded.fault_revision, fault_file = excluded.fault_file,
    fault_line = excluded.fault_line, fault_column = excluded.fault_column,
    blocker_pid = excluded.blocker_pid, blocker_application = excluded.blocker_application,
    blocker_user = excluded.blocker_user, blocker_state = excluded.blocker_state,
    blocker_age = excluded.blocker_age
)sql";

std::string joined(const std::vector<RevisionId>& ids) {
  std::string text;
  for (const RevisionId& id : ids) {
    text += text.empty() ? id.value : "," + id.value;  // an id holds no comma
  }
  return text;
}

std::vector<RevisionId> split(const std::string& text) {
  std::vector<RevisionId> ids;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    ids.push_back(RevisionId{text.substr(begin, end - begin)});
    begin = end + 1;
  }
  return ids;
}

/// Rows of `run_tenants` with the texts that they point to.
class TenantRows {
 public:
  void add(const TenantStarted& started) {
    TenantOutcome& outcome = started_.emplace_back();
    outcome.id = started.tenant;
    outcome.attempts = started.attempt;
    add(started.run, outcome, std::monostate{});
  }

  void add(const TenantFinished& finished) {
    add(finished.run, finished.outcome, name_of(finished.outcome.outcome));
  }

  void insert_into(StoreTransaction& transaction) {
    rows_.into = into_;
    rows_.columns = tenant_columns + 2;
    rows_.on_conflict = kReplaceTenant;
    transaction.insert(rows_);
  }

 private:
  void add(const RunId& run, const TenantOutcome& outcome, StoreValue outcome_name) {
    push({std::string_view(outcome.id.value),
          std::int64_t{1},
          std::int64_t{outcome.attempts},
          outcome_name,
          std::string_view(outcome.server),
          std::string_view(outcome.reason),
          std::string_view(heads_.emplace_back(joined(outcome.from))),
          std::string_view(heads_.emplace_back(joined(outcome.to))),
          std::int64_t{outcome.duration.count()}});
    add_fault(outcome.fault);
    push({std::string_view(run.value), kPositionOfUnlisted});
  }

  void add_fault(const std::optional<TenantFault>& fault) {
    if (!fault) {
      rows_.values.resize(rows_.values.size() + (tenant_columns - fault_code_column));  // all NULL
      return;
    }
    push({static_cast<std::int64_t>(fault->code),
          kFaultClassNames.at(static_cast<std::size_t>(fault->fault_class)),
          std::string_view(fault->kind),
          std::string_view(fault->sqlstate),
          std::string_view(fault->message),
          std::string_view(fault->hint),
          std::string_view(fault->revision),
          std::string_view(fault->place.file),
          static_cast<std::int64_t>(fault->place.line),
          static_cast<std::int64_t>(fault->place.column)});
    if (!fault->blocker) {
      rows_.values.resize(rows_.values.size() + (tenant_columns - blocker_pid_column));
      return;
    }
    push({fault->blocker->pid,
          std::string_view(fault->blocker->application),
          std::string_view(fault->blocker->user),
          std::string_view(fault->blocker->state),
          std::string_view(fault->blocker->age)});
  }

  void push(std::initializer_list<StoreValue> values) {
    rows_.values.insert(rows_.values.end(), values);
  }

  const std::string into_ = fmt::format("run_tenants ({}, run, position)", kTenantColumns);
  std::deque<TenantOutcome> started_;  ///< Views into these two stay good while they grow.
  std::deque<std::string> heads_;
  RowsToInsert rows_;
};

/// A tenant's last successful change. Of two in one batch coalesced() left the later.
void write_durations(StoreTransaction& transaction,
                     const std::string& environment,
                     std::span<const NumberedEntry* const> entries) {
  RowsToInsert rows{.into = "durations (environment, tenant, duration_ms)",
                    .columns = 3,
                    .on_conflict =
                        "ON CONFLICT (environment, tenant) DO UPDATE SET "
                        "duration_ms = excluded.duration_ms",
                    .values = {}};
  for (const NumberedEntry* entry : entries) {
    const auto* finished = std::get_if<TenantFinished>(&entry->entry);
    if (finished != nullptr && finished->outcome.outcome == Outcome::applied) {
      rows.values.insert(rows.values.end(),
                         {std::string_view(environment),
                          std::string_view(finished->outcome.id.value),
                          std::int64_t{finished->outcome.duration.count()}});
    }
  }
  transaction.insert(rows);
}

void write_uids(StoreTransaction& transaction,
                const std::string& environment,
                std::span<const NumberedEntry* const> entries) {
  RowsToInsert rows{
      .into = "tenant_uids (environment, tenant, uid)",
      .columns = 3,
      .on_conflict = "ON CONFLICT (environment, tenant) DO UPDATE SET uid = excluded.uid",
      .values = {}};
  for (const NumberedEntry* entry : entries) {
    const auto* finished = std::get_if<TenantFinished>(&entry->entry);
    if (finished != nullptr && !finished->outcome.uid.empty()) {
      rows.values.insert(rows.values.end(),
                         {std::string_view(environment),
                          std::string_view(finished->outcome.id.value),
                          std::string_view(finished->outcome.uid)});
    }
  }
  transaction.insert(rows);
}

void write_events(StoreTransaction& transaction,
                  const std::string& writer,
                  std::span<const NumberedEntry* const> entries,
                  WallTime now) {
  RowsToInsert rows{.into = "events (run, writer, number, at_ms, tenant, kind, text)",
                    .columns = 7,
                    .on_conflict = "ON CONFLICT (writer, number) DO NOTHING",
                    .values = {}};
  for (const NumberedEntry* entry : entries) {
    if (const auto* event = std::get_if<RunEvent>(&entry->entry)) {
      rows.values.insert(rows.values.end(),
                         {std::string_view(event->run.value),
                          std::string_view(writer),
                          static_cast<std::int64_t>(entry->number),
                          milliseconds_of(now),
                          std::string_view(event->tenant),
                          std::string_view(event->kind),
                          std::string_view(event->text)});
    }
  }
  transaction.insert(rows);
}

Error corrupt(std::string_view what, const std::string& value) {
  return {ErrorCode::storage,
          "journal_corrupt",
          fmt::format("the run journal holds a tenant with {} '{}'", what, value),
          "Move the journal away; the next run makes a new one."};
}

FaultClass fault_class_of(const std::string& name) {
  const auto* const found = std::find(kFaultClassNames.begin(), kFaultClassNames.end(), name);
  if (found == kFaultClassNames.end()) {
    throw corrupt("fault class", name);
  }
  return static_cast<FaultClass>(found - kFaultClassNames.begin());
}

std::optional<TenantFault> fault_of(const StoreRow& row) {
  if (row.is_null(fault_code_column)) {
    return std::nullopt;
  }
  TenantFault fault;
  fault.code = static_cast<ErrorCode>(row.number(fault_code_column));
  fault.fault_class = fault_class_of(row.text(fault_class_column));
  fault.kind = row.text(fault_kind_column);
  fault.sqlstate = row.text(fault_sqlstate_column);
  fault.message = row.text(fault_message_column);
  fault.hint = row.text(fault_hint_column);
  fault.revision = row.text(fault_revision_column);
  fault.place = {row.text(fault_file_column),
                 static_cast<std::size_t>(row.number(fault_line_column)),
                 static_cast<std::size_t>(row.number(fault_column_column))};
  if (!row.is_null(blocker_pid_column)) {
    fault.blocker = engine::Blocker{row.number(blocker_pid_column),
                                    row.text(blocker_application_column),
                                    row.text(blocker_user_column),
                                    row.text(blocker_state_column),
                                    row.text(blocker_age_column)};
  }
  return fault;
}

JournalTenant tenant_of(const StoreRow& row) {
  JournalTenant tenant;
  TenantOutcome& outcome = tenant.outcome;
  outcome.id.value = row.text(tenant_column);
  outcome.attempts = static_cast<int>(row.number(attempts_column));
  outcome.server = row.text(server_column);
  outcome.reason = row.text(reason_column);
  outcome.from = split(row.text(heads_before_column));
  outcome.to = split(row.text(heads_after_column));
  outcome.duration = std::chrono::milliseconds(row.number(duration_column));
  outcome.fault = fault_of(row);
  tenant.finished = !row.is_null(outcome_column);
  tenant.started = !tenant.finished && row.number(tenant_started_column) != 0;
  if (tenant.finished) {
    const std::optional<Outcome> named = outcome_named(row.text(outcome_column));
    if (!named) {
      throw corrupt("outcome", row.text(outcome_column));
    }
    outcome.outcome = *named;
  }
  return tenant;
}

}  // namespace

void insert_tenants(StoreTransaction& transaction,
                    const RunId& run,
                    std::span<const TenantId> tenants) {
  RowsToInsert rows{
      .into = "run_tenants (run, tenant, position)", .columns = 3, .on_conflict = "", .values = {}};
  rows.values.reserve(tenants.size() * rows.columns);
  std::int64_t position = 0;
  for (const TenantId& tenant : tenants) {
    rows.values.insert(rows.values.end(),
                       {std::string_view(run.value), std::string_view(tenant.value), position++});
  }
  transaction.insert(rows);
}

void write_entries(StoreTransaction& transaction,
                   const std::string& environment,
                   const std::string& writer,
                   std::span<const NumberedEntry* const> entries,
                   WallTime now) {
  TenantRows tenants;
  for (const NumberedEntry* entry : entries) {
    if (const auto* started = std::get_if<TenantStarted>(&entry->entry)) {
      tenants.add(*started);
    } else if (const auto* finished = std::get_if<TenantFinished>(&entry->entry)) {
      tenants.add(*finished);
    }
  }
  tenants.insert_into(transaction);
  write_durations(transaction, environment, entries);
  write_uids(transaction, environment, entries);
  write_events(transaction, writer, entries, now);
}

std::vector<JournalTenant> select_tenants(StoreTransaction& transaction, const RunId& run) {
  std::vector<JournalTenant> tenants;
  for (const StoreRow& row : transaction.query(
           fmt::format("SELECT {} FROM run_tenants WHERE run = $1 ORDER BY position, tenant",
                       kTenantColumns),
           {std::string_view(run.value)})) {
    tenants.push_back(tenant_of(row));
  }
  return tenants;
}

std::vector<EventRecord> select_events(StoreTransaction& transaction, const RunId& run) {
  std::vector<EventRecord> events;
  for (const StoreRow& row :
       transaction.query("SELECT at_ms, tenant, kind, text FROM events WHERE run = $1 ORDER BY id",
                         {std::string_view(run.value)})) {
    events.push_back({wall_time_of(row.number(0)), row.text(1), row.text(2), row.text(3)});
  }
  return events;
}

}  // namespace drover::orchestrator::store

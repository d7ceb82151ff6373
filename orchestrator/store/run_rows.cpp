#include "orchestrator/store/run_rows.h"

#include <chrono>

#include <fmt/format.h>

namespace drover::orchestrator::store {
namespace {

enum RunColumn : std::size_t {
  id_column,
  environment_column,
  verb_column,
  target_column,
  digest_column,
  options_column,
  owner_user_column,
  owner_host_column,
  owner_pid_column,
  owner_process_column,
  token_column,
  state_column,
  exit_status_column,
  started_column,
  heartbeat_column,
  finished_column,
  total_column,
  lease_column,
};

/// In the order of RunColumn.
constexpr std::string_view kSelectRuns = R"sql(
  SELECT r.id, r.environment, r.verb, r.target, r.digest, r.options,
         r.owner_user, r.owner_host, r.owner_pid, r.owner_process, r.token,
         r.state, r.exit_status, r.started_ms, r.heartbeat_ms, r.finished_ms, r.total, l.run
    FROM runs r LEFT JOIN leases l ON l.environment = r.environment AND l.run = r.id
)sql";

RunState state_of(const std::string& name) {
  const std::optional<RunState> state = run_state_named(name);
  if (!state) {
    throw Error(ErrorCode::storage,
                "journal_corrupt",
                fmt::format("the run journal holds a run in state '{}'", name),
                "Move the journal away; the next run makes a new one.");
  }
  return *state;
}

RunRow row_of(const StoreRow& row) {
  RunRow result;
  RunRecord& record = result.record;
  record.id.value = row.text(id_column);
  record.request.environment = row.text(environment_column);
  record.request.verb = row.text(verb_column);
  record.request.target = row.text(target_column);
  record.request.digest = row.text(digest_column);
  record.request.options = row.text(options_column);
  record.owner = {
      row.text(owner_user_column), row.text(owner_host_column), row.number(owner_pid_column)};
  record.state = state_of(row.text(state_column));
  record.exit_status = static_cast<int>(row.number(exit_status_column));
  record.started = wall_time_of(row.number(started_column));
  record.heartbeat = wall_time_of(row.number(heartbeat_column));
  if (!row.is_null(finished_column)) {
    record.finished = wall_time_of(row.number(finished_column));
  }
  record.total = static_cast<std::size_t>(row.number(total_column));
  result.owner_process = row.text(owner_process_column);
  result.token = row.text(token_column);
  result.holds_lease = !row.is_null(lease_column);
  return result;
}

std::vector<RunRow> select_runs(StoreTransaction& transaction,
                                std::string_view condition,
                                std::initializer_list<StoreValue> values) {
  std::vector<RunRow> result;
  for (const StoreRow& row :
       transaction.query(fmt::format("{} {}", kSelectRuns, condition), values)) {
    result.push_back(row_of(row));
  }
  return result;
}

}  // namespace

std::int64_t milliseconds_of(WallTime time) noexcept {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

WallTime wall_time_of(std::int64_t milliseconds) noexcept {
  return WallTime(std::chrono::milliseconds(milliseconds));
}

std::optional<RunRow> find_run(StoreTransaction& transaction, const RunId& run) {
  std::vector<RunRow> rows =
      select_runs(transaction, "WHERE r.id = $1", {std::string_view(run.value)});
  if (rows.empty()) {
    return std::nullopt;
  }
  return std::move(rows.front());
}

std::vector<RunRow> runs_with_prefix(StoreTransaction& transaction, const std::string& prefix) {
  // $1: the prefix, $2: its length
  return select_runs(transaction,
                     "WHERE substr(r.id, 1, $2) = $1 ORDER BY r.id LIMIT 2",
                     {std::string_view(prefix), static_cast<std::int64_t>(prefix.size())});
}

std::vector<RunRow> newest_runs(StoreTransaction& transaction,
                                const std::string& environment,
                                std::size_t limit) {
  // $1: the environment or nothing, $2: how many
  return select_runs(transaction,
                     "WHERE $1 = '' OR r.environment = $1 "
                     "ORDER BY r.started_ms DESC, r.id DESC LIMIT $2",
                     {std::string_view(environment), static_cast<std::int64_t>(limit)});
}

std::vector<RunRow> unfinished_runs(StoreTransaction& transaction, const std::string& environment) {
  return select_runs(transaction,
                     "WHERE r.environment = $1 AND r.state IN ('running', 'interrupted') "
                     "ORDER BY r.started_ms DESC, r.id DESC",
                     {std::string_view(environment)});
}

bool is_alive(const RunRow& row, const LeaseOptions& lease, WallTime now) {
  const RunRecord& record = row.record;
  if (record.state != RunState::running || !row.holds_lease ||
      now - record.heartbeat >= lease.duration) {
    return false;
  }
  return record.owner.host != lease.host ||
         liveness_of(record.owner.pid, row.owner_process) != Liveness::dead;
}

RunRecord complete(StoreTransaction& transaction,
                   const RunRow& row,
                   const LeaseOptions& lease,
                   WallTime now) {
  RunRecord record = row.record;
  record.lease_alive = is_alive(row, lease, now);
  const std::string_view run = record.id.value;
  for (const StoreRow& count :
       transaction.query("SELECT outcome, count(*) FROM run_tenants "
                         "WHERE run = $1 AND outcome IS NOT NULL GROUP BY outcome",
                         {run})) {
    if (const std::optional<Outcome> outcome = outcome_named(count.text(0))) {
      record.counts[*outcome] = static_cast<std::size_t>(count.number(1));
    }
  }
  for (const StoreRow& file :
       transaction.query("SELECT name, sha256 FROM run_files "
                         "WHERE run = $1 AND substr(name, 1, 1) <> '.'",  // the plan
                         {run})) {
    record.request.files.emplace(file.text(0), file.text(1));
  }
  return record;
}

RunId lock_lease(StoreTransaction& transaction, const std::string& environment) {
  // The update changes nothing, but locks the row and reads it as it is after the wait.
  const std::vector<StoreRow> rows = transaction.query(
      "INSERT INTO leases (environment, run) VALUES ($1, '') "
      "ON CONFLICT (environment) DO UPDATE SET environment = excluded.environment RETURNING run",
      {std::string_view(environment)});
  return RunId{rows.at(0).text(0)};
}

void give_lease(StoreTransaction& transaction, const std::string& environment, const RunId& run) {
  transaction.query("UPDATE leases SET run = $2 WHERE environment = $1",
                    {std::string_view(environment), std::string_view(run.value)});
}

void free_lease(StoreTransaction& transaction, const std::string& environment, const RunId& run) {
  transaction.query("UPDATE leases SET run = '' WHERE environment = $1 AND run = $2",
                    {std::string_view(environment), std::string_view(run.value)});
}

void insert_run(StoreTransaction& transaction, const RunRow& row, WallTime now) {
  const RunRecord& record = row.record;
  const RunRequest& request = record.request;
  const std::int64_t at = milliseconds_of(now);
  const std::string_view run = record.id.value;
  transaction.insert({.into = "runs (id, environment, verb, target, digest, options, owner_user, "
                              "owner_host, owner_pid, owner_process, token, state, exit_status, "
                              "started_ms, heartbeat_ms, last_write_ms, finished_ms, total)",
                      .columns = 18,
                      .on_conflict = "",
                      .values = {run,
                                 std::string_view(request.environment),
                                 std::string_view(request.verb),
                                 std::string_view(request.target),
                                 std::string_view(request.digest),
                                 std::string_view(request.options),
                                 std::string_view(record.owner.user),
                                 std::string_view(record.owner.host),
                                 record.owner.pid,
                                 std::string_view(row.owner_process),
                                 std::string_view(row.token),
                                 name_of(RunState::running),
                                 std::int64_t{0},
                                 at,
                                 at,
                                 at,
                                 std::monostate{},
                                 static_cast<std::int64_t>(request.tenants.size())}});
  RowsToInsert files{
      .into = "run_files (run, name, sha256)", .columns = 3, .on_conflict = "", .values = {}};
  for (const auto& [name, sha256] : request.files) {
    files.values.insert(files.values.end(),
                        {run, std::string_view(name), std::string_view(sha256)});
  }
  transaction.insert(files);
}

void hand_over(StoreTransaction& transaction, const RunRow& row, WallTime now) {
  const Owner& owner = row.record.owner;
  // $1: the run, $2-$6: its new holder, $7: now
  transaction.query(
      "UPDATE runs SET owner_user = $2, owner_host = $3, owner_pid = $4, owner_process = $5, "
      "token = $6, state = 'running', exit_status = 0, heartbeat_ms = $7, finished_ms = NULL "
      "WHERE id = $1",
      {std::string_view(row.record.id.value),
       std::string_view(owner.user),
       std::string_view(owner.host),
       owner.pid,
       std::string_view(row.owner_process),
       std::string_view(row.token),
       milliseconds_of(now)});
}

bool renew(StoreTransaction& transaction,
           const RunId& run,
           const Owner& owner,
           const std::string& token,
           WallTime now) {
  // $1: the run, $2-$5: its holder, $6: now
  return !transaction
              .query(
                  "UPDATE runs SET heartbeat_ms = $6 WHERE id = $1 AND token = $2 "
                  "AND owner_user = $3 AND owner_host = $4 AND owner_pid = $5 "
                  "AND state = 'running' RETURNING id",
                  {std::string_view(run.value),
                   std::string_view(token),
                   std::string_view(owner.user),
                   std::string_view(owner.host),
                   owner.pid,
                   milliseconds_of(now)})
              .empty();
}

bool claim_for_writing(StoreTransaction& transaction,
                       const RunId& run,
                       const std::string& token,
                       WallTime now) {
  return !transaction
              .query("UPDATE runs SET last_write_ms = $3 WHERE id = $1 AND token = $2 RETURNING id",
                     {std::string_view(run.value), std::string_view(token), milliseconds_of(now)})
              .empty();
}

std::string environment_of(StoreTransaction& transaction, const RunId& run) {
  return transaction
      .query("SELECT environment FROM runs WHERE id = $1", {std::string_view(run.value)})
      .at(0)
      .text(0);
}

void end_run(StoreTransaction& transaction,
             const RunId& run,
             RunState state,
             int exit_status,
             WallTime now) {
  transaction.query("UPDATE runs SET state = $2, exit_status = $3, finished_ms = $4 WHERE id = $1",
                    {std::string_view(run.value),
                     name_of(state),
                     std::int64_t{exit_status},
                     milliseconds_of(now)});
}

}  // namespace drover::orchestrator::store

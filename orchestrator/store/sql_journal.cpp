#include "orchestrator/store/sql_journal.h"

#include <algorithm>
#include <random>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "engine/base/sha256.h"
#include "orchestrator/store/control_rows.h"
#include "orchestrator/store/run_texts.h"
#include "orchestrator/store/schema.h"
#include "orchestrator/store/tenant_rows.h"

namespace drover::orchestrator::store {
namespace {

/// Tells one holder, or one writer, from every other.
std::string random_token() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

bool is_over(RunState state) {
  return state == RunState::finished || state == RunState::abandoned;
}

/// The plan file of a run, among the names of its migration files; none of those begins with a dot.
constexpr std::string_view kPlanFile = ".plan.json";

/// Makes prune() and begin_run() take turns, so that no text goes while a new run comes to need it.
void lock_texts(StoreTransaction& transaction) {
  transaction.query("UPDATE journal_format SET format = format");
}

RunRow existing_run(StoreTransaction& transaction, const RunId& run) {
  std::optional<RunRow> row = find_run(transaction, run);
  if (!row) {
    throw unknown_run(run.value);
  }
  return std::move(*row);
}

}  // namespace

SqlJournal::SqlJournal(std::unique_ptr<StoreDb> db, JournalOptions options)
    : options_(std::move(options)),
      writer_name_(random_token()),
      db_(std::move(db)),
      writer_([this](std::span<const NumberedEntry> entries) { write_batch(entries); },
              options_.commit_interval) {
  const std::lock_guard lock(db_mutex_);
  bring_up_to_date(*db_, journal_schema());
}

void SqlJournal::read(const StoreDb::Body& body) {
  const std::lock_guard lock(db_mutex_);
  db_->transact(StoreDb::Access::read, body);
}

void SqlJournal::write(const StoreDb::Body& body) {
  const std::lock_guard lock(db_mutex_);
  db_->transact(StoreDb::Access::write, body);
}

RunRow SqlJournal::new_holder(const RunId& run, const Owner& owner) const {
  RunRow row;
  row.record.id = run;
  row.record.owner = owner;
  row.owner_process = owner.host == options_.lease.host ? process_identity(owner.pid) : "";
  row.token = random_token();
  return row;
}

void SqlJournal::refuse_living(StoreTransaction& transaction, const RunId& holder, WallTime now) {
  const std::optional<RunRow> row = find_run(transaction, holder);
  if (row && is_alive(*row, options_.lease, now)) {
    throw run_in_progress(complete(transaction, *row, options_.lease, now));
  }
}

RunId SqlJournal::begin_run(const RunRequest& request, const Owner& owner) {
  RunRow row = new_holder({}, owner);
  row.record.request = request;
  std::map<std::string, std::string> texts = request.texts;
  if (!request.plan.empty()) {
    const std::string sum = engine::base::sha256_hex(request.plan);
    row.record.request.files.emplace(kPlanFile, sum);
    texts.emplace(sum, request.plan);
  }
  const std::uint32_t suffix = std::random_device()();
  const std::lock_guard lock(db_mutex_);
  db_->transact(StoreDb::Access::write, [&](StoreTransaction& transaction) {
    lock_texts(transaction);
    const RunId holder = lock_lease(transaction, request.environment);
    const WallTime now = transaction.now();
    if (row.record.id.value.empty()) {
      row.record.id = make_run_id(now, suffix);
    } else if (holder == row.record.id) {
      return;  // the commit that was in doubt had arrived
    }
    refuse_living(transaction, holder, now);
    insert_run(transaction, row, now);
    insert_tenants(transaction, row.record.id, request.tenants);
    insert_texts(transaction, texts);
    give_lease(transaction, request.environment, row.record.id);
  });
  tokens_[row.record.id] = row.token;
  return row.record.id;
}

void SqlJournal::take_over(const RunId& run, const Owner& owner) {
  take_up(run, owner, is_over);
}

void SqlJournal::reopen(const RunId& run, const Owner& owner) {
  take_up(run, owner, [](RunState state) { return state == RunState::abandoned; });
}

/// Not where `is_refused` says so of its state.
void SqlJournal::take_up(const RunId& run, const Owner& owner, bool (*is_refused)(RunState)) {
  const RunRow row = new_holder(run, owner);
  const std::lock_guard lock(db_mutex_);
  db_->transact(StoreDb::Access::write, [&](StoreTransaction& transaction) {
    const std::string environment = existing_run(transaction, run).record.request.environment;
    const RunId holder = lock_lease(transaction, environment);
    const RunRow before = existing_run(transaction, run);
    if (before.token == row.token) {
      return;  // the commit that was in doubt had arrived
    }
    if (is_refused(before.record.state)) {
      throw run_finished(before.record);
    }
    const WallTime now = transaction.now();
    refuse_living(transaction, holder, now);
    hand_over(transaction, row, now);
    give_lease(transaction, environment, run);
  });
  tokens_[run] = row.token;
  lost_.erase(run);
}

bool SqlJournal::heartbeat(const RunId& run, const Owner& owner) {
  bool ours = false;
  write([&](StoreTransaction& transaction) {
    ours = false;
    const auto token = tokens_.find(run);
    if (token == tokens_.end()) {
      return;
    }
    const std::string environment = existing_run(transaction, run).record.request.environment;
    const RunId holder = lock_lease(transaction, environment);
    ours = holder == run && renew(transaction, run, owner, token->second, transaction.now());
  });
  writer_.throw_if_failing();
  return ours;
}

bool SqlJournal::is_ours(const RunRow& row) const {
  const auto token = tokens_.find(row.record.id);
  return token != tokens_.end() && token->second == row.token;
}

void SqlJournal::check_may_end(StoreTransaction& transaction, const RunRow& row, RunState state) {
  if (is_ours(row)) {
    return;
  }
  if (tokens_.contains(row.record.id)) {
    throw lease_lost(row.record.id);
  }
  const WallTime now = transaction.now();
  if (is_alive(row, options_.lease, now)) {
    throw run_in_progress(complete(transaction, row, options_.lease, now));
  }
  if (state != RunState::abandoned) {
    throw lease_lost(row.record.id);
  }
}

void SqlJournal::finish_run(const RunId& run, RunState state, int exit_status) {
  if (state == RunState::running) {
    throw std::invalid_argument("a run cannot be finished as running");
  }
  flush();
  write([&](StoreTransaction& transaction) {
    const std::string environment = existing_run(transaction, run).record.request.environment;
    lock_lease(transaction, environment);
    const RunRow row = existing_run(transaction, run);
    if (row.record.state == state && is_ours(row)) {
      return;  // the commit that was in doubt had arrived
    }
    if (is_over(row.record.state)) {
      throw run_finished(row.record);
    }
    check_may_end(transaction, row, state);
    end_run(transaction, run, state, exit_status, transaction.now());
    free_lease(transaction, environment, run);
  });
}

void SqlJournal::flush() {
  writer_.flush();
  const std::lock_guard lock(db_mutex_);
  if (!lost_.empty()) {
    throw lease_lost(*lost_.begin());
  }
}

void SqlJournal::write_batch(std::span<const NumberedEntry> entries) {
  std::map<RunId, std::vector<const NumberedEntry*>> by_run;
  for (const NumberedEntry& entry : entries) {
    const RunId& run =
        std::visit([](const auto& content) -> const RunId& { return content.run; }, entry.entry);
    by_run[run].push_back(&entry);
  }
  write([&](StoreTransaction& transaction) {
    const WallTime now = transaction.now();
    for (const auto& [run, of_run] : by_run) {
      write_run(transaction, run, of_run, now);
    }
  });
}

/// What is recorded of a run that is not ours any more is dropped: its new holder knows better.
void SqlJournal::write_run(StoreTransaction& transaction,
                           const RunId& run,
                           std::span<const NumberedEntry* const> entries,
                           WallTime now) {
  const auto token = tokens_.find(run);
  if (token == tokens_.end() || !claim_for_writing(transaction, run, token->second, now)) {
    lost_.insert(run);
    return;
  }
  write_entries(transaction, environment_of(transaction, run), writer_name_, entries, now);
}

std::vector<RunRecord> SqlJournal::runs(const std::string& environment, std::size_t limit) {
  std::vector<RunRecord> records;
  read([&](StoreTransaction& transaction) {
    records.clear();
    const WallTime now = transaction.now();
    for (const RunRow& row : newest_runs(transaction, environment, limit)) {
      records.push_back(complete(transaction, row, options_.lease, now));
    }
  });
  return records;
}

RunRecord SqlJournal::run(const std::string& run) {
  RunRecord record;
  read([&](StoreTransaction& transaction) {
    std::optional<RunRow> row = find_run(transaction, RunId{run});
    if (!row) {
      const std::vector<RunRow> rows = runs_with_prefix(transaction, run);
      if (rows.empty() || run.empty()) {
        throw unknown_run(run);
      }
      if (rows.size() > 1) {
        throw ambiguous_run(run, rows[0].record.id, rows[1].record.id);
      }
      row = rows.front();
    }
    record = complete(transaction, *row, options_.lease, transaction.now());
  });
  return record;
}

std::optional<RunRecord> SqlJournal::resumable(const std::string& environment) {
  std::optional<RunRecord> record;
  read([&](StoreTransaction& transaction) {
    record.reset();
    const WallTime now = transaction.now();
    for (const RunRow& row : unfinished_runs(transaction, environment)) {
      if (!is_alive(row, options_.lease, now)) {
        record = complete(transaction, row, options_.lease, now);
        return;
      }
    }
  });
  return record;
}

std::vector<JournalTenant> SqlJournal::tenants_of(const RunId& run) {
  std::vector<JournalTenant> tenants;
  read([&](StoreTransaction& transaction) {
    existing_run(transaction, run);
    tenants = select_tenants(transaction, run);
  });
  return tenants;
}

std::vector<EventRecord> SqlJournal::events_of(const RunId& run) {
  std::vector<EventRecord> events;
  read([&](StoreTransaction& transaction) {
    existing_run(transaction, run);
    events = select_events(transaction, run);
  });
  return events;
}

std::map<std::string, std::string> SqlJournal::texts_of(const RunId& run) {
  std::map<std::string, std::string> texts;
  read([&](StoreTransaction& transaction) {
    existing_run(transaction, run);
    texts = select_texts(transaction, run);
  });
  texts.erase(std::string(kPlanFile));
  return texts;
}

std::string SqlJournal::plan_of(const RunId& run) {
  std::map<std::string, std::string> texts;
  read([&](StoreTransaction& transaction) {
    existing_run(transaction, run);
    texts = select_texts(transaction, run);
  });
  const auto found = texts.find(std::string(kPlanFile));
  return found == texts.end() ? std::string() : std::move(found->second);
}

void SqlJournal::send_control(const RunId& run, const Control& control) {
  write([&](StoreTransaction& transaction) {
    existing_run(transaction, run);
    insert_control(transaction, run, control);
  });
}

/// Mostly there are none, and then nothing is written.
std::vector<Control> SqlJournal::take_controls(const RunId& run) {
  bool waiting = false;
  read([&](StoreTransaction& transaction) {
    waiting = !transaction
                   .query("SELECT id FROM controls WHERE run = $1 AND taken = 0 LIMIT 1",
                          {std::string_view(run.value)})
                   .empty();
  });
  std::vector<Control> controls;
  if (waiting) {
    write(
        [&](StoreTransaction& transaction) { controls = store::take_controls(transaction, run); });
  }
  return controls;
}

void SqlJournal::approve_stage(const RunId& run, const std::string& stage, const std::string& who) {
  write([&](StoreTransaction& transaction) {
    existing_run(transaction, run);
    insert_stage_approval(transaction, run, stage, who);
  });
}

std::map<std::string, std::set<std::string>> SqlJournal::stage_approvals(const RunId& run) {
  std::map<std::string, std::set<std::string>> approvals;
  read([&](StoreTransaction& transaction) {
    existing_run(transaction, run);
    approvals = select_stage_approvals(transaction, run);
  });
  return approvals;
}

void SqlJournal::add_hold(const std::string& environment, const Hold& hold) {
  write([&](StoreTransaction& transaction) { put_hold(transaction, environment, hold); });
}

bool SqlJournal::remove_hold(const std::string& environment, const TenantId& tenant) {
  std::size_t gone = 0;
  write(
      [&](StoreTransaction& transaction) { gone = delete_hold(transaction, environment, tenant); });
  return gone > 0;
}

std::vector<Hold> SqlJournal::holds(const std::string& environment) {
  std::vector<Hold> holds;
  read([&](StoreTransaction& transaction) { holds = select_holds(transaction, environment); });
  return holds;
}

std::map<TenantId, std::chrono::milliseconds> SqlJournal::durations(
    const std::string& environment) {
  std::map<TenantId, std::chrono::milliseconds> durations;
  read([&](StoreTransaction& transaction) {
    for (const StoreRow& row :
         transaction.query("SELECT tenant, duration_ms FROM durations WHERE environment = $1",
                           {std::string_view(environment)})) {
      durations[TenantId{row.text(0)}] = std::chrono::milliseconds(row.number(1));
    }
  });
  return durations;
}

std::map<TenantId, std::string> SqlJournal::uids(const std::string& environment) {
  std::map<TenantId, std::string> uids;
  read([&](StoreTransaction& transaction) {
    for (const StoreRow& row :
         transaction.query("SELECT tenant, uid FROM tenant_uids WHERE environment = $1",
                           {std::string_view(environment)})) {
      uids[TenantId{row.text(0)}] = row.text(1);
    }
  });
  return uids;
}

void SqlJournal::forget_uid(const std::string& environment, const TenantId& tenant) {
  write([&](StoreTransaction& transaction) {
    transaction.query("DELETE FROM tenant_uids WHERE environment = $1 AND tenant = $2",
                      {std::string_view(environment), std::string_view(tenant.value)});
  });
}

void SqlJournal::prune(const Retention& retention) {
  write([&](StoreTransaction& transaction) {
    lock_texts(transaction);
    const WallTime oldest = transaction.now() - retention.events;
    transaction.query(
        "DELETE FROM events WHERE at_ms < $1 "
        "AND run IN (SELECT id FROM runs WHERE state IN ('finished', 'abandoned'))",
        {milliseconds_of(oldest)});
    // $1: how many runs stay
    transaction.query(
        "DELETE FROM runs WHERE state IN ('finished', 'abandoned') AND id NOT IN "
        "(SELECT id FROM runs ORDER BY started_ms DESC, id DESC LIMIT $1)",
        {static_cast<std::int64_t>(retention.runs)});
    for (const std::string_view table :
         {"run_tenants", "events", "run_files", "controls", "stage_approvals"}) {
      transaction.query(
          fmt::format("DELETE FROM {} WHERE run NOT IN (SELECT id FROM runs)", table));
    }
    delete_unused_texts(transaction);
  });
}

}  // namespace drover::orchestrator::store

/// The run journal over a StoreDb: the one implementation for SQLite and PostgreSQL.
///
/// What a call must hold to is in orchestrator/journal.h. How leases work:
/// - `leases` has one row for each environment. Whoever begins, takes over, renews or ends a run of
///   it locks that row first, so two of them never decide at the same time.
/// - Every holder has a token of its own. Writing, renewing and ending ask for it, so that a
/// process
///   that slept through a take-over changes nothing (it learns of it by false, or lease_lost).
/// - A transaction may run twice when its commit is in doubt. The token tells it that the first run
///   was committed; entries are known again by writer and number.

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>

#include "orchestrator/journal.h"
#include "orchestrator/store/journal_options.h"
#include "orchestrator/store/journal_writer.h"
#include "orchestrator/store/run_rows.h"
#include "orchestrator/store/store_db.h"

namespace drover::orchestrator::store {

class SqlJournal final : public Journal {
 public:
  /// Makes or upgrades the tables of `db`.
  SqlJournal(std::unique_ptr<StoreDb> db, JournalOptions options);

  RunId begin_run(const RunRequest& request, const Owner& owner) override;
  void take_over(const RunId& run, const Owner& owner) override;
  void reopen(const RunId& run, const Owner& owner) override;
  std::chrono::milliseconds lease() const noexcept override { return options_.lease.duration; }
  bool heartbeat(const RunId& run, const Owner& owner) override;
  void finish_run(const RunId& run, RunState state, int exit_status) override;
  void record(JournalEntry entry) override { writer_.record(std::move(entry)); }
  void flush() override;
  std::vector<RunRecord> runs(const std::string& environment, std::size_t limit) override;
  RunRecord run(const std::string& run) override;
  std::optional<RunRecord> resumable(const std::string& environment) override;
  std::vector<JournalTenant> tenants_of(const RunId& run) override;
  std::vector<EventRecord> events_of(const RunId& run) override;
  std::map<std::string, std::string> texts_of(const RunId& run) override;
  std::string plan_of(const RunId& run) override;
  void send_control(const RunId& run, const Control& control) override;
  std::vector<Control> take_controls(const RunId& run) override;
  void approve_stage(const RunId& run, const std::string& stage, const std::string& who) override;
  std::map<std::string, std::set<std::string>> stage_approvals(const RunId& run) override;
  void add_hold(const std::string& environment, const Hold& hold) override;
  bool remove_hold(const std::string& environment, const TenantId& tenant) override;
  std::vector<Hold> holds(const std::string& environment) override;
  std::map<TenantId, std::chrono::milliseconds> durations(const std::string& environment) override;
  std::map<TenantId, std::string> uids(const std::string& environment) override;
  void forget_uid(const std::string& environment, const TenantId& tenant) override;
  void prune(const Retention& retention) override;

 private:
  void read(const StoreDb::Body& body);
  void write(const StoreDb::Body& body);
  void write_batch(std::span<const NumberedEntry> entries);
  void write_run(StoreTransaction& transaction,
                 const RunId& run,
                 std::span<const NumberedEntry* const> entries,
                 WallTime now);

  void take_up(const RunId& run, const Owner& owner, bool (*is_refused)(RunState));
  RunRow new_holder(const RunId& run, const Owner& owner) const;
  void refuse_living(StoreTransaction& transaction, const RunId& holder, WallTime now);
  void check_may_end(StoreTransaction& transaction, const RunRow& row, RunState state);
  bool is_ours(const RunRow& row) const;

  const JournalOptions options_;
  const std::string writer_name_;  ///< Tells this writer's events from every other's.

  std::mutex db_mutex_;  ///< Guards the three below.
  std::unique_ptr<StoreDb> db_;
  std::map<RunId, std::string> tokens_;  ///< Of every run that this journal began or took over.
  std::set<RunId> lost_;                 ///< Of these, the ones that others took over.

  JournalWriter writer_;  // last, so that it ends before what it writes to
};

}  // namespace drover::orchestrator::store

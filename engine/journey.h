/// One call of Executor::apply(): the state between the first message to a tenant and its outcome.
///
/// Internal to the executor; split from it so that each file can be held in the head.
/// journey.cpp has the loop and the outcomes, journey_transactions.cpp the transactions,
/// journey_statements.cpp the statements that cannot run in one, journey_batches.cpp batches,
/// journey_rehearsal.cpp what is tried and taken back, and journey_messages.cpp how messages are
/// sent and their answers looked at.

#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/batch.h"
#include "engine/executor.h"
#include "engine/transaction_script.h"

namespace drover::engine {

/// What the executor gives to each journey.
struct JourneyMeans {
  SessionFactory& factory;
  Clock& clock;
  const MigrationSet& migrations;
  const ExecutorOptions& options;
  BlockerWatch& watch;
  DdlGate& ddl_gate;
};

class Journey {
 public:
  Journey(const JourneyMeans& means,
          const Target& target,
          const TenantFacts& facts,
          const Goal& goal,
          const Patience& patience,
          const ApplyObserver& observer);

  ApplyOutcome run(KeptSession* kept);

  /// Tries instead, and takes everything back; see Executor::rehearse().
  RehearsalOutcome rehearse();

 private:
  /// How a message ended.
  struct Sent {
    std::size_t lines_done = 0;
    std::optional<SqlError> error = {};
    std::optional<TenantFault> finding = {};  ///< An answer that may not be: a verify that failed.

    bool ok() const noexcept { return !error && !finding; }
  };

  /// What to do after a message, or a unit.
  enum class Next {
    go_on,
    replan,   ///< The history is not what we thought; it has been read again.
    give_up,  ///< outcome_ says why.
  };

  // The loop.
  bool prepare(KeptSession* kept);
  bool choose_itinerary();
  void add_this_runs_work(RevisionSet& start) const;
  std::optional<TenantFault> changed_since_plan() const;
  bool plan();
  bool cleared();
  void start_on(std::vector<Step> steps);
  Next run_plan();
  Next run_unit();
  void conclude();
  RevisionSet held();
  std::vector<RevisionId> heads_before_run() const;
  bool read_undone_by_run();

  // Rehearsals.
  bool prepare_rehearsal();
  std::size_t longest_transaction(RehearsalOutcome& rehearsal) const;
  TenantPlan plan_first(std::size_t count) const;
  std::optional<TenantFault> try_and_take_back();

  // Transactions.
  Next run_chain();
  bool may_join(const Unit& unit, std::size_t count, std::size_t bytes) const;
  Next run_all_in_one();
  Next after_message(const std::vector<Line>& lines, const Sent& sent);
  Next after_finding(const Line& line, const TenantFault& finding);
  Next after_server_error(const std::vector<Line>& lines, const Sent& sent);
  Next after_lost_session(const SqlError& error);
  Next look_again();
  Next tables_in_the_way(const Line& line, const SqlError& error);

  // Statements outside of transactions.
  Next run_statements();
  Next run_statement(const SqlStatement& statement, StepRecord record);
  Next before_start(const SqlStatement& statement, const StepRecord& record, bool& done);
  Next recover_started(const SqlStatement& statement, bool& done);
  Next journal_start(const SqlStatement& statement, const StepRecord& record);
  Next send_alone(const SqlStatement& statement);
  Next statement_failed(const SqlStatement& statement, const SqlError& error);
  Next finish_statements();
  std::vector<OwnedStatement> arrangements(const SqlStatement& statement) const;
  Patience patience_for(const SqlStatement& statement) const;
  bool is_unlimited(const SqlStatement& statement) const;

  // Batches.
  std::optional<TenantFault> nobody_for_batches(const std::vector<Step>& steps) const;
  Next run_batch();
  Next announce_batch(const Section& section, const StepRecord& record);
  bool is_awaited(const Section& section) const;
  Next work_batch(const Section& section, const StepRecord& record);
  Next finish_batch(const StepRecord& record);

  // Messages.
  Sent send(const std::vector<Line>& lines);
  Exchange send_some(const std::vector<Line>& lines, std::size_t from, std::size_t to);
  Exchange watched(std::span<const Statement> statements, const Patience& patience);
  SteadyTime deadline_of(const std::vector<Line>& lines, std::size_t from, std::size_t to) const;
  std::optional<TenantFault> unmet(const Line& line, const ResultSet& answer);
  ScriptWriter begin_message();
  void advance(const std::vector<Line>& lines, std::size_t lines_done);
  void count_own_change();
  void unit_finished();
  void step_finished();

  // Outcomes.
  Next fail(TenantFault fault);
  Next retry_or_fail(TenantFault fault);
  TenantFault fault_at(const std::vector<Line>& lines, std::size_t at, const SqlError& error) const;
  TenantFault fault_of(const SqlStatement& statement, const SqlError& error) const;
  TenantFault out_of_patience() const;
  void note_failure(const TenantFault& fault);
  bool half_done() const;
  bool patience_is_over() const;
  bool may_start() const;
  Patience recovery_patience() const;

  const JourneyMeans& means_;
  const Goal& goal_;
  const Patience& patience_;
  const ApplyObserver& observer_;
  TenantSession tenant_;
  ScriptContext context_;

  std::optional<Itinerary> itinerary_;
  std::vector<Step> steps_;
  std::size_t step_ = 0;      ///< Where we are in steps_,
  std::size_t unit_ = 0;      ///< and in its units.
  std::size_t messages_ = 0;  ///< Begun so far.
  std::int64_t epoch_ = 0;
  bool tables_exist_ = false;
  RevisionSet undone_by_run_;       ///< Of one who goes down: before this process, by this run.
  RevisionSet start_;               ///< What was applied when the history was first read,
  RevisionSet applied_;             ///< and what is now.
  std::optional<RevisionId> half_;  ///< In both, and yet only half done: it is to be undone.

  std::optional<std::vector<std::vector<SqlValue>>> violations_before_;  ///< Of foreign keys.

  std::optional<StepRecord> ended_;  ///< A statement that is done and not yet journalled as done.
  std::optional<StepRecord> under_way_;  ///< Journalled as started, and seen to have failed.
  std::string instead_;                  ///< Finishes what the statement under way began.
  bool statements_done_ = false;         ///< Statements of the unit under way are done and stay.
  bool sent_alone_ = false;              ///< The statement that was last sent alone took effect.
  bool timeouts_off_ = false;            ///< The session runs without timeouts.

  std::vector<RevisionId> at_batch_;   ///< TenantRow::at_batch now.
  std::optional<BatchId> batch_done_;  ///< By the worker, and not yet journalled.

  std::optional<std::int64_t> cleared_at_;  ///< The epoch that before_change agreed to, and our own
                                            ///< changes after it.

  int unit_attempts_ = 0;  ///< Of the unit under way.
  int replans_ = 0;
  int reconnects_ = 0;
  ApplyOutcome outcome_;
};

}  // namespace drover::engine

/// One call of Executor::apply(): the state between the first message to a tenant and its outcome.
///
/// Internal to the executor; split from it so that each file can be held in the head.
/// journey.cpp has the loop and the transactions, journey_statements.cpp the statements that cannot
/// run in one.

#pragma once

#include <optional>
#include <vector>

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
  bool plan();
  Next run_plan();
  Next run_unit();
  void conclude();

  // Transactions.
  Next run_chain();
  Next run_all_in_one();
  Next after_message(const std::vector<Line>& lines, const Sent& sent);
  Next after_server_error(const Line& line, const SqlError& error);
  Next after_lost_session(const SqlError& error);
  Next look_again();
  bool may_chain(const ScriptWriter& writer, std::size_t count) const;

  // Statements outside of transactions.
  Next run_statements();
  Next run_statement(const SqlStatement& statement, StepRecord record);
  Next recover_started(const SqlStatement& statement, bool& done);
  Next send_alone(const SqlStatement& statement);
  Next statement_failed(const SqlStatement& statement, const SqlError& error);
  Next finish_statements();

  // Messages.
  Sent send(const std::vector<Line>& lines);
  Exchange send_some(const std::vector<Line>& lines, std::size_t from, std::size_t to);
  std::optional<TenantFault> unmet(const Line& line, const ResultSet& answer) const;
  ScriptWriter begin_message();
  void settle(ScriptWriter& writer);

  // Outcomes.
  Next fail(TenantFault fault);
  Next retry_or_fail(TenantFault fault);
  TenantFault fault_at(const Line& line, const SqlError& error) const;
  void note_failure(const TenantFault& fault);
  void advance(const std::vector<Line>& lines, std::size_t lines_done);
  void step_finished();
  bool half_done() const;
  std::string progress_mark() const;
  Patience recovery_patience() const;

  const JourneyMeans& means_;
  const Goal& goal_;
  const Patience& patience_;
  const ApplyObserver& observer_;
  TenantSession tenant_;
  ScriptContext context_;

  std::optional<Itinerary> itinerary_;
  std::vector<Step> steps_;
  std::size_t step_ = 0;  ///< Where we are in steps_,
  std::size_t unit_ = 0;  ///< and in its units.
  std::int64_t epoch_ = 0;
  bool tables_exist_ = false;
  RevisionSet start_;                ///< What was applied when the history was first read,
  RevisionSet applied_;              ///< and what is now.
  std::optional<StepRecord> ended_;  ///< A statement that is done and not yet journalled as done.
  std::optional<StepRecord> under_way_;  ///< One that is journalled as started.
  bool statements_done_ = false;         ///< Statements of the unit under way are done and stay.
  bool sent_alone_ = false;              ///< The statement that was last sent alone took effect.

  int unit_attempts_ = 0;  ///< Of the unit under way.
  int replans_ = 0;
  int reconnects_ = 0;
  ApplyOutcome outcome_;
};

}  // namespace drover::engine

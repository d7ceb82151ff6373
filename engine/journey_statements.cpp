// Units of statements that cannot run in a transaction: each is journalled as started, sent alone,
// and journalled as done, so that whoever comes after a crash knows where to look.

#include <fmt/format.h>

#include "engine/journey.h"
#include "engine/statement_recovery.h"

namespace drover::engine {
namespace {

SqlError lost_session() {
  SqlError error;
  error.origin = SqlError::Origin::connection;
  error.message = "the session was lost";
  return error;
}

}  // namespace

Journey::Next Journey::run_statements() {
  const Step& step = steps_[step_];
  const Unit& unit = step.units[unit_];
  const std::vector<SqlStatement>& statements = unit.sections.front()->statements;
  const int first = unit_ == step.first_unit ? step.first_statement : 1;
  for (auto i = static_cast<std::size_t>(first - 1); i < statements.size(); ++i) {
    StepRecord record{step.migration->id,
                      step.direction,
                      static_cast<int>(unit_) + 1,
                      static_cast<int>(i) + 1,
                      checksum_of(statements[i]),
                      false,
                      tenant_.session().info().backend_pid};
    const Next next = run_statement(statements[i], std::move(record));
    if (next != Next::go_on) {
      return next;
    }
  }
  if (unit_ + 1 == step.units.size()) {
    return finish_statements();
  }
  ScriptWriter writer = begin_message();
  writer.journal(step, step_, ended_, std::nullopt);
  const std::vector<Line> lines = writer.take();
  const Next next = after_message(lines, send(lines));
  ended_.reset();
  return next;
}

/// The history row of a revision whose last unit was one of statements.
Journey::Next Journey::finish_statements() {
  ScriptWriter writer = begin_message();
  writer.record(steps_[step_], step_);
  const std::vector<Line> lines = writer.take();
  unit_ = steps_[step_].units.size() - 1;  // the commit below ends it
  const Next next = after_message(lines, send(lines));
  ended_.reset();
  return next;
}

Journey::Next Journey::run_statement(const SqlStatement& statement, StepRecord record) {
  const Step& step = steps_[step_];
  const bool resumed = step.started && step.started->unit == record.unit &&
                       step.started->statement == record.statement;
  if (resumed) {
    bool done = false;
    const Next next = recover_started(statement, done);
    if (next != Next::go_on || done) {
      ended_ = done ? std::optional(std::move(record)) : std::nullopt;
      statements_done_ = statements_done_ || done;
      return next;
    }
  } else if (auto fault = taken_by_another(tenant_, statement, patience_)) {
    fault->revision = record.revision.value;
    fault->place = step.migration->place_of(statement, 0);
    return fail(std::move(*fault));
  }
  ScriptWriter writer = begin_message();
  writer.journal(step, step_, ended_, record);
  std::vector<Line> lines = writer.take();
  if (const Sent sent = send(lines); !sent.ok()) {
    lines.back().role = Line::Role::control;  // this commit ends no unit
    return after_message(lines, sent);
  }
  ++epoch_;
  ended_.reset();
  tables_exist_ = true;
  tenant_.set_settled(true);
  under_way_ = record;
  Next next = Next::go_on;
  do {
    next = send_alone(statement);
  } while (next == Next::go_on && !sent_alone_);
  under_way_.reset();
  if (sent_alone_) {
    ended_ = std::move(record);
    statements_done_ = true;
  }
  return next;
}

/// Sends `statement` by itself. go_on without sent_alone_ means: once more.
Journey::Next Journey::send_alone(const SqlStatement& statement) {
  sent_alone_ = false;
  const bool unlimited =
      runs_without_timeouts(statement.kind) && tenant_.target().dialect == Dialect::postgres;
  std::unique_ptr<DdlGate::Pass> pass;
  if (unlimited) {
    pass = means_.ddl_gate.enter(tenant_.target(), patience_);
    const Exchange settings =
        tenant_.exchange({{"SET lock_timeout = 0"}, {"SET statement_timeout = 0"}}, patience_);
    if (!settings.ok() && !tenant_.alive()) {
      return after_lost_session(*settings.error);
    }
  }
  Patience patience = patience_;
  if (!unlimited) {
    const SteadyTime limit = means_.clock.now() + context_.statement_timeout;
    patience.deadline = std::min(patience.deadline, limit);
  } else if (means_.options.concurrent_timeout) {
    const SteadyTime limit = means_.clock.now() + *means_.options.concurrent_timeout;
    patience.deadline = std::min(patience.deadline, limit);
  }
  const std::int64_t pid = tenant_.session().info().backend_pid;
  const Statement alone{statement.text, {}, Author::migration};
  means_.watch.begin(tenant_.target(), pid);
  Exchange answer = tenant_.exchange(std::span(&alone, 1), patience);
  const std::optional<Blocker> blocker = means_.watch.end(tenant_.target(), pid);
  tenant_.set_needs_reset(true);
  if (unlimited && tenant_.alive()) {
    tenant_.exchange({{"RESET lock_timeout"}, {"RESET statement_timeout"}}, patience_);
  }
  if (answer.ok()) {
    sent_alone_ = true;
    unit_attempts_ = 0;
    return Next::go_on;
  }
  answer.error->blocker = blocker;
  if (!tenant_.alive()) {
    return after_lost_session(*answer.error);
  }
  return statement_failed(statement, *answer.error);
}

/// The server refused it, so we know that it did not happen; what it left is cleared away.
Journey::Next Journey::statement_failed(const SqlStatement& statement, const SqlError& error) {
  clear_leftovers(tenant_, statement, patience_);
  const Step& step = steps_[step_];
  TenantFault fault = fault_from(error, fmt::format("revision '{}'", step.migration->id.value));
  fault.revision = step.migration->id.value;
  fault.place = step.migration->place_of(statement, error.position);
  return retry_or_fail(std::move(fault));
}

Journey::Next Journey::recover_started(const SqlStatement& statement, bool& done) {
  Recovery recovery = recover_statement(tenant_, statement, patience_);
  done = recovery.verdict == Recovery::Verdict::done;
  if (!tenant_.alive()) {
    return after_lost_session(lost_session());
  }
  if (recovery.verdict == Recovery::Verdict::unknown) {
    const Step& step = steps_[step_];
    recovery.fault->revision = step.migration->id.value;
    recovery.fault->place = step.migration->place_of(statement, 0);
    outcome_.kind = ApplyOutcome::Kind::in_doubt;
    outcome_.fault = std::move(recovery.fault);
    return Next::give_up;
  }
  if (recovery.instead.empty()) {
    return Next::go_on;
  }
  const Exchange finished = tenant_.exchange({{recovery.instead}}, patience_);
  done = finished.ok();
  return Next::go_on;
}

}  // namespace drover::engine

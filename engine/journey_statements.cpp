// Units of statements that cannot run in a transaction: each is journalled as started, sent alone,
// and journalled as done, so that whoever comes after a crash knows where to look.

#include <algorithm>

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
    if (patience_is_over()) {
      return fail(out_of_patience());
    }
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
  const Sent sent = send(lines);
  if (sent.ok()) {
    ended_.reset();
  }
  return after_message(lines, sent);
}

/// The history row of a revision whose last unit was one of statements.
Journey::Next Journey::finish_statements() {
  ScriptWriter writer = begin_message();
  writer.record(steps_[step_], step_);
  const std::vector<Line> lines = writer.take();
  const Sent sent = send(lines);
  if (sent.ok()) {
    ended_.reset();
    unit_ = steps_[step_].units.size() - 1;  // the commit ends it
  }
  return after_message(lines, sent);
}

bool Journey::is_unlimited(const SqlStatement& statement) const {
  return tenant_.target().dialect == Dialect::postgres && runs_without_timeouts(statement.kind);
}

/// What the session needs for `statement`: its header's settings, and no timeouts for those that
/// lock nobody out.
std::vector<OwnedStatement> Journey::arrangements(const SqlStatement& statement) const {
  if (tenant_.target().dialect == Dialect::sqlite) {
    return {};
  }
  std::vector<OwnedStatement> settings = header_settings(*steps_[step_].migration, SetFor::session);
  if (is_unlimited(statement)) {
    settings.push_back({"SET lock_timeout = 0"});
    settings.push_back({"SET statement_timeout = 0"});
  }
  return settings;
}

Journey::Next Journey::run_statement(const SqlStatement& statement, StepRecord record) {
  if (patience_is_over()) {
    return fail(out_of_patience());
  }
  std::unique_ptr<DdlGate::Pass> pass;
  if (is_unlimited(statement)) {
    pass = means_.ddl_gate.enter(tenant_.target(), patience_);
    if (!pass) {
      return fail(out_of_patience());
    }
  }
  bool done = false;
  Next next = before_start(statement, record, done);
  if (next == Next::go_on && !done) {
    next = journal_start(statement, record);
    while (next == Next::go_on && !done) {
      next = send_alone(statement);
      done = sent_alone_;
    }
  }
  if (done) {
    ended_ = std::move(record);
    statements_done_ = true;
  }
  return next;
}

/// A statement that was started and not seen to end: what became of it? And one that was not: is
/// its name free?
Journey::Next Journey::before_start(const SqlStatement& statement,
                                    const StepRecord& record,
                                    bool& done) {
  const Step& step = steps_[step_];
  const bool resumed = step.started && step.started->unit == record.unit &&
                       step.started->statement == record.statement;
  const bool asks = resumed || statement.kind == StatementKind::create_index_concurrently;
  const std::vector<OwnedStatement> settings = arrangements(statement);
  if (asks && !settings.empty()) {
    const Exchange answer = tenant_.exchange(settings, patience_);
    tenant_.set_needs_reset(true);
    timeouts_off_ = is_unlimited(statement);
    if (!answer.ok()) {
      return tenant_.alive() ? fail(fault_of(statement, *answer.error))
                             : after_lost_session(*answer.error);
    }
  }
  if (resumed) {
    return recover_started(statement, done);
  }
  if (auto fault = taken_by_another(tenant_, statement, patience_)) {
    fault->revision = record.revision.value;
    fault->place = step.migration->place_of(statement, 0);
    return fail(std::move(*fault));
  }
  return tenant_.alive() ? Next::go_on : after_lost_session(lost_session());
}

Journey::Next Journey::recover_started(const SqlStatement& statement, bool& done) {
  Recovery recovery = recover_statement(tenant_, statement, patience_for(statement));
  if (!tenant_.alive()) {
    return after_lost_session(lost_session());
  }
  done = recovery.verdict == Recovery::Verdict::done;
  instead_ = std::move(recovery.instead);
  if (recovery.verdict != Recovery::Verdict::unknown) {
    return Next::go_on;
  }
  const Migration& migration = *steps_[step_].migration;
  recovery.fault->revision = migration.id.value;
  recovery.fault->place = migration.place_of(statement, 0);
  outcome_.kind = ApplyOutcome::Kind::in_doubt;
  outcome_.fault = std::move(recovery.fault);
  return Next::give_up;
}

/// Journals `record` as started, and arranges the session for the statement.
Journey::Next Journey::journal_start(const SqlStatement& statement, const StepRecord& record) {
  ScriptWriter writer = begin_message();
  writer.journal(steps_[step_], step_, ended_, record);
  writer.arrange(arrangements(statement));
  std::vector<Line> lines = writer.take();
  for (Line& line : lines) {  // this commit ends no unit
    line.role = line.role == Line::Role::commit ? Line::Role::control : line.role;
  }
  const Sent sent = send(lines);
  tenant_.set_needs_reset(true);
  timeouts_off_ = is_unlimited(statement);
  if (!sent.ok()) {
    return after_message(lines, sent);
  }
  count_own_change();
  ended_.reset();
  tables_exist_ = true;
  tenant_.set_settled(true);
  under_way_ = record;
  return Next::go_on;
}

Patience Journey::patience_for(const SqlStatement& statement) const {
  const auto timeout = timeout_of(statement, *steps_[step_].migration, context_.statement_timeout);
  // SQLite has no timeout but ours; on PostgreSQL ours is for a server that does not answer.
  const bool sqlite = tenant_.target().dialect == Dialect::sqlite;
  const Milliseconds grace = sqlite ? Milliseconds::zero() : kMessageGrace;
  const auto limit = timeout ? std::optional(*timeout + grace) : means_.options.concurrent_timeout;
  Patience patience = patience_;
  if (runs_in_several_transactions(statement.kind)) {
    patience.stop = patience_.force;  // cut short it leaves something invalid behind
  }
  if (limit) {
    patience.deadline = std::min(patience.deadline, means_.clock.now() + *limit);
  }
  return patience;
}

/// Sends `statement`, or what finishes it, by itself. go_on without sent_alone_ means: once more.
Journey::Next Journey::send_alone(const SqlStatement& statement) {
  if (!may_start()) {
    return fail(out_of_patience());
  }
  const Statement alone =
      instead_.empty() ? Statement{statement.text, {}, Author::migration} : Statement{instead_};
  const Exchange answer = watched(std::span(&alone, 1), patience_for(statement));
  sent_alone_ = answer.ok();
  if (sent_alone_) {
    unit_attempts_ = 0;
    instead_.clear();
    under_way_.reset();
    return Next::go_on;
  }
  if (!tenant_.alive()) {
    return after_lost_session(*answer.error);
  }
  tenant_.roll_back();
  return statement_failed(statement, *answer.error);
}

/// The server refused it, so it did not happen; of those that run in several transactions, a part
/// may have. That is cleared away, or named.
Journey::Next Journey::statement_failed(const SqlStatement& statement, const SqlError& error) {
  TenantFault fault = fault_of(statement, error);
  if (runs_in_several_transactions(statement.kind)) {
    Recovery left = recover_statement(tenant_, statement, patience_for(statement));
    if (!tenant_.alive()) {
      return after_lost_session(lost_session());
    }
    instead_ = std::move(left.instead);
    if (left.verdict == Recovery::Verdict::unknown) {
      under_way_.reset();  // so that its line in the journal stays
      fault.message += "; " + left.fault->message;
      return fail(std::move(fault));
    }
    if (!instead_.empty()) {
      under_way_.reset();  // it did happen, in part
    }
  }
  return retry_or_fail(std::move(fault));
}

}  // namespace drover::engine

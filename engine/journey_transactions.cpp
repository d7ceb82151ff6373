// Units that are transactions: which of them travel together, and what to do after a message that
// did not end well.

#include <algorithm>

#include <fmt/format.h>

#include "engine/journey.h"

namespace drover::engine {
namespace {

/// Limits of one message (MIGRATIONS, Chain).
constexpr std::size_t kChainBytes = std::size_t{1} << 20U;
constexpr std::size_t kChainRevisions = 32;
constexpr std::size_t kWorthPreparing = 4;  ///< Revisions; fewer do not pay for it.
constexpr int kChainServer = 140000;        ///< The first that notices a dead client.

constexpr int kMostReplans = 5;
constexpr int kMostReconnects = 3;

std::size_t bytes_of(const Unit& unit) {
  std::size_t bytes = 0;
  for (const Section* section : unit.sections) {
    for (const SqlStatement& statement : section->statements) {
      bytes += statement.text.size();
    }
  }
  return bytes;
}

}  // namespace

/// Whether `unit` may travel behind `count` others, which are `bytes` long.
bool Journey::may_join(const Unit& unit, std::size_t count, std::size_t bytes) const {
  return unit.kind == Unit::Kind::transaction && !unit.has_verify() &&
         means_.options.chaining == Chaining::on && tenant_.target().dialect == Dialect::postgres &&
         count < kChainRevisions && bytes + bytes_of(unit) < kChainBytes;
}

// As many transactional units as may travel together: at least one, and a verify ends the message.
Journey::Next Journey::run_chain() {
  ScriptWriter writer = begin_message();
  const bool notices_dead_clients = tenant_.session().info().server_version >= kChainServer;
  std::size_t step = step_;
  std::size_t unit = unit_;
  bool more = true;
  if (steps_.size() - step_ >= kWorthPreparing) {
    writer.prepare_repeated(messages_);
  }
  for (std::size_t count = 1; more; ++count) {
    if (count > 1 && unit == 0) {
      writer.settle(ScriptWriter::Resets::yes);
    }
    writer.transaction(steps_[step], step, unit);
    const bool alone = steps_[step].units[unit].has_verify() || !notices_dead_clients;
    if (++unit == steps_[step].units.size()) {
      ++step;
      unit = 0;
    }
    more =
        !alone && step < steps_.size() && may_join(steps_[step].units[unit], count, writer.bytes());
  }
  const std::vector<Line> lines = writer.take();
  return after_message(lines, send(lines));
}

Journey::Next Journey::run_all_in_one() {
  ScriptWriter writer = begin_message();
  writer.all_in_one(steps_);
  const std::vector<Line> lines = writer.take();
  const Sent sent = send(lines);
  if (!sent.ok()) {
    return after_message(lines, sent);
  }
  count_own_change();
  while (step_ < steps_.size()) {
    step_finished();
  }
  return Next::go_on;
}

Journey::Next Journey::after_message(const std::vector<Line>& lines, const Sent& sent) {
  tenant_.set_needs_reset(true);
  advance(lines, sent.lines_done);
  if (sent.ok()) {
    tenant_.set_settled(true);
    return Next::go_on;
  }
  if (!tenant_.alive()) {
    return after_lost_session(*sent.error);
  }
  tenant_.roll_back();
  tenant_.set_settled(false);
  return sent.finding ? after_finding(lines[sent.lines_done], *sent.finding)
                      : after_server_error(lines, sent);
}

Journey::Next Journey::after_finding(const Line& line, const TenantFault& finding) {
  if (line.role == Line::Role::fence || line.role == Line::Role::record) {
    return look_again();
  }
  // Rows that point at nothing may have done so before: once more, and count them first.
  const bool counted = context_.violations == ScriptContext::CountViolations::before_and_after;
  if (line.expect == Line::Expect::no_new_violations && !counted) {
    context_.violations = ScriptContext::CountViolations::before_and_after;
    return Next::go_on;
  }
  return fail(finding);
}

Journey::Next Journey::after_server_error(const std::vector<Line>& lines, const Sent& sent) {
  const std::size_t at = std::min(sent.lines_done, lines.size() - 1);
  const Line& line = lines[at];
  const SqlError& error = *sent.error;
  const bool division = error.sqlstate == "22012";
  const bool fenced = line.role == Line::Role::fence && division;
  const bool recorded =
      error.sqlstate == "23505" || error.sqlstate == "SQLITE_CONSTRAINT_PRIMARYKEY";
  const bool guarded = line.role == Line::Role::record && (division || recorded);
  if (fenced || guarded) {
    return look_again();
  }
  const bool exists = error.sqlstate == "42P07" || error.sqlstate == "SQLITE_ERROR";
  if (line.role == Line::Role::create && exists) {
    return tables_in_the_way(line, error);
  }
  return retry_or_fail(fault_at(lines, at, error));
}

/// Somebody else changed the tenant, or our commit happened after all: the history tells.
Journey::Next Journey::look_again() {
  if (++replans_ > kMostReplans) {
    return fail(found(ErrorCode::busy,
                      "history_moves",
                      "the tenant's history changes under us again and again",
                      "Find out who else migrates this tenant."));
  }
  if (auto fault = tenant_.reread(patience_)) {
    return fail(std::move(*fault));
  }
  return Next::replan;
}

/// Drover's tables are there although the history was not: another runner was quicker (SQLite), or
/// one of them is gone.
Journey::Next Journey::tables_in_the_way(const Line& line, const SqlError& error) {
  const Next next = look_again();
  if (next != Next::replan || tenant_.history().exists) {
    return next;
  }
  TenantFault fault = fault_at({line}, 0, error);
  fault.code = ErrorCode::verification;
  fault.kind = "history_damaged";
  fault.message =
      "some of Drover's tables are there, and the one of the tenant is not: " + error.message;
  fault.hint = "Restore the drover_ tables from a backup, or drop them and stamp the tenant.";
  return fail(std::move(fault));
}

/// The session is gone, and a commit may have been under way. Only the history can tell, and only
/// under the tenant's lock, which an orphan of ours holds until it is gone.
Journey::Next Journey::after_lost_session(const SqlError& error) {
  TenantFault lost = fault_from(error, "the tenant's session");
  const bool timed_out = error.origin == SqlError::Origin::deadline;
  under_way_.reset();  // it may have happened; its line in the journal stays
  timeouts_off_ = false;
  if (observer_.on_retry) {
    observer_.on_retry(lost);
  }
  ++outcome_.attempts;
  if (auto fault = tenant_.come_back(recovery_patience())) {
    outcome_.kind = ApplyOutcome::Kind::in_doubt;
    lost.fault_class = fault->fault_class;
    lost.kind = "in_doubt";
    lost.blocker = fault->blocker;
    lost.message = fmt::format(
        "the session ended while a commit may have been under way ({}), and "
        "the history could not be read since: {}",
        error.message,
        fault->message);
    lost.hint = "Run the same command again: it takes the tenant's lock and reads the history.";
    outcome_.fault = std::move(lost);
    return Next::give_up;
  }
  const bool got_further = tenant_.history().tenant.epoch > epoch_;
  reconnects_ = got_further ? 1 : reconnects_ + 1;
  const int most = timed_out ? means_.options.timeout_attempts - 1 : kMostReconnects;
  const bool again = reconnects_ <= most || patience_is_over();
  return again ? Next::replan : fail(std::move(lost));
}

}  // namespace drover::engine

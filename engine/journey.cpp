#include "engine/journey.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/session_hygiene.h"
#include "engine/sql_value.h"
#include "engine/statement_recovery.h"

namespace drover::engine {
namespace {

/// Limits of one message (MIGRATIONS, Chain).
constexpr std::size_t kChainBytes = std::size_t{1} << 20U;
constexpr std::size_t kChainRevisions = 32;
constexpr int kChainServer = 140000;  ///< The first that notices a dead client.

constexpr int kMostReplans = 5;
constexpr int kMostReconnects = 3;

/// What a message may take beyond its statements' own timeouts: the network, and a busy server.
constexpr Milliseconds kGrace{30'000};

/// How long a stopped run waits to learn what became of its last commit.
constexpr Milliseconds kLastLook{10'000};

Milliseconds retry_pause(int attempt, std::int64_t jitter) {
  const std::int64_t base = std::min<std::int64_t>(100LL << std::min(attempt, 6), 5'000);
  return Milliseconds(base + jitter % (base / 2 + 1));
}

}  // namespace

Journey::Journey(const JourneyMeans& means,
                 const Target& target,
                 const TenantFacts& facts,
                 const Goal& goal,
                 const Patience& patience,
                 const ApplyObserver& observer)
    : means_(means),
      goal_(goal),
      patience_(patience),
      observer_(observer),
      tenant_(means.factory, means.clock, target, facts, means.options.approach) {
  context_.tables = &tenant_.tables();
  context_.by = means.options.by;
  context_.statement_timeout = means.options.approach.statement_timeout;
  context_.resets = reset_statements(target.dialect);
}

// Prepare, then: plan, run what was planned, and plan again whenever the tenant turns out to be
// elsewhere than we thought. The itinerary never changes, so that no retry goes further.
ApplyOutcome Journey::run(KeptSession* kept) {
  if (prepare(kept) && choose_itinerary()) {
    Next next = Next::replan;
    while (next == Next::replan && plan()) {
      next = run_plan();
    }
  }
  conclude();
  if (kept != nullptr && !outcome_.fault) {
    *kept = tenant_.keep();
  }
  return std::move(outcome_);
}

bool Journey::prepare(KeptSession* kept) {
  outcome_.kind = ApplyOutcome::Kind::unreachable;
  if (auto fault = tenant_.approach(kept, patience_)) {
    outcome_.fault = std::move(fault);
    return false;
  }
  outcome_.kind = ApplyOutcome::Kind::failed;
  start_ = applied_ = tenant_.history().applied_ids();
  outcome_.from = heads_of(means_.migrations, tenant_.history());
  outcome_.fault = tenant_.environment_fault();
  return !outcome_.fault;
}

bool Journey::choose_itinerary() {
  const History& history = tenant_.history();
  outcome_.fault = history_fault(means_.migrations, tenant_.target().dialect, history);
  if (outcome_.fault) {
    return false;
  }
  // What this run did before it was cut short does not count as where the tenant started.
  RevisionSet start = history.applied_ids();
  const std::string& run = means_.options.by.run;
  if (goal_.relative() && !run.empty() && history.exists) {
    for (const AppliedRevision& row : history.applied) {
      if (row.run == run) {
        start.erase(row.id);
      }
    }
    const Exchange undone = tenant_.exchange({tenant_.tables().read_undone(run)}, patience_);
    if (!undone.ok()) {
      outcome_.fault = fault_from(*undone.error, "reading the history");
      return false;
    }
    for (const auto& row : undone.results.front().rows) {
      start.insert(RevisionId{text_of(row.front())});
    }
  }
  itinerary_ = itinerary_for(means_.migrations, start, goal_);
  return true;
}

bool Journey::plan() {
  const Dialect dialect = tenant_.target().dialect;
  const auto make = [&] {
    return plan_tenant(means_.migrations,
                       dialect,
                       tenant_.history(),
                       *itinerary_,
                       means_.options.transaction,
                       goal_.from_partial);
  };
  TenantPlan plan = make();
  if (!plan.fault && !plan.steps.empty() && !tenant_.locked()) {
    plan.fault = tenant_.lock(patience_);
    plan = plan.fault ? std::move(plan) : make();
  }
  applied_ = tenant_.history().applied_ids();
  epoch_ = tenant_.history().tenant.epoch;
  tables_exist_ = tenant_.history().exists;
  steps_ = std::move(plan.steps);
  step_ = 0;
  unit_ = steps_.empty() ? 0 : steps_.front().first_unit;
  ended_.reset();
  statements_done_ = !steps_.empty() && steps_.front().first_statement > 1;
  if (plan.fault) {
    fail(std::move(*plan.fault));
    return false;
  }
  if (steps_.empty()) {
    outcome_.kind = applied_ == start_ ? ApplyOutcome::Kind::current : ApplyOutcome::Kind::applied;
    return false;
  }
  return true;
}

Journey::Next Journey::run_plan() {
  Next next = Next::go_on;
  while (next == Next::go_on && step_ < steps_.size()) {
    if (patience_.stop.stop_requested()) {
      return fail(found(ErrorCode::halted,
                        "interrupted",
                        "the run was stopped before the tenant was done",
                        "Resume the run to go on."));
    }
    next = means_.options.transaction == TransactionMode::all ? run_all_in_one() : run_unit();
  }
  if (next == Next::go_on) {
    outcome_.kind = ApplyOutcome::Kind::applied;
  }
  return next;
}

Journey::Next Journey::run_unit() {
  const Step& step = steps_[step_];
  if (unit_ >= step.units.size()) {  // all units were done, only the history row is missing
    return finish_statements();
  }
  return step.units[unit_].kind == Unit::Kind::statements ? run_statements() : run_chain();
}

void Journey::conclude() {
  outcome_.uid = tenant_.history().tenant.uid;
  for (const RevisionId& id : itinerary_ ? itinerary_->revisions : std::vector<RevisionId>()) {
    if (applied_.contains(id) != start_.contains(id)) {
      outcome_.done.push_back(id);
    }
  }
  outcome_.to = means_.migrations.graph().current_heads(applied_);
}

bool Journey::may_chain(const ScriptWriter& writer, std::size_t count) const {
  return means_.options.chaining == Chaining::on && tenant_.target().dialect == Dialect::postgres &&
         count < kChainRevisions && writer.bytes() < kChainBytes;
}

// As many transactional units as may travel together: at least one, and a verify ends the message.
Journey::Next Journey::run_chain() {
  ScriptWriter writer = begin_message();
  const bool patient_server = tenant_.target().dialect == Dialect::postgres &&
                              tenant_.session().info().server_version >= kChainServer;
  std::size_t step = step_;
  std::size_t unit = unit_;
  for (std::size_t count = 0; step < steps_.size(); ++count) {
    const Unit& next = steps_[step].units[unit];
    if (next.kind != Unit::Kind::transaction ||
        (count > 0 && (next.has_verify() || !patient_server || !may_chain(writer, count)))) {
      break;
    }
    if (count > 0 && unit == 0) {
      writer.settle(ScriptWriter::Resets::yes);
    }
    writer.transaction(steps_[step], step, unit);
    if (++unit == steps_[step].units.size()) {
      ++step;
      unit = step < steps_.size() ? steps_[step].first_unit : 0;
    }
    if (next.has_verify()) {
      break;
    }
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
  ++epoch_;
  for (; step_ < steps_.size(); ++step_) {
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
  if (sent.finding) {
    tenant_.roll_back();
    const Line& line = lines[sent.lines_done];
    const bool moved = line.role == Line::Role::fence || line.role == Line::Role::record;
    return moved ? look_again() : fail(*sent.finding);
  }
  if (!tenant_.alive()) {
    return after_lost_session(*sent.error);
  }
  tenant_.roll_back();
  tenant_.set_settled(false);
  return after_server_error(lines[std::min(sent.lines_done, lines.size() - 1)], *sent.error);
}

Journey::Next Journey::after_server_error(const Line& line, const SqlError& error) {
  const bool division = error.sqlstate == "22012";
  const bool fenced = line.role == Line::Role::fence && division;
  const bool guarded = line.role == Line::Role::record && (division || error.sqlstate == "23505");
  if (fenced || guarded) {
    return look_again();
  }
  return retry_or_fail(fault_at(line, error));
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

/// The session is gone, and a commit may have been under way. Only the history can tell, and only
/// under the tenant's lock, which an orphan of ours holds until it is gone.
Journey::Next Journey::after_lost_session(const SqlError& error) {
  TenantFault lost = fault_from(error, "the tenant's session");
  const bool stopped = error.origin == SqlError::Origin::stopped;
  const bool timed_out = error.origin == SqlError::Origin::deadline;
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
  if (stopped) {
    const bool partial = !tenant_.history().tenant.in_progress.empty();
    applied_ = tenant_.history().applied_ids();
    outcome_.kind = partial ? ApplyOutcome::Kind::partial : ApplyOutcome::Kind::failed;
    outcome_.fault = std::move(lost);
    return Next::give_up;
  }
  const int most = timed_out ? means_.options.timeout_attempts - 1 : kMostReconnects;
  return ++reconnects_ > most ? fail(std::move(lost)) : Next::replan;
}

Patience Journey::recovery_patience() const {
  if (patience_.stop.stop_requested()) {
    return {means_.clock.now() + kLastLook, {}};
  }
  return patience_;
}

ScriptWriter Journey::begin_message() {
  context_.settings = tenant_.settings();
  ScriptWriter writer(context_, epoch_);
  if (!tables_exist_) {
    writer.create_tables(means_.options.approach.environment, means_.options.approach.production);
  }
  settle(writer);
  return writer;
}

/// What the last revision left is taken away before the next one begins, never inside of one.
void Journey::settle(ScriptWriter& writer) {
  const bool fresh_revision = step_ >= steps_.size() || unit_ == steps_[step_].first_unit;
  if (tenant_.needs_reset() && fresh_revision) {
    writer.settle(ScriptWriter::Resets::yes);
  } else if (!tenant_.settled()) {
    writer.settle(ScriptWriter::Resets::no);
  }
}

// Sends runs of lines; each run ends at a line whose answer decides whether the next may be sent.
Journey::Sent Journey::send(const std::vector<Line>& lines) {
  for (std::size_t from = 0; from < lines.size();) {
    std::size_t to = from;
    while (to < lines.size() && lines[to++].expect == Line::Expect::nothing) {
    }
    Exchange answer = send_some(lines, from, to);
    if (!answer.ok()) {
      return {from + answer.results.size(), std::move(answer.error), {}};
    }
    if (auto finding = unmet(lines[to - 1], answer.results.back())) {
      return {to - 1, {}, std::move(finding)};
    }
    from = to;
  }
  return {lines.size(), {}, {}};
}

Exchange Journey::send_some(const std::vector<Line>& lines, std::size_t from, std::size_t to) {
  std::vector<Statement> statements;
  statements.reserve(to - from);
  Milliseconds limit = kGrace;
  for (std::size_t i = from; i < to; ++i) {
    statements.push_back(lines[i].view());
    if (lines[i].theirs != nullptr) {
      limit += context_.statement_timeout;
    }
  }
  const std::int64_t pid = tenant_.session().info().backend_pid;
  means_.watch.begin(tenant_.target(), pid);
  Exchange answer = tenant_.exchange(
      statements, {std::min(patience_.deadline, means_.clock.now() + limit), patience_.stop});
  const std::optional<Blocker> blocker = means_.watch.end(tenant_.target(), pid);
  if (answer.error) {
    answer.error->blocker = blocker;
  }
  return answer;
}

std::optional<TenantFault> Journey::unmet(const Line& line, const ResultSet& answer) const {
  using Expect = Line::Expect;
  const auto finding = [&](std::string kind, std::string message, std::string hint) {
    TenantFault fault =
        found(ErrorCode::incomplete, std::move(kind), std::move(message), std::move(hint));
    if (line.migration != nullptr) {
      fault.revision = line.migration->id.value;
      if (line.theirs != nullptr) {
        fault.place = line.migration->place_of(*line.theirs, 0);
      }
    }
    return fault;
  };
  const std::string name = line.migration == nullptr ? "" : line.migration->id.value;
  if (line.expect == Expect::one_row_changed && answer.affected != 1) {
    return finding("history_moved", "the tenant's history is not as planned", "Try again.");
  }
  if (line.expect == Expect::no_rows && !answer.rows.empty()) {
    return finding("foreign_key_violation",
                   fmt::format("revision '{}' leaves {} rows of '{}' that point at nothing",
                               name,
                               answer.rows.size(),
                               text_of(answer.rows.front().front())),
                   "Mend the rows in the migration, or before it.");
  }
  if (line.expect != Expect::truth) {
    return std::nullopt;
  }
  const std::string what = fmt::format("verify of revision '{}'", name);
  const std::string hint =
      "Look at the rows that the verify asks for; nothing of its unit is kept.";
  if (answer.rows.empty()) {
    return finding("verify_failed", what + " gave no row", hint);
  }
  if (answer.rows.size() > 1 || answer.rows.front().size() != 1) {
    return finding("verify_failed",
                   fmt::format("{} gave {} rows of {} columns, not one value",
                               what,
                               answer.rows.size(),
                               answer.rows.front().size()),
                   "A verify is a SELECT of one row with one column.");
  }
  const SqlValue& value = answer.rows.front().front();
  if (!value) {
    return finding("verify_failed", what + " gave NULL", hint);
  }
  return truth_of(value) ? std::nullopt
                         : std::optional(finding("verify_failed", what + " is not true", hint));
}

/// Counts what was committed: each commit line ends one unit.
void Journey::advance(const std::vector<Line>& lines, std::size_t lines_done) {
  for (std::size_t i = 0; i < lines_done && i < lines.size(); ++i) {
    if (lines[i].role == Line::Role::fence) {
      tables_exist_ = true;
    }
    if (lines[i].role != Line::Role::commit) {
      continue;
    }
    ++epoch_;
    unit_attempts_ = 0;
    if (++unit_ >= steps_[step_].units.size()) {
      step_finished();
      ++step_;
      unit_ = step_ < steps_.size() ? steps_[step_].first_unit : 0;
    }
  }
}

void Journey::step_finished() {
  const Step& step = steps_[step_];
  const RevisionId& id = step.migration->id;
  statements_done_ = false;
  if (step.direction == Direction::up) {
    applied_.insert(id);
  } else {
    applied_.erase(id);
  }
  if (observer_.on_revision) {
    observer_.on_revision(id, step.direction);
  }
}

TenantFault Journey::fault_at(const Line& line, const SqlError& error) const {
  const Migration* migration = line.migration;
  std::string doing = "writing the history";
  if (migration != nullptr) {
    doing = fmt::format("revision '{}'", migration->id.value);
  }
  TenantFault fault = fault_from(error, doing);
  if (migration != nullptr) {
    fault.revision = migration->id.value;
    if (line.theirs != nullptr) {
      fault.place = migration->place_of(*line.theirs, error.position);
    }
  }
  return fault;
}

Journey::Next Journey::retry_or_fail(TenantFault fault) {
  const bool timeout = fault.kind == "statement_timeout";
  const int most = timeout ? means_.options.timeout_attempts : means_.options.lock_attempts;
  if (fault.fault_class != FaultClass::transient || ++unit_attempts_ >= most) {
    return fail(std::move(fault));
  }
  if (observer_.on_retry) {
    observer_.on_retry(fault);
  }
  ++outcome_.attempts;
  const SteadyTime now = means_.clock.now();
  means_.clock.wait_until(now + retry_pause(unit_attempts_, now.time_since_epoch().count()),
                          patience_.stop);
  return Next::go_on;
}

/// True when the revision under way has units, or statements, that are done and stay.
bool Journey::half_done() const {
  if (step_ >= steps_.size()) {
    return false;
  }
  return unit_ > 0 || statements_done_ || !steps_[step_].recorded;
}

std::string Journey::progress_mark() const {
  return half_done() ? steps_[step_].migration->id.value : std::string();
}

Journey::Next Journey::fail(TenantFault fault) {
  const bool partial = half_done() || fault.kind == "partial";
  outcome_.kind = partial ? ApplyOutcome::Kind::partial : ApplyOutcome::Kind::failed;
  note_failure(fault);
  outcome_.fault = std::move(fault);
  return Next::give_up;
}

/// Leaves a line in the tenant's own event log. Best effort: the outcome says it anyway.
void Journey::note_failure(const TenantFault& fault) {
  if (!tables_exist_ || steps_.empty() || patience_.stop.stop_requested() || !tenant_.alive() ||
      !tenant_.locked()) {
    return;
  }
  ScriptWriter writer = begin_message();
  std::vector<OwnedStatement> rows{
      tenant_.tables().add_event("failure", fault.revision, context_.by, fault.message)};
  if (under_way_) {  // the server refused it, so it did not happen
    rows.push_back(tenant_.tables().forget_step(*under_way_));
  }
  writer.administer(rows, progress_mark());
  if (send(writer.take()).ok()) {
    ++epoch_;
  } else {
    tenant_.roll_back();
  }
}

}  // namespace drover::engine

#include "engine/journey.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/session_hygiene.h"
#include "engine/sql_value.h"

namespace drover::engine {
namespace {

/// How long a run that was stopped, or ran out of time, waits to learn what became of its commit.
constexpr Milliseconds kLastLook{10'000};

constexpr std::string_view kLapsed = "this process no longer holds the run, so it starts nothing";

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
  context_.lock_timeout = means.options.approach.lock_timeout;
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
  start_ = applied_ = held();
  outcome_.fault = tenant_.identity_fault();
  if (outcome_.fault || !read_undone_by_run()) {
    return false;
  }
  outcome_.from = heads_before_run();
  return true;
}

/// A run that was cut short and goes on has changed the tenant already. The history says what it
/// did; what it undid is in the log.
bool Journey::read_undone_by_run() {
  const std::string& run = means_.options.by.run;
  const bool matters =
      goal_.direction == Direction::down &&
      (means_.options.goes_on == GoesOn::yes || goal_.relative() || tenant_.target().planned);
  if (!matters || run.empty() || !tenant_.history().exists) {
    return true;
  }
  const Exchange undone = tenant_.exchange({tenant_.tables().read_undone(run)}, patience_);
  if (!undone.ok()) {
    outcome_.fault = fault_from(*undone.error, "reading the history");
    return false;
  }
  for (const auto& row : undone.results.front().rows) {
    undone_by_run_.insert(RevisionId{text_of(row.front())});
  }
  return true;
}

std::vector<RevisionId> Journey::heads_before_run() const {
  RevisionSet before = undone_by_run_;
  const std::string& run = means_.options.by.run;
  for (const AppliedRevision& row : tenant_.history().applied) {
    if (run.empty() || row.run != run || goal_.direction == Direction::down) {
      before.insert(row.id);
    }
  }
  return means_.migrations.graph().current_heads(before);
}

/// What counts as applied. For one who goes down that is also a revision which is half done, when
/// it is to be undone: "-1" then means that one.
RevisionSet Journey::held() {
  const History& history = tenant_.history();
  RevisionSet ids = history.applied_ids();
  const RevisionId id = history.half_done();
  const bool undo =
      goal_.direction == Direction::down &&
      (goal_.from_partial == FromPartial::yes || direction_in_progress(history) == Direction::down);
  half_.reset();
  if (undo && means_.migrations.find(id) != nullptr && ids.insert(id).second) {
    half_ = id;
  }
  return ids;
}

bool Journey::choose_itinerary() {
  const History& history = tenant_.history();
  outcome_.fault = history_fault(means_.migrations, tenant_.target().dialect, history);
  RevisionSet start = start_;
  const bool resolvable = !outcome_.fault;
  if (resolvable && goal_.relative()) {
    add_this_runs_work(start);
  }
  if (resolvable) {
    itinerary_ = itinerary_for(means_.migrations, start, goal_);
    outcome_.fault = itinerary_->revisions.empty() ? std::nullopt : changed_since_plan();
  }
  return resolvable && !outcome_.fault;
}

/// What this run itself did before it was cut short is no change.
std::optional<TenantFault> Journey::changed_since_plan() const {
  const std::optional<PlannedStart>& planned = tenant_.target().planned;
  const History& history = tenant_.history();
  const bool ours =
      std::any_of(history.applied.begin(), history.applied.end(), [&](const AppliedRevision& row) {
        return !row.run.empty() && row.run == means_.options.by.run;
      });
  if (!planned || ours || !undone_by_run_.empty()) {
    return std::nullopt;
  }
  PlannedStart now{history.tenant.epoch, {}};
  for (const RevisionId& id : outcome_.from) {
    now.heads.push_back(id.value);
  }
  std::sort(now.heads.begin(), now.heads.end());
  if (now == *planned) {
    return std::nullopt;
  }
  const auto names = [](const std::vector<std::string>& heads) {
    return heads.empty() ? std::string("base") : fmt::format("{}", fmt::join(heads, ", "));
  };
  return found(ErrorCode::incomplete,
               "changed_since_plan",
               now.heads == planned->heads
                   ? fmt::format("the tenant's history has changed since the run was planned, and "
                                 "is at {} again",
                                 names(now.heads))
                   : fmt::format("the tenant is at {}, and was at {} when the run was planned",
                                 names(now.heads),
                                 names(planned->heads)),
               "Make a new plan for it.");
}

/// What this run did before it was cut short does not count as where the tenant started.
void Journey::add_this_runs_work(RevisionSet& start) const {
  const std::string& run = means_.options.by.run;
  if (goal_.direction == Direction::down) {
    start.insert(undone_by_run_.begin(), undone_by_run_.end());
    return;
  }
  for (const AppliedRevision& row : tenant_.history().applied) {
    if (!run.empty() && row.run == run) {
      start.erase(row.id);
    }
  }
}

bool Journey::plan() {
  const auto make = [&] {
    return plan_tenant(means_.migrations,
                       tenant_.target().dialect,
                       tenant_.history(),
                       *itinerary_,
                       means_.options.transaction,
                       goal_.from_partial);
  };
  TenantPlan plan = make();
  const bool idle = !plan.fault && plan.steps.empty();
  if (!idle && !tenant_.locked()) {  // someone is at work, and may leave it otherwise
    plan.fault = tenant_.lock(patience_);
    if (plan.fault && !tenant_.alive() && !patience_is_over()) {
      plan.fault = tenant_.come_back(patience_);
    }
    plan = plan.fault ? std::move(plan) : make();
    if (messages_ == 0) {  // what someone else did meanwhile is not ours
      start_ = held();
      outcome_.from = heads_before_run();
    }
  }
  applied_ = held();
  plan.fault = plan.fault ? std::move(plan.fault) : nobody_for_batches(plan.steps);
  start_on(std::move(plan.steps));
  if (plan.fault) {
    fail(std::move(*plan.fault));
    return false;
  }
  if (steps_.empty()) {
    outcome_.kind = applied_ == start_ ? ApplyOutcome::Kind::current : ApplyOutcome::Kind::applied;
  }
  return !steps_.empty() && cleared();
}

/// Whether the caller lets the first change happen. Nothing is written where it does not, not even
/// to the tenant's own log.
bool Journey::cleared() {
  if (!observer_.before_change || cleared_at_ == epoch_) {
    return true;
  }
  outcome_.fault = patience_is_over() ? out_of_patience()
                                      : observer_.before_change(tenant_.history(), patience_);
  cleared_at_ = epoch_;
  if (outcome_.fault) {
    outcome_.kind = half_done() ? ApplyOutcome::Kind::partial : ApplyOutcome::Kind::failed;
  }
  return !outcome_.fault;
}

void Journey::start_on(std::vector<Step> steps) {
  const TenantRow& row = tenant_.history().tenant;
  epoch_ = row.epoch;
  outcome_.uid = row.uid;
  at_batch_ = row.at_batch;
  tables_exist_ = tenant_.history().exists;
  steps_ = std::move(steps);
  step_ = 0;
  unit_ = steps_.empty() ? 0 : steps_.front().first_unit;
  statements_done_ = !steps_.empty() && steps_.front().first_statement > 1;
  ended_.reset();
  under_way_.reset();
  instead_.clear();
}

Journey::Next Journey::run_plan() {
  Next next = Next::go_on;
  while (next == Next::go_on && step_ < steps_.size()) {
    if (patience_is_over()) {
      return fail(out_of_patience());
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
  switch (step.units[unit_].kind) {
    case Unit::Kind::statements:
      return run_statements();
    case Unit::Kind::batch:
      return run_batch();
    case Unit::Kind::transaction:
      break;
  }
  return run_chain();
}

void Journey::conclude() {
  for (const RevisionId& id : itinerary_ ? itinerary_->revisions : std::vector<RevisionId>()) {
    if (applied_.contains(id) != start_.contains(id)) {
      outcome_.done.push_back(id);
    }
  }
  if (outcome_.uid.empty()) {
    outcome_.uid = tenant_.history().tenant.uid;
  }
  RevisionSet whole = applied_;
  if (half_) {
    whole.erase(*half_);
  }
  outcome_.to = means_.migrations.graph().current_heads(whole);
}

bool Journey::patience_is_over() const {
  return patience_.stop.stop_requested() || means_.clock.now() >= patience_.deadline ||
         !may_start();
}

bool Journey::may_start() const {
  return !means_.options.may_start || means_.options.may_start();
}

TenantFault Journey::out_of_patience() const {
  if (!may_start()) {
    return found(ErrorCode::halted,
                 "interrupted",
                 std::string(kLapsed),
                 "See drover runs for who goes on with the run.");
  }
  if (patience_.stop.stop_requested()) {
    return found(ErrorCode::halted,
                 "interrupted",
                 "the run was stopped before the tenant was done",
                 "Resume the run to go on.");
  }
  return found(ErrorCode::incomplete,
               "deadline_exceeded",
               "the time for this tenant was over before it was done",
               "Give it more time, and run the same command again.");
}

Patience Journey::recovery_patience() const {
  return patience_is_over() ? Patience{means_.clock.now() + kLastLook, {}} : patience_;
}

/// True when the revision under way has units, or statements, that are done and stay.
bool Journey::half_done() const {
  return step_ < steps_.size() && (unit_ > 0 || statements_done_ || !steps_[step_].recorded);
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

/// The tenant is left as it is, and asked once more what that is.
Journey::Next Journey::fail(TenantFault fault) {
  note_failure(fault);
  bool partial = half_done();
  if (tenant_.alive() && tenant_.locked() && !tenant_.reread(recovery_patience())) {
    partial = !tenant_.history().half_done().value.empty();
    applied_ = held();
  }
  outcome_.kind = partial ? ApplyOutcome::Kind::partial : ApplyOutcome::Kind::failed;
  outcome_.fault = std::move(fault);
  return Next::give_up;
}

/// Leaves a line in the tenant's own event log. Best effort: the outcome says it anyway.
void Journey::note_failure(const TenantFault& fault) {
  const bool possible = tables_exist_ && tenant_.alive() && tenant_.locked();
  if (!possible || steps_.empty() || patience_is_over() || fault.code == ErrorCode::busy) {
    return;
  }
  ScriptWriter writer = begin_message();
  std::vector<OwnedStatement> rows{
      tenant_.tables().add_event("failure", fault.revision, context_.by, fault.message)};
  if (ended_) {
    rows.push_back(tenant_.tables().step_done(*ended_));
  }
  if (under_way_) {  // the server refused it, so it did not happen
    rows.push_back(tenant_.tables().forget_step(*under_way_));
    rows.push_back(tenant_.tables().forget_progress_without_steps());
  }
  writer.administer(rows, std::nullopt);
  if (!send(writer.take()).ok()) {
    tenant_.roll_back();
  }
}

}  // namespace drover::engine

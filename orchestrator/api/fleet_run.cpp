#include "orchestrator/api/fleet_run.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "engine/base/sha256.h"
#include "engine/postgres/pg_blocker_watch.h"
#include "engine/revision_ref.h"
#include "orchestrator/api/backup_desk.h"
#include "orchestrator/api/fleet_checks.h"
#include "orchestrator/api/fleet_hooks.h"
#include "orchestrator/api/fleet_plan.h"
#include "orchestrator/api/fleet_status.h"
#include "orchestrator/api/fleet_worker.h"
#include "orchestrator/api/hooked_worker.h"
#include "orchestrator/api/no_journal.h"
#include "orchestrator/api/run_backups.h"
#include "orchestrator/api/run_batches.h"
#include "orchestrator/api/run_news.h"
#include "orchestrator/api/this_process.h"
#include "orchestrator/gates/http_url.h"
#include "orchestrator/gates/window.h"
#include "orchestrator/plan/plan_file.h"
#include "orchestrator/run/coordinator.h"
#include "orchestrator/run/pool_dispatcher.h"

namespace drover::orchestrator {
namespace {

/// What else a resumed run must do alike, as words.
std::string options_text(const FleetRunRequest& request) {
  std::string text;
  const auto add = [&text](bool on, std::string_view word) {
    if (on) {
      text += text.empty() ? "" : " ";
      text += word;
    }
  };
  add(request.goal.from_partial == engine::FromPartial::yes, "from_partial");
  add(request.transaction == engine::TransactionMode::all, "single_transaction");
  add(request.chaining == engine::Chaining::off, "no_chain");
  add(request.create_files, "create_files");
  return text;
}

void take_options(const std::string& text, FleetRunRequest& request) {
  const auto says = [&text](std::string_view word) { return text.find(word) != std::string::npos; };
  request.goal.from_partial =
      says("from_partial") ? engine::FromPartial::yes : engine::FromPartial::no;
  request.transaction = says("single_transaction") ? engine::TransactionMode::all
                                                   : engine::TransactionMode::per_revision;
  request.chaining = says("no_chain") ? engine::Chaining::off : engine::Chaining::on;
  request.create_files = says("create_files");
}

constexpr std::string_view kRollback = "rollback";

/// For so long a tenant that had nothing to do when it was asked need not be asked again.
constexpr std::chrono::seconds kPlanIsFresh{30};

/// Outcomes that a run which goes on leaves as they are. Whoever goes on with a run that halted
/// because too many failed wants to see those tried again; one that lacked a backup was not
/// touched.
bool is_settled(const JournalTenant& tenant, const RunRecord& run, RetryFailed retry) {
  constexpr Outcome kSettled[] = {
      Outcome::applied, Outcome::current, Outcome::skipped, Outcome::held, Outcome::vanished};
  const bool retried = retry == RetryFailed::yes ||
                       run.exit_status == static_cast<int>(ErrorCode::halted) ||
                       tenant.outcome.reason == kNoBackup;
  const Outcome outcome = tenant.outcome.outcome;
  return tenant.finished &&
         ((outcome == Outcome::failed && !retried) ||
          std::find(std::begin(kSettled), std::end(kSettled), outcome) != std::end(kSettled));
}

void refuse_without_failures(const std::vector<JournalTenant>& tenants, const RunRecord& run) {
  const bool all_settled = std::all_of(tenants.begin(), tenants.end(), [&](const auto& tenant) {
    return is_settled(tenant, run, RetryFailed::yes);
  });
  if (all_settled) {
    throw Error(ErrorCode::usage,
                "nothing_to_retry",
                fmt::format("no tenant of run {} failed", run.id.value),
                "See drover runs for what became of them.");
  }
}

/// Nothing starts in the last `margin` of a window, so one that is no longer would never let
/// anything start.
void check_window_length(const Stage& stage, std::chrono::milliseconds margin) {
  using std::chrono::minutes;
  constexpr minutes kDay{24 * 60};
  const minutes length = (stage.window->to - stage.window->from + kDay) % kDay;
  if (length <= margin) {
    throw Error(
        ErrorCode::usage,
        "window_too_short",
        fmt::format("the window of stage '{}' is open for {} min, and nothing starts in its "
                    "last {} min",
                    stage.name,
                    length.count(),
                    std::chrono::ceil<minutes>(margin).count()),
        "Open it for longer, or lower timeouts.statement, which is that margin.",
        stage.place);
  }
}

}  // namespace

void refuse_restore(const RunRecord& run) {
  if (run.request.verb == "restore") {
    throw Error(ErrorCode::usage,
                "run_is_restore",
                fmt::format("run {} put tenants back from backups, and is no run of migrations",
                            run.id.value),
                "Say drover restore again: it goes on with each tenant where it was.");
  }
}

FleetRun::FleetRun(Workspace& workspace, FleetRunRequest request)
    : workspace_(workspace), request_(std::move(request)), owner_(this_process()) {
  if (request_.rollback_of) {
    take_rollback();
    return;
  }
  migrations_ = workspace_.migrations();
  digest_ = migrations_->digest();
  if (request_.plan) {
    take_plan();
  }
}

FleetRun::FleetRun(Workspace& workspace, const std::optional<std::string>& id, RetryFailed retry)
    : workspace_(workspace), retry_(retry), owner_(this_process()) {
  Journal& store = journal();
  const std::string& environment = workspace_.environment().name;
  const std::optional<RunRecord> record = record_to_go_on_with(store, id);
  if (!record) {
    throw Error(ErrorCode::usage,
                "unknown_run",
                fmt::format("there is no run of environment '{}' to go on with", environment),
                "See drover runs for what there is.");
  }
  if (record->request.environment != environment) {
    throw Error(ErrorCode::usage,
                "unknown_run",
                fmt::format("run {} belongs to environment '{}', and this is '{}'",
                            record->id.value,
                            record->request.environment,
                            environment),
                fmt::format("Say -e {}.", record->request.environment));
  }
  adopt(store, *record);
}

/// The run that is meant, if there is one.
std::optional<RunRecord> FleetRun::record_to_go_on_with(Journal& store,
                                                        const std::optional<std::string>& id) {
  const std::string& environment = workspace_.environment().name;
  if (retry_ == RetryFailed::no) {
    return id ? std::optional(store.run(*id)) : store.resumable(environment);
  }
  const std::vector<RunRecord> newest = store.runs(environment, 1);
  if (!id || newest.empty()) {
    return newest.empty() ? std::nullopt : std::optional(newest.front());
  }
  RunRecord record = store.run(*id);
  if (record.request.environment == environment && record.id != newest.front().id) {
    throw Error(ErrorCode::usage,
                "not_the_newest_run",
                fmt::format("run {} is not the newest of environment '{}', run {} came after it",
                            record.id.value,
                            environment,
                            newest.front().id.value),
                "Start a new run for the tenants that are left: drover upgrade --tenant.");
  }
  return record;
}

FleetRun::~FleetRun() = default;

std::string FleetRun::verb() const {
  if (request_.rollback_of) {
    return std::string(kRollback);
  }
  return request_.goal.direction == engine::Direction::up ? "upgrade" : "downgrade";
}

Journal& FleetRun::journal() {
  if (Journal* kept = workspace_.journal()) {
    return *kept;
  }
  if (!no_journal_) {
    no_journal_ = std::make_unique<NoJournal>();
  }
  return *no_journal_;
}

void FleetRun::check() {
  const RolloutOptions rollout = rollout_of(workspace_.environment());
  for (const Stage& stage : rollout.stages) {
    if (stage.window) {
      gates::check_window(*stage.window, stage.place);
      check_window_length(stage, workspace_.environment().timeouts.statement);
    }
    for (const Check& check : stage.gate.checks) {
      const auto* http = std::get_if<HttpProbe>(&check.what);
      if (http != nullptr && !gates::is_checkable_url(http->url)) {
        throw Error(
            ErrorCode::usage,
            "invalid_setting",
            fmt::format("the gate of stage '{}' has an http url that cannot be asked", stage.name),
            "Write http://HOST:PORT/PATH; for anything else, https too, use a command.",
            stage.place);
      }
    }
  }
  if (!request_.goal.relative() && !request_.rollback_of) {
    if (request_.goal.direction == engine::Direction::up) {
      engine::resolve_upgrade(migrations_->graph(), request_.goal.target, {});
    } else {
      engine::resolve_downgrade(migrations_->graph(), request_.goal.target, {});
    }
  }
}

/// One tenant that cannot go back stops all of them, before anything is undone. A plan tells what
/// will be; without one the tenants are asked.
void FleetRun::refuse_irreversible(engine::SteadyTime deadline) {
  if (request_.goal.direction == engine::Direction::up) {
    return;
  }
  for (const auto& [id, count] :
       plan_ ? tenants_by_revision(*plan_) : forecast({deadline, {}}).revisions) {
    const engine::Migration& migration = *migrations_->find(id);
    if (migration.irreversible) {
      const std::string whose =
          request_.rollback_of ? "" : fmt::format(", and {} tenants have it", count);
      throw Error(
          ErrorCode::usage,
          "irreversible",
          fmt::format(
              "revision '{}' cannot be undone{}: {}", id.value, whose, *migration.irreversible),
          "Go down only to a revision after it, or restore a backup.",
          {migration.source.generic_string(), 0, 0});
    }
  }
}

Limits FleetRun::limits() const {
  Limits limits = workspace_.environment().limits;
  limits.in_flight = std::min(limits.in_flight, request_.in_flight.value_or(limits.in_flight));
  limits.per_server = std::min(limits.per_server, request_.per_server.value_or(limits.per_server));
  if (workspace_.single_target()) {
    limits.server_pause =
        std::chrono::milliseconds(0);  // nobody else waits; say at once that it is down
  }
  return limits;
}

RunForecast FleetRun::forecast(const engine::Patience& patience) {
  RunForecast forecast;
  forecast.total = request_.tenants.size();
  const bool up = request_.goal.direction == engine::Direction::up;
  for (const TenantStanding& standing : standings(request_.tenants, usual_target(), patience)) {
    const bool made =
        up && request_.create_files && standing.fault && standing.fault->kind == "file_missing";
    if (standing.fault && !made) {
      ++forecast.unfit;
      continue;
    }
    std::vector<engine::RevisionId> steps = standing.pending;
    if (made) {
      steps = engine::itinerary_for(*migrations_, {}, request_.goal).revisions;
    }
    if (!up) {
      const engine::RevisionSet applied = migrations_->graph().closure(standing.current);
      steps = engine::itinerary_for(*migrations_, applied, request_.goal).revisions;
    }
    forecast.to_change += steps.empty() ? 0U : 1U;
    for (const engine::RevisionId& id : steps) {
      ++forecast.revisions[id];
    }
  }
  return forecast;
}

RunRequest FleetRun::run_request() const {
  RunRequest wanted;
  wanted.environment = workspace_.environment().name;
  wanted.verb = verb();
  wanted.target = request_.goal.target;
  wanted.digest = digest_;
  wanted.options = options_text(request_);
  wanted.plan = plan_ ? plan::to_text(*plan_) : std::string();
  for (const Tenant& tenant : request_.tenants) {
    wanted.tenants.push_back(tenant.id);
  }
  for (const TenantOutcome& vanished : settled_) {
    wanted.tenants.push_back(vanished.id);
  }
  for (const engine::Migration& migration : migrations_->in_order()) {
    const std::string sum = engine::base::sha256_hex(*migration.text);
    wanted.texts.emplace(sum, *migration.text);
    wanted.files.emplace(migration.source.filename().string(), sum);
  }
  return wanted;
}

void FleetRun::begin(Journal& journal) {
  const RunRequest wanted = run_request();
  if (take_up_equal_run(journal, wanted)) {
    return;
  }
  lease_taken_ = workspace_.clock().now();
  id_ = journal.begin_run(wanted, owner_);
}

/// The same command after a crash goes on with the run that it was. Another command leaves it
/// behind: what it was to do may no longer be what people want.
bool FleetRun::take_up_equal_run(Journal& journal, const RunRequest& wanted) {
  const std::optional<RunRecord> old = journal.resumable(wanted.environment);
  if (!old) {
    return false;
  }
  if (request_.plan && journal.plan_of(old->id) != plan::to_text(*request_.plan)) {
    journal.finish_run(old->id, RunState::abandoned, old->exit_status);
    return false;
  }
  const RunRequest& was = old->request;
  std::set<TenantId> tenants(wanted.tenants.begin(), wanted.tenants.end());
  const std::vector<JournalTenant> known = journal.tenants_of(old->id);
  const bool same_tenants =
      known.size() == tenants.size() &&
      std::all_of(known.begin(), known.end(), [&](const JournalTenant& tenant) {
        return tenants.contains(tenant.outcome.id);
      });
  const bool same = was.verb == wanted.verb && was.target == wanted.target &&
                    was.digest == wanted.digest && was.options == wanted.options && same_tenants &&
                    has_our_stages(journal, *old);
  if (same) {
    adopt(journal, *old);
    return true;
  }
  journal.finish_run(old->id, RunState::abandoned, old->exit_status);
  return false;
}

void FleetRun::adopt(Journal& journal, const RunRecord& record) {
  refuse_restore(record);
  plan_.reset();
  if (const std::string text = journal.plan_of(record.id); !text.empty()) {
    plan_ = plan::from_text(text, fmt::format("the plan of run {}", record.id.value));
    check_strategy();  // before the run is anybody else's
  }
  lease_taken_ = workspace_.clock().now();
  if (retry_ == RetryFailed::yes) {
    refuse_without_failures(journal.tenants_of(record.id), record);
    journal.reopen(record.id, owner_);
  } else {
    journal.take_over(record.id, owner_);
  }
  id_ = record.id;
  resumed_ = true;
  digest_ = record.request.digest;
  if (record.request.verb == kRollback) {
    request_.rollback_of = record.request.target;
    take_rollback();
    digest_ = record.request.digest;
  } else {
    request_.goal.direction =
        record.request.verb == "downgrade" ? engine::Direction::down : engine::Direction::up;
    request_.goal.target = record.request.target;
  }
  take_options(record.request.options, request_);
  migrations_ = std::make_shared<const engine::MigrationSet>(
      engine::api::load_migrations(journal.texts_of(record.id)));
  std::map<TenantId, const Tenant*> fleet;
  for (const Tenant& tenant : workspace_.fleet()) {
    fleet.emplace(tenant.id, &tenant);
  }
  const std::vector<JournalTenant> known = journal.tenants_of(record.id);
  crashed_starts_ = run::crashed_starts(known);
  if (plan_ && request_.rollback_of) {
    take_targets_of_plan();
  }
  request_.tenants.clear();
  settled_.clear();
  for (const JournalTenant& tenant : known) {
    const auto found = fleet.find(tenant.outcome.id);
    if (is_settled(tenant, record, retry_)) {
      settled_.push_back(tenant.outcome);
    } else if (found != fleet.end()) {
      request_.tenants.push_back(*found->second);
      if (!tenant.started) {
        untouched_.insert(tenant.outcome.id);
      }
    } else {
      TenantOutcome vanished = tenant.outcome;
      vanished.outcome = Outcome::vanished;
      vanished.reason = "not_in_fleet";
      journal.record(TenantFinished{id_, vanished});
      settled_.push_back(std::move(vanished));
    }
  }
}

/// Tenants that are known to have nothing to do are done with that: those of which a plan of our
/// own has just said so, and of a database with several schemas those that a few statements find.
std::vector<Tenant> FleetRun::settle_current(Journal& journal,
                                             run::RunObserver& observer,
                                             engine::SteadyTime deadline) {
  const bool useful = request_.goal.direction == engine::Direction::up &&
                      !request_.goal.relative() && targets_.empty();
  if (!useful) {
    return std::move(request_.tenants);
  }
  std::vector<Tenant> rest;
  for (auto& [tenant, standing] : with_standings(rest, deadline)) {
    using State = engine::TenantState;
    const bool settled = !standing.fault && standing.of_run.empty() &&
                         (tenant.target.uid.empty() || standing.uid == tenant.target.uid) &&
                         standing.pending.empty() &&
                         (standing.state == State::current || standing.state == State::ahead);
    if (!settled) {
      rest.push_back(std::move(tenant));
      continue;
    }
    TenantOutcome outcome;
    outcome.id = tenant.id;
    outcome.server = tenant.target.server;
    outcome.outcome = Outcome::current;
    outcome.from = standing.current;
    outcome.to = standing.current;
    outcome.attempts = 1;
    outcome.uid = tenant.target.uid.empty() ? standing.uid : std::string();
    settle(journal, observer, std::move(outcome));
  }
  return rest;
}

/// The tenants of the request of which it is cheap to say where they stand; the others go to
/// `rest`.
std::vector<std::pair<Tenant, TenantStanding>> FleetRun::with_standings(
    std::vector<Tenant>& rest, engine::SteadyTime deadline) {
  const bool fresh = workspace_.clock().now() - planned_at_ < kPlanIsFresh;
  std::map<std::string, std::size_t> by_database;
  for (const Tenant& tenant : request_.tenants) {
    if (tenant.target.dialect == engine::Dialect::postgres) {
      ++by_database[tenant.target.connection];
    }
  }
  std::vector<std::pair<Tenant, TenantStanding>> known;
  std::vector<Tenant> asked;
  for (Tenant& tenant : request_.tenants) {
    const auto planned = planned_from_.find(tenant.id);
    // What the run has done to one that it had begun with, only a visit tells.
    const bool begun = resumed_ && !untouched_.contains(tenant.id);
    if (!begun && fresh && planned != planned_from_.end()) {
      known.emplace_back(std::move(tenant), std::move(planned->second));
    } else if (!begun && by_database[tenant.target.connection] > 1) {
      asked.push_back(std::move(tenant));
    } else {
      rest.push_back(std::move(tenant));
    }
  }
  planned_from_.clear();
  if (!asked.empty()) {
    std::vector<TenantStanding> found = standings(asked, request_.goal.target, {deadline, {}});
    for (std::size_t i = 0; i < asked.size(); ++i) {
      known.emplace_back(std::move(asked[i]), std::move(found[i]));
    }
  }
  return known;
}

void FleetRun::settle(Journal& journal, run::RunObserver& observer, TenantOutcome outcome) {
  journal.record(TenantFinished{id_, outcome});
  observer.on_tenant(outcome);
  settled_.push_back(std::move(outcome));
}

engine::ExecutorOptions FleetRun::executor_options() const {
  engine::ExecutorOptions options;
  options.approach = workspace_.approach();
  options.approach.create_files = options.approach.create_files || request_.create_files;
  options.by = {engine::api::who_we_are(), id_.value};
  options.goes_on = resumed_ ? engine::GoesOn::yes : engine::GoesOn::no;
  options.transaction = request_.transaction;
  options.chaining = request_.chaining;
  options.concurrent_timeout = workspace_.environment().timeouts.concurrent;
  return options;
}

const Plan* FleetRun::prepare(engine::SteadyTime deadline) {
  if (!prepared_ && !resumed_) {
    check_fleet_requirements(deadline);
    plan_stages(deadline);
    refuse_irreversible(deadline);
    prepared_ = true;
  }
  return plan_ ? &*plan_ : nullptr;
}

run::RunResult FleetRun::run(run::RunObserver& observer, engine::SteadyTime deadline) {
  Journal& store = journal();
  if (!resumed_) {
    prepare(deadline);
    begin(store);
    for (const TenantOutcome& vanished : settled_) {
      store.record(TenantFinished{id_, vanished});
    }
    for (const std::string& approval : request_.approvals) {
      store.record(RunEvent{id_, {}, "plan_approved", approval});
    }
  }
  take_starts();
  const std::map<TenantId, std::string> uids = store.uids(workspace_.environment().name);
  for (Tenant& tenant : request_.tenants) {
    const auto known = uids.find(tenant.id);
    tenant.target.uid = known == uids.end() ? std::string() : known->second;
  }
  settle_held(store, observer);
  std::vector<Tenant> rest = settle_current(store, observer, deadline);
  run::RunResult result = coordinate(store, std::move(rest), observer, deadline);
  for (TenantOutcome& outcome : settled_) {
    result.summary.add(outcome);
    result.tenants.push_back(std::move(outcome));
  }
  settled_.clear();
  forget_old_runs(store, observer);
  return result;
}

/// Best effort: the run is over, and the next one tries again.
void FleetRun::forget_old_runs(Journal& journal, run::RunObserver& observer) {
  try {
    journal.prune(workspace_.options().retention);
  } catch (const Error& error) {
    observer.on_event(fmt::format("old runs stay in the journal: {}", error.what()));
  }
}

run::RunResult FleetRun::coordinate(Journal& journal,
                                    std::vector<Tenant> rest,
                                    run::RunObserver& observer,
                                    engine::SteadyTime deadline) {
  const Limits limit = limits();
  engine::Clock& clock = workspace_.clock();
  engine::postgres::PgBlockerWatch watch(workspace_.sessions());
  PerDatabaseGate gate(clock, limit.concurrent_ddl);
  const auto trust = std::make_shared<run::LeaseTrust>();
  engine::ExecutorOptions options = executor_options();
  options.may_start = [trust, &clock] { return trust->holds(clock.now()); };
  const std::unique_ptr<RunBackups> backups = backups_for(journal);
  run::RunPlan plan;
  RunBatches batches(
      workspace_.sessions(), clock, workspace_.environment().batches, plan.stopping.get_token());
  options.batches = &batches;
  FleetWorker worker(
      {workspace_.sessions(), clock, *migrations_, watch, gate, backups.get(), &batches},
      std::move(options),
      request_.goal,
      rest,
      targets_);
  FleetProbe probe(workspace_.sessions(), workspace_.environment().timeouts.connect);
  FleetHooks hooks(workspace_, journal, {id_, verb(), resumed_}, settled_);
  HookedWorker hooked(worker, hooks);
  run::PoolDispatcher dispatcher(hooked,
                                 std::min(limit.in_flight, std::max<std::size_t>(rest.size(), 1)));
  plan.run = id_;
  plan.trust = trust;
  plan.owner = owner_;
  plan.lease_taken = lease_taken_;
  plan.durations = journal.durations(workspace_.environment().name);
  plan.crashed_starts = crashed_starts_;
  plan.limits = limit;
  plan.failure_budget = default_failure_budget(rest.size());
  plan.probe_timeout = workspace_.environment().timeouts.connect;
  if (plan_) {
    plan.rollout = stages_for(journal, rest);
    for (const PlannedTenant& planned : plan_->tenants) {
      if (planned.bytes > 0) {
        plan.bytes.emplace(planned.id, planned.bytes);
      }
    }
  }
  plan.tenants = std::move(rest);
  hooks.know_stages(plan.rollout, plan.tenants);
  FleetChecks checks(workspace_, journal, id_, plan_ ? &*plan_ : nullptr);
  RunNews news(observer, backups.get(), batches);
  run::Coordinator coordinator(
      clock, dispatcher, probe, journal, news, &checks, backups.get(), &hooks);
  run::RunResult result;
  {
    const run::RunStop::Reach reach(stop_, coordinator);
    result = coordinator.run(plan, {deadline, {}});
  }
  news.tell_rest();
  return result;
}

}  // namespace drover::orchestrator

#include "orchestrator/api/fleet_worker.h"

#include <chrono>
#include <exception>
#include <utility>

#include <fmt/format.h>

#include "engine/readiness.h"

namespace drover::orchestrator {
namespace {

Outcome outcome_named(engine::ApplyOutcome::Kind kind) {
  using Kind = engine::ApplyOutcome::Kind;
  switch (kind) {
    case Kind::current:
      return Outcome::current;
    case Kind::applied:
      return Outcome::applied;
    case Kind::failed:
      return Outcome::failed;
    case Kind::partial:
      return Outcome::partial;
    case Kind::in_doubt:
      return Outcome::in_doubt;
    case Kind::unreachable:
      return Outcome::unreachable;
  }
  return Outcome::failed;
}

}  // namespace

class PerDatabaseGate::Place final : public engine::DdlGate::Pass {
 public:
  Place(PerDatabaseGate& gate, std::string database)
      : gate_(gate), database_(std::move(database)) {}
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() override {
    {
      const std::lock_guard lock(gate_.inside_mutex_);
      --gate_.inside_[database_];
    }
    gate_.left_.notify_all();
  }

 private:
  PerDatabaseGate& gate_;
  const std::string database_;
};

PerDatabaseGate::PerDatabaseGate(engine::Clock& clock, std::size_t limit)
    : clock_(clock), limit_(limit) {}

std::unique_ptr<engine::DdlGate::Pass> PerDatabaseGate::enter(const engine::Target& target,
                                                              const engine::Patience& patience) {
  std::unique_lock lock(inside_mutex_);
  std::size_t& inside = inside_[target.connection];
  const auto has_room = [&] { return inside < limit_; };
  const bool entered = patience.deadline == engine::SteadyTime::max()
                           ? left_.wait(lock, patience.stop, has_room)
                           : left_.wait_until(lock, patience.stop, patience.deadline, has_room);
  if (!entered) {
    return nullptr;
  }
  ++inside;
  return std::make_unique<Place>(*this, target.connection);
}

TenantOutcome outcome_of(const Tenant& tenant, const engine::ApplyOutcome& outcome) {
  TenantOutcome result;
  result.id = tenant.id;
  result.server = tenant.target.server;
  result.outcome = outcome_named(outcome.kind);
  result.from = outcome.from;
  result.to = outcome.to;
  result.attempts = outcome.attempts;
  const bool fits = outcome.kind == engine::ApplyOutcome::Kind::applied ||
                    outcome.kind == engine::ApplyOutcome::Kind::current;
  if (fits && outcome.uid != tenant.target.uid) {
    result.uid = outcome.uid;
  }
  if (result.outcome == Outcome::current && result.from != result.to) {
    result.outcome = Outcome::applied;  // by this run, before it was cut short
  }
  result.fault = outcome.fault;
  if (outcome.fault && outcome.fault->kind == "changed_since_plan") {
    result.outcome = Outcome::skipped;
    result.reason = outcome.fault->kind;
  }
  return result;
}

FleetWorker::FleetWorker(const WorkerMeans& means,
                         engine::ExecutorOptions options,
                         engine::Goal goal,
                         const std::vector<Tenant>& fleet,
                         std::map<TenantId, std::string> targets)
    : clock_(means.clock),
      guard_(means.guard),
      batches_(means.batches),
      goal_(std::move(goal)),
      targets_(std::move(targets)),
      executor_(means.sessions,
                means.clock,
                means.migrations,
                std::move(options),
                means.watch,
                means.ddl_gate) {
  std::set<std::string> seen;
  for (const Tenant& tenant : fleet) {
    const bool postgres = tenant.target.dialect == engine::Dialect::postgres;
    if (postgres && !seen.insert(tenant.target.connection).second) {
      shared_.insert(tenant.target.connection);
    }
  }
}

bool FleetWorker::is_shared(const Tenant& tenant) const {
  return shared_.contains(tenant.target.connection);
}

/// What this thread kept, if it fits the tenant; what does not fit is closed before another session
/// is opened, so that a thread never has two.
engine::KeptSession FleetWorker::take_kept(const Tenant& tenant) {
  engine::KeptSession kept;
  {
    const std::lock_guard lock(kept_mutex_);
    kept = std::exchange(kept_[std::this_thread::get_id()], {});
  }
  return kept.connection == tenant.target.connection ? std::move(kept) : engine::KeptSession{};
}

void FleetWorker::put_kept(engine::KeptSession session) {
  const std::lock_guard lock(kept_mutex_);
  kept_[std::this_thread::get_id()] = std::move(session);
}

/// One tenant's turn while it lasts.
struct FleetWorker::Turn {
  const Tenant& tenant;
  engine::Target target;
  const engine::Patience& patience;
  engine::KeptSession* kept = nullptr;
  bool not_cleared = false;                ///< The guard did not let the tenant be changed.
  engine::SteadyTime::duration waited{0};  ///< For the guard.
};

engine::ApplyOutcome FleetWorker::apply(Turn& turn, const engine::Goal& goal) {
  engine::ApplyObserver observer;
  if (guard_ != nullptr) {
    observer.before_change = [this, &turn](const engine::History& history,
                                           const engine::Patience& patience) {
      const engine::SteadyTime start = clock_.now();
      auto fault = guard_->before_change(turn.tenant, history, patience);
      turn.waited += clock_.now() - start;
      turn.not_cleared = fault && fault->kind != "interrupted";
      return fault;
    };
  }
  if (batches_ != nullptr) {
    observer.on_batch = batches_->observer_for(turn.tenant.id);
  }
  engine::ApplyOutcome outcome =
      executor_.apply(turn.target, facts_of(turn.tenant), goal, turn.patience, turn.kept, observer);
  if (batches_ != nullptr) {
    batches_->tenant_done(turn.tenant.id);
  }
  return outcome;
}

engine::ApplyOutcome FleetWorker::take_turn(Turn& turn, const engine::Goal& goal) {
  if (guard_ == nullptr) {
    return apply(turn, goal);
  }
  const engine::SteadyTime start = clock_.now();
  auto fault = guard_->before_turn(turn.tenant, turn.patience);
  turn.waited += clock_.now() - start;
  if (!fault) {
    return apply(turn, goal);
  }
  turn.not_cleared = fault->kind != "interrupted";
  engine::ApplyOutcome outcome;
  outcome.fault = std::move(fault);
  return outcome;
}

TenantOutcome FleetWorker::work(const Tenant& tenant,
                                int attempt,
                                const engine::Patience& patience) {
  const engine::SteadyTime start = clock_.now();
  Turn turn{tenant, tenant.target, patience};
  TenantOutcome result;
  try {
    engine::KeptSession kept = take_kept(tenant);
    turn.kept = is_shared(tenant) ? &kept : nullptr;
    if (attempt > 1) {
      turn.target.planned.reset();  // what has changed since may be what the first attempt did
    }
    engine::Goal goal = goal_;
    if (const auto own = targets_.find(tenant.id); own != targets_.end()) {
      goal.target = own->second;
    }
    result = outcome_of(tenant, take_turn(turn, goal));
    result.reason = turn.not_cleared ? std::string(kNoBackup) : result.reason;
    after_partial(turn, result);
    if (turn.kept != nullptr) {
      put_kept(std::move(kept));
    }
  } catch (const std::exception& error) {
    engine::ApplyOutcome outcome;
    outcome.fault = engine::fault_from(error);
    result = outcome_of(tenant, outcome);
  }
  result.duration =
      std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - start - turn.waited);
  return result;
}

/// A tenant that will not be tried again, and is between two revisions for good.
void FleetWorker::after_partial(Turn& turn, TenantOutcome& result) {
  const bool stuck = result.outcome == Outcome::partial && result.fault &&
                     result.fault->fault_class == engine::FaultClass::permanent &&
                     result.fault->kind != "interrupted" && !turn.not_cleared &&
                     !turn.patience.stop.stop_requested();
  if (guard_ == nullptr || !stuck || goal_.direction == engine::Direction::down) {
    return;
  }
  const OnPartial wanted = guard_->on_partial(turn.tenant);
  if (wanted == OnPartial::downgrade) {
    take_down(turn, result);
  } else if (wanted == OnPartial::restore) {
    put_back(turn, result);
  }
}

/// Undoes what the run has done to the tenant.
void FleetWorker::take_down(Turn& turn, TenantOutcome& result) {
  if (result.from.size() > 1) {
    result.fault->hint =
        fmt::format("It had {} heads before, and there is no way back to several at once. {}",
                    result.from.size(),
                    result.fault->hint);
    return;
  }
  turn.target.planned.reset();
  engine::Goal back{engine::Direction::down,
                    result.from.empty() ? "base" : result.from.front().value,
                    engine::FromPartial::yes};
  const engine::ApplyOutcome undone = apply(turn, back);
  result.to = undone.to;
  if (undone.fault) {
    result.fault->hint =
        fmt::format("Undoing it failed too: {}. {}", undone.fault->message, result.fault->hint);
    return;
  }
  result.outcome = Outcome::failed;
  result.reason = "downgraded";
}

void FleetWorker::put_back(Turn& turn, TenantOutcome& result) {
  if (turn.kept != nullptr) {
    *turn.kept = {};  // what is put back may take the database's place
  }
  if (const auto fault = guard_->put_back(turn.tenant, turn.patience)) {
    result.fault->hint =
        fmt::format("Putting its backup back failed too: {}. {}", fault->message, fault->hint);
    return;
  }
  result.to = result.from;
  result.outcome = Outcome::failed;
  result.reason = "restored";
}

void FleetWorker::worker_idle() {
  put_kept({});
}

std::optional<engine::SqlError> FleetProbe::probe(const Tenant& any_tenant_of_server,
                                                  const engine::Patience& patience) {
  engine::OpenOptions options;
  options.statement_timeout = connect_timeout_;
  engine::OpenResult opened = sessions_.open(any_tenant_of_server.target, options, patience);
  if (!opened.session) {
    return opened.error;
  }
  const bool postgres = any_tenant_of_server.target.dialect == engine::Dialect::postgres;
  const engine::Statement question{postgres ? "DO $$BEGIN END$$" : "SELECT 1"};
  return opened.session->exchange(std::span(&question, 1), patience).error;
}

std::optional<std::size_t> FleetProbe::free_connections(const Tenant& any_tenant_of_server,
                                                        const engine::Patience& patience) {
  if (any_tenant_of_server.target.dialect == engine::Dialect::sqlite) {
    return std::nullopt;
  }
  engine::OpenOptions options;
  options.purpose = engine::OpenOptions::Purpose::change;  // a pooler has limits of its own
  options.statement_timeout = connect_timeout_;
  engine::OpenResult opened = sessions_.open(any_tenant_of_server.target, options, patience);
  if (!opened.session) {
    return std::nullopt;
  }
  const engine::ServerAnswer answer = engine::read_server_facts(*opened.session, patience);
  if (answer.error) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(std::max<std::int64_t>(answer.facts.connections_free(), 1));
}

}  // namespace drover::orchestrator

#include "tests/simulation/simulation.h"

#include <algorithm>
#include <stdexcept>
#include <variant>

#include "orchestrator/turn.h"
#include "orchestrator/waves.h"

namespace drover::test {

using namespace drover::orchestrator;  // NOLINT(google-build-using-namespace): tests only
using engine::FaultClass;
using engine::SteadyTime;

namespace {

constexpr milliseconds kFarTooLong{std::chrono::hours(24 * 30)};

engine::TenantFault fault(FaultClass fault_class, const std::string& kind) {
  engine::TenantFault result;
  result.fault_class = fault_class;
  result.kind = kind;
  result.message = kind;
  return result;
}

/// Open for a minute, closed for one, and so on.
OpenBetween minute_by_minute(SteadyTime now) {
  constexpr std::chrono::minutes kTwo{2};
  const SteadyTime even(now.time_since_epoch() / kTwo * kTwo);
  const SteadyTime closes = even + std::chrono::minutes(1);
  return now < closes ? OpenBetween{even, closes} : OpenBetween{even + kTwo, closes + kTwo};
}

/// One that a stage's budget counts.
bool is_its_own_failure(const TenantOutcome& outcome) {
  const bool by_server = outcome.fault && outcome.fault->fault_class == FaultClass::server_down;
  return counts_as_failure(outcome) && !by_server;
}

}  // namespace

Simulation::Simulation(std::uint64_t seed, std::size_t size)
    : world_(seed, size), dice_(seed ^ 0x5EEDU), outcomes_(world_.tenants.size()) {
  std::vector<WaveCandidate> candidates;
  for (const SimulatedTenant& one : world_.tenants) {
    candidates.push_back({&one.tenant, "", std::nullopt});
  }
  try {
    places_ = assign_waves(world_.stages, candidates);
  } catch (const Error&) {  // a stage that would be empty: without it
    world_.stages.erase(world_.stages.begin(), world_.stages.end() - 1);
    places_ = assign_waves(world_.stages, candidates);
  }
  kills_left_ = dice_.below(4);
}

milliseconds Simulation::elapsed() const {
  return std::chrono::duration_cast<milliseconds>(now_ - epoch_);
}

void Simulation::check(bool promise, const std::string& broken) const {
  if (!promise) {
    throw std::logic_error(broken);
  }
}

void Simulation::later(milliseconds delay, Happen happen) {
  events_.push({now_ + delay, events_made_++, process_, std::move(happen)});
}

RolloutRules Simulation::rules() const {
  RolloutRules rules;
  rules.seed = static_cast<std::uint32_t>(process_);
  rules.calendar = [](std::size_t, SteadyTime now) { return minute_by_minute(now); };
  const RolloutOptions& options = world_.options;
  if (options.run_budget) {
    rules.budgets.run = count_of(*options.run_budget, world_.tenants.size());
  }
  rules.budgets.server = options.server_budget;
  rules.budgets.fingerprint = options.fingerprint_budget;
  for (const Stage& from : world_.stages) {
    RolloutStage& stage = rules.stages.emplace_back();
    stage.name = from.name;
    stage.limits.in_flight = from.in_flight.value_or(8);
    stage.limits.per_server = 4;
    stage.limits.server_pause = milliseconds(60'000);
    stage.rules.order = from.order;
    stage.rules.delay = from.delay;
    stage.rules.strict = from.budget.strict;
    if (from.budget.failures) {
      stage.rules.failure_budget = from.budget.failures->value;
    }
    stage.gate.soak = from.gate.soak;
    stage.gate.approvals = from.gate.approvals;
    for (const Check& check : from.gate.checks) {
      stage.gate.checks.push_back({check.passes, check.retries, check.interval});
    }
    stage.has_window = from.window.has_value();
  }
  for (std::size_t i = 0; i < places_.size(); ++i) {
    rules.stages[places_[i].stage].tenants.push_back(i);
  }
  return rules;
}

void Simulation::run() {
  do {
    begin_process();
    while (!run_process()) {
      begin_process();
    }
    check_end();
  } while (resume_wanted());
  check(!rollout_->has_gates_left() || halt_, "the run ended before its last gate had passed");
}

void Simulation::begin_process() {
  ++process_;
  std::vector<ScheduledTenant> tenants;
  for (const SimulatedTenant& one : world_.tenants) {
    tenants.push_back({one.tenant.id, one.tenant.target.server, std::nullopt, 0, std::nullopt});
  }
  halt_.reset();
  times_finished_.assign(world_.tenants.size(), 0);
  number_of_server_.clear();
  rollout_ = std::make_unique<Rollout>(std::move(tenants),
                                       continued(rules(), {outcomes_, passed_, approved_by_}));
  carry_out(rollout_->tick(now_));
}

/// What was in flight takes effect, or not: nobody will hear of it.
void Simulation::kill() {
  ++seen_["killed"];
  for (const std::size_t tenant : in_flight_) {
    if (dice_.percent(50)) {
      bool took_effect = false;
      attempt(tenant, took_effect);
      ++seen_[took_effect ? "effect unheard of" : "attempt lost"];
    }
  }
  in_flight_.clear();
  rollout_.reset();
}

/// False when it was killed.
bool Simulation::run_process() {
  const std::size_t mine = process_;
  while (!rollout_->finished()) {
    check(elapsed() < kFarTooLong, "the run does not come to its end");
    if (kills_left_ > 0 && dice_.below(60) == 0) {
      --kills_left_;
      kill();
      return false;
    }
    interfere();
    if (rollout_->finished()) {
      break;
    }
    if (rollout_->paused() && events_.empty()) {
      continue;  // until somebody lets it go on
    }
    const auto wake = rollout_->wake_at();
    check(wake || !events_.empty(), "nothing would ever go on");
    if (events_.empty() || (wake && *wake < events_.top().at)) {
      now_ = std::max(now_, *wake);
      carry_out(rollout_->tick(now_));
      continue;
    }
    const Event event = events_.top();
    events_.pop();
    now_ = std::max(now_, event.at);
    if (event.process == mine) {
      event.happen();
    }
  }
  check(in_flight_.empty(), "the rollout is over, and tenants are under way");
  for (std::size_t i = 0; i < times_finished_.size(); ++i) {
    const bool mine_to_do = times_finished_[i] > 0 || !outcomes_[i];
    check(!mine_to_do || times_finished_[i] == 1,
          "a tenant was finished " + std::to_string(times_finished_[i]) + " times");
  }
  return true;
}

/// People at their terminals.
void Simulation::interfere() {
  if (rollout_->paused()) {
    if (in_flight_.empty() || dice_.percent(20)) {
      now_ += dice_.up_to(milliseconds(60'000));
      ++seen_["went on"];
      carry_out(rollout_->go_on("bob", now_));
    }
    return;
  }
  // In a great fleet more happens, and not more people.
  switch (dice_.below(400 * std::max<std::size_t>(1, world_.tenants.size() / 1'000))) {
    case 0:
      ++seen_["paused"];
      carry_out(rollout_->pause("bob", now_));
      break;
    case 1:
      ++seen_["throttled"];
      carry_out(rollout_->throttle(1 + dice_.below(3), "bob", now_));
      break;
    case 2:
      ++seen_["skipped"];
      carry_out(rollout_->skip(dice_.below(world_.tenants.size()), "no money", now_));
      break;
    case 3:
      mend_and_retry();
      break;
    case 4:
      if (dice_.percent(20)) {
        ++seen_["drained"];
        carry_out(rollout_->drain(now_));
      }
      break;
    default:
      break;
  }
}

/// Somebody has looked at what failed so far.
void Simulation::mend_and_retry() {
  for (std::size_t i = 0; i < outcomes_.size(); ++i) {
    if (outcomes_[i] && counts_as_failure(*outcomes_[i]) && dice_.percent(70)) {
      world_.tenants[i].broken = false;
    }
  }
  carry_out(rollout_->retry_failed("bob", now_));
}

/// After the end: what a person would do about it. False: nothing, it is all done.
bool Simulation::resume_wanted() {
  const bool left = std::any_of(outcomes_.begin(), outcomes_.end(), [](const auto& outcome) {
    return !outcome || outcome->outcome == Outcome::not_started;
  });
  if (!halt_ && !left && !rollout_->has_gates_left()) {
    return false;
  }
  check(process_ < 500, "resuming does not bring the run to its end");
  if (halt_ && halt_->kind == "approval_missing") {
    approved_by_[world_.stages[rollout_->stage()].name].insert("carol");
    ++seen_["approved"];
  }
  const bool halted = halt_ && halt_->code == ErrorCode::halted;
  for (std::size_t i = 0; i < outcomes_.size(); ++i) {
    std::optional<TenantOutcome>& known = outcomes_[i];
    if (known && (known->outcome == Outcome::not_started ||
                  (halted && (counts_as_failure(*known) || is_interrupted(*known))))) {
      known.reset();  // resume tries them again, as after every halt
      if (dice_.percent(80)) {
        world_.tenants[i].broken = false;
      }
    }
  }
  if (halted) {
    failed_.clear();
  }
  in_flight_at_trip_.clear();
  now_ += dice_.up_to(milliseconds(600'000));
  return true;
}

void Simulation::carry_out(RolloutActions actions) {
  for (RolloutAction& action : actions) {
    if (const auto* to_start = std::get_if<StartTenant>(&action)) {
      start(*to_start);
    } else if (auto* to_finish = std::get_if<FinishTenant>(&action)) {
      finish(std::move(*to_finish));
    } else if (const auto* reopened = std::get_if<ReopenTenant>(&action)) {
      reopen(reopened->tenant);
    } else if (const auto* to_probe = std::get_if<ProbeServer>(&action)) {
      probe(*to_probe);
    } else if (const auto* ask = std::get_if<AskCapacity>(&action)) {
      later(milliseconds(3), [this, server = ask->server] {
        carry_out(rollout_->learned_capacity(server, 2 + dice_.below(20), now_));
      });
    } else if (const auto* check = std::get_if<AskCheck>(&action)) {
      ask_check(*check);
    } else if (const auto* moved = std::get_if<StageMoved>(&action)) {
      move(*moved);
    } else if (auto* halted = std::get_if<HaltRun>(&action)) {
      ++seen_["halt: " + halted->halt.kind];
      std::size_t& at_trip = in_flight_at_trip_[rollout_->stage()];
      at_trip = std::max(at_trip, in_flight_.size());
      halt_ = std::move(halted->halt);
    }
  }
}

void Simulation::start(const StartTenant& action) {
  const std::size_t stage = places_[action.tenant].stage;
  check(!halt_, "a tenant was started after the run had halted");
  check(in_flight_.insert(action.tenant).second, "a tenant was started twice at once");
  check(!outcomes_[action.tenant], "a tenant was started that had its outcome");
  for (std::size_t before = 0; before < stage; ++before) {
    check(passed_.contains(world_.stages[before].name),
          "a tenant was started before the gate of an earlier stage had passed");
  }
  if (world_.stages[stage].window) {
    const OpenBetween open = minute_by_minute(now_);
    check(open.opens <= now_ && now_ < open.closes, "a tenant was started outside of its window");
  }
  check_budgets(stage);
  const milliseconds takes = world_.tenants[action.tenant].takes;
  later(takes, [this, tenant = action.tenant] {
    in_flight_.erase(tenant);
    bool took_effect = false;
    carry_out(rollout_->completed(tenant, attempt(tenant, took_effect), now_));
  });
}

TenantOutcome Simulation::attempt(std::size_t tenant, bool& took_effect) {
  SimulatedTenant& one = world_.tenants[tenant];
  TenantOutcome outcome;
  outcome.attempts = 1;
  if (world_.is_down(one.server, elapsed())) {
    ++seen_["server down"];
    outcome.outcome = Outcome::unreachable;
    outcome.fault = fault(FaultClass::server_down, "connection_refused");
    return outcome;
  }
  if (one.dropped > 0) {
    --one.dropped;
    ++seen_["session killed"];
    outcome.outcome = Outcome::failed;
    outcome.fault = fault(FaultClass::session_killed, "admin_shutdown");
    return outcome;
  }
  if (one.broken) {
    ++seen_["broken tenant"];
    outcome.outcome = Outcome::failed;
    outcome.fault = fault(FaultClass::permanent, "cause " + std::to_string(one.cause));
    return outcome;
  }
  took_effect = one.applied == 0;
  outcome.outcome = took_effect ? Outcome::applied : Outcome::current;
  one.applied += took_effect ? 1U : 0U;
  outcome.to = {engine::RevisionId{"0001"}};
  outcome.duration = one.takes;
  return outcome;
}

void Simulation::finish(FinishTenant action) {
  ++times_finished_[action.tenant];
  const std::size_t stage = places_[action.tenant].stage;
  const TenantOutcome& outcome = action.outcome;
  failed_[stage] += is_its_own_failure(outcome) ? 1U : 0U;
  if (outcome.outcome != Outcome::not_started) {
    outcomes_[action.tenant] = std::move(action.outcome);
  }
}

void Simulation::reopen(std::size_t tenant) {
  const std::size_t stage = places_[tenant].stage;
  check(stage == rollout_->stage(), "a tenant of a stage that is over was tried again");
  check(times_finished_[tenant] == 1 && outcomes_[tenant] && counts_as_failure(*outcomes_[tenant]),
        "a tenant was tried again that had not failed");
  ++seen_["retried"];
  --times_finished_[tenant];
  failed_[stage] -= is_its_own_failure(*outcomes_[tenant]) ? 1U : 0U;
  outcomes_[tenant].reset();
}

void Simulation::probe(const ProbeServer& action) {
  const std::size_t server = world_.tenants[action.tenant].server;
  later(milliseconds(20), [this, server, number = action.server] {
    std::optional<engine::SqlError> error;
    if (world_.is_down(server, elapsed())) {
      error.emplace();
      error->origin = engine::SqlError::Origin::connection;
      error->message = "connection refused";
      ++seen_["probe failed"];
    } else {
      ++seen_["probe passed"];
    }
    carry_out(rollout_->probed(number, error, now_));
  });
}

void Simulation::ask_check(const AskCheck& action) {
  later(dice_.up_to(milliseconds(2'000)), [this, action] {
    const std::size_t roll = dice_.below(10);
    const Answer answer =
        roll < 7 ? Answer::pass : (roll < 9 ? Answer::inconclusive : Answer::fail);
    ++seen_[answer == Answer::pass ? "check passed" : "check did not pass"];
    carry_out(rollout_->checked(action, answer, "so said the check", now_));
  });
}

void Simulation::move(const StageMoved& action) {
  const std::string& name = world_.stages[action.stage].name;
  if (action.to == StageMoved::To::passed) {
    passed_.insert(name);
  }
  if (action.to != StageMoved::To::begun) {
    for (const std::size_t tenant : in_flight_) {
      check(places_[tenant].stage != action.stage,
            "a gate was looked at before its stage was done");
    }
  }
}

/// Called when one more is under way.
void Simulation::check_budgets(std::size_t stage) {
  const StageBudget& budget = world_.stages[stage].budget;
  if (!budget.failures) {
    return;
  }
  const std::size_t tolerated = budget.failures->value;
  check(failed_[stage] <= tolerated, "a tenant was started after its stage's budget had tripped");
  if (budget.strict) {
    const auto of_stage = static_cast<std::size_t>(
        std::count_if(in_flight_.begin(), in_flight_.end(), [&](const std::size_t tenant) {
          return places_[tenant].stage == stage;
        }));
    check(failed_[stage] + of_stage <= tolerated + 1,
          "more is under way in a strict stage than may fail");
    ++seen_["strict stage"];
  }
}

void Simulation::check_end() const {
  for (std::size_t i = 0; i < world_.tenants.size(); ++i) {
    const SimulatedTenant& one = world_.tenants[i];
    check(one.applied <= 1, "a tenant was changed twice");
    const bool told_done = outcomes_[i] && (outcomes_[i]->outcome == Outcome::applied ||
                                            outcomes_[i]->outcome == Outcome::current);
    check(!told_done || one.applied == 1, "a tenant is told as done and was never changed");
    check(outcomes_[i] || halt_ || rollout_->stopping(), "a tenant was left without an outcome");
  }
  for (const auto& [stage, failures] : failed_) {
    const StageBudget& budget = world_.stages[stage].budget;
    if (!budget.failures) {
      continue;
    }
    const auto trip = in_flight_at_trip_.find(stage);
    const std::size_t in_flight = trip == in_flight_at_trip_.end() ? 0 : trip->second;
    const std::size_t most = budget.failures->value + 1 + (budget.strict ? 0 : in_flight);
    check(failures <= most, "more tenants of a stage failed than its budget allows");
  }
}

}  // namespace drover::test

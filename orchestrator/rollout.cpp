#include "orchestrator/rollout.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

namespace drover::orchestrator {

using engine::SteadyTime;

namespace {

constexpr std::size_t kInNoStage = std::numeric_limits<std::size_t>::max();

bool asks_anything(const GateRules& gate) {
  return gate.success_percent || gate.soak.count() > 0 || !gate.checks.empty() ||
         gate.approvals > 0;
}

std::string seconds_text(std::chrono::milliseconds duration) {
  return fmt::format("{} s", std::chrono::ceil<std::chrono::seconds>(duration).count());
}

Halt gate_halt(const std::string& stage, const GateWatch::Verdict& verdict) {
  using What = GateWatch::Verdict::What;
  switch (verdict.what) {
    case What::fail:
      return {ErrorCode::halted,
              "gate_failed",
              fmt::format("the gate of stage '{}' failed: {}", stage, verdict.text),
              "Mend what it found, then resume the run: the gate is looked at again."};
    case What::unapproved:
      return {ErrorCode::waiting,
              "approval_missing",
              fmt::format("the gate of stage '{}' waits for a person: {}", stage, verdict.text),
              "Approve the stage, then resume the run."};
    default:
      return {ErrorCode::waiting,
              "gate_inconclusive",
              fmt::format("the gate of stage '{}' cannot tell: {}", stage, verdict.text),
              "Look at the stage, then resume the run: the gate is asked again."};
  }
}

}  // namespace

Rollout::Rollout(std::vector<ScheduledTenant> tenants, RolloutRules rules)
    : rules_(std::move(rules)),
      tenants_(std::move(tenants)),
      place_(tenants_.size()),
      stage_of_(tenants_.size(), kInNoStage),
      budgets_(rules_.budgets) {
  for (std::size_t s = 0; s < rules_.stages.size(); ++s) {
    const std::vector<std::size_t>& members = rules_.stages[s].tenants;
    for (std::size_t i = 0; i < members.size(); ++i) {
      stage_of_.at(members[i]) = s;
      place_.at(members[i]) = i;
    }
  }
  for (const TenantOutcome& failure : rules_.failed_before) {
    budgets_.add(failure);
  }
}

Rollout::~Rollout() = default;

RolloutActions Rollout::tick(SteadyTime now) {
  return settle(now);
}

RolloutActions Rollout::settle(SteadyTime now) {
  if (schedule_) {
    look_at_window(now);
    take(schedule_->tick(now));
    look_for_progress(now);
  }
  while (advance(now)) {
  }
  return std::exchange(actions_, {});
}

/// One step, if one can be taken.
bool Rollout::advance(SteadyTime now) {
  if (phase_ == Phase::over || (schedule_ && !schedule_->finished())) {
    return false;
  }
  if (stopping_) {
    end_early();
    return false;
  }
  switch (phase_) {
    case Phase::before_stage:
      if (paused_) {
        return false;
      }
      begin_stage(now);
      return true;
    case Phase::in_stage:
      end_stage(now);
      return true;
    case Phase::at_gate:
      return pass_gate(now);
    case Phase::over:
      break;
  }
  return false;
}

void Rollout::begin_stage(SteadyTime now) {
  const RolloutStage& stage = rules_.stages[stage_];
  tally_ = stage.before;
  phase_ = Phase::in_stage;
  if (stage.passed && stage.tenants.empty()) {
    return;
  }
  if (!stage.tenants.empty()) {
    actions_.emplace_back(StageMoved{stage_, StageMoved::To::begun});
  }
  ScheduleOptions options = stage.rules;
  options.limits = stage.limits;
  options.seed = rules_.seed + static_cast<std::uint32_t>(stage_);
  options.planned = stage.before.planned;
  options.on_failure = [this](const TenantOutcome& failure) { return budgets_.add(failure); };
  options.on_forgiven = [this](const TenantOutcome& failure) { budgets_.forgive(failure); };
  std::vector<ScheduledTenant> members;
  members.reserve(stage.tenants.size());
  for (const std::size_t tenant : stage.tenants) {
    members.push_back(tenants_[tenant]);
  }
  schedule_ = std::make_unique<Schedule>(std::move(members), options);
  first_server_ = servers_so_far_;
  servers_so_far_ += schedule_->server_count();
  schedule_->trust_lease_until(trusted_until_);
  if (throttled_to_) {
    schedule_->throttle(std::min(*throttled_to_, stage.limits.in_flight));
  }
  for (const std::size_t tenant : stage.tenants) {
    if (const auto found = skipped_.find(tenant); found != skipped_.end()) {
      schedule_->skip(place_[tenant], found->second);
    }
  }
  closes_ = opens_ = SteadyTime::min();
  stalls_at_ = stage.progress_deadline ? now + *stage.progress_deadline : SteadyTime::max();
  look_at_window(now);
  take(schedule_->tick(now));
}

void Rollout::end_stage(SteadyTime now) {
  const RolloutStage& stage = rules_.stages[stage_];
  phase_ = Phase::at_gate;
  if (!stage.passed) {
    gate_.emplace(stage.gate, tally_, now);
    if (asks_anything(stage.gate)) {
      actions_.emplace_back(StageMoved{stage_, StageMoved::To::gate});
    }
    if (paused_) {
      gate_->pause(now);
    }
  }
}

/// True when there is something to go on with.
bool Rollout::pass_gate(SteadyTime now) {
  const RolloutStage& stage = rules_.stages[stage_];
  if (gate_) {
    using What = GateWatch::Verdict::What;
    const GateWatch::Verdict verdict = gate_->look(now);
    if (verdict.what == What::wait) {
      return false;
    }
    if (verdict.what == What::ask) {
      actions_.emplace_back(AskCheck{stage_, verdict.check});
      return false;
    }
    gate_.reset();
    if (verdict.what != What::pass) {
      stop_because(gate_halt(stage.name, verdict), now);
      return true;
    }
    actions_.emplace_back(StageMoved{stage_, StageMoved::To::passed});
  }
  schedule_.reset();
  ++stage_;
  phase_ = stage_ == rules_.stages.size() ? Phase::over : Phase::before_stage;
  return true;
}

/// Whoever has not had a turn will have none in this run.
void Rollout::end_early() {
  const bool begun = phase_ == Phase::in_stage || phase_ == Phase::at_gate;
  gate_.reset();
  for (std::size_t s = stage_ + (begun ? 1 : 0); s < rules_.stages.size(); ++s) {
    for (const std::size_t tenant : rules_.stages[s].tenants) {
      const auto skipped = skipped_.find(tenant);
      const bool skips = skipped != skipped_.end();
      take_finished({tenant,
                     untouched(tenants_[tenant].id,
                               tenants_[tenant].server,
                               skips ? Outcome::skipped : Outcome::not_started,
                               skips ? skipped->second : "")});
    }
  }
  schedule_.reset();
  phase_ = Phase::over;
}

void Rollout::look_at_window(SteadyTime now) {
  if (!rules_.stages[stage_].has_window || now < closes_) {
    return;
  }
  const OpenBetween open = rules_.calendar(stage_, now);
  opens_ = open.opens;
  closes_ = open.closes;
  schedule_->start_between(opens_, closes_);
  if (now < opens_ && !schedule_->finished()) {
    note("window_closed",
         fmt::format("stage '{}' waits for its window", rules_.stages[stage_].name));
  }
}

void Rollout::look_for_progress(SteadyTime now) {
  const RolloutStage& stage = rules_.stages[stage_];
  if (!stage.progress_deadline || stopping_ || schedule_->finished()) {
    return;
  }
  const bool may_work = !paused_ && now >= opens_;
  if (!may_work) {
    stalls_at_ = std::max(stalls_at_, std::max(now, opens_) + *stage.progress_deadline);
  } else if (now >= stalls_at_) {
    stop_because({ErrorCode::waiting,
                  "no_progress",
                  fmt::format("no tenant of stage '{}' was done for {}",
                              stage.name,
                              seconds_text(*stage.progress_deadline)),
                  "See what the tenants under way wait for, then resume the run."},
                 now);
  }
}

void Rollout::stop_because(Halt why, SteadyTime now) {
  if (schedule_ && !schedule_->finished()) {
    take(schedule_->halt(std::move(why), now));
    return;
  }
  if (!std::exchange(stopping_, true)) {
    note("run_halted", why.message);
    actions_.emplace_back(HaltRun{std::move(why)});
  }
}

/// What the schedule wants, in the numbers of the whole run.
void Rollout::take(Actions actions) {
  const std::vector<std::size_t>& members = rules_.stages[stage_].tenants;
  for (Action& action : actions) {
    if (auto* start = std::get_if<StartTenant>(&action)) {
      actions_.emplace_back(StartTenant{members[start->tenant], start->attempt});
    } else if (auto* probe = std::get_if<ProbeServer>(&action)) {
      actions_.emplace_back(ProbeServer{first_server_ + probe->server, members[probe->tenant]});
    } else if (auto* ask = std::get_if<AskCapacity>(&action)) {
      actions_.emplace_back(AskCapacity{first_server_ + ask->server, members[ask->tenant]});
    } else if (auto* finish = std::get_if<FinishTenant>(&action)) {
      take_finished({members[finish->tenant], std::move(finish->outcome)});
    } else if (const auto* reopened = std::get_if<ReopenTenant>(&action)) {
      actions_.emplace_back(ReopenTenant{members[reopened->tenant]});
    } else if (auto* halted = std::get_if<HaltRun>(&action)) {
      stopping_ = true;
      actions_.emplace_back(std::move(*halted));
    } else if (auto* kept = std::get_if<Note>(&action)) {
      actions_.emplace_back(std::move(*kept));
    } else {
      actions_.emplace_back(CancelWork{});
    }
  }
}

void Rollout::take_finished(FinishTenant action) {
  tally_.went_well += went_well(action.outcome) ? 1U : 0U;
  tally_.planned -= was_left_out(action.outcome) && tally_.planned > 0 ? 1U : 0U;
  actions_.emplace_back(std::move(action));
}

RolloutActions Rollout::completed(std::size_t tenant, TenantOutcome outcome, SteadyTime now) {
  if (const auto& deadline = rules_.stages[stage_].progress_deadline) {
    stalls_at_ = now + *deadline;
  }
  take(schedule_->completed(place_.at(tenant), std::move(outcome), now));
  return settle(now);
}

RolloutActions Rollout::probed(std::size_t server,
                               const std::optional<engine::SqlError>& error,
                               SteadyTime now) {
  if (schedule_ && server >= first_server_) {  // else of a stage that is over
    take(schedule_->probed(server - first_server_, error, now));
  }
  return settle(now);
}

RolloutActions Rollout::learned_capacity(std::size_t server,
                                         std::optional<std::size_t> free,
                                         SteadyTime now) {
  if (schedule_ && server >= first_server_) {
    take(schedule_->learned_capacity(server - first_server_, free, now));
  }
  return settle(now);
}

RolloutActions Rollout::checked(const AskCheck& asked,
                                Answer answer,
                                std::string text,
                                SteadyTime now) {
  if (gate_ && asked.stage == stage_) {
    note(answer == Answer::pass ? "check_passed"
                                : (answer == Answer::fail ? "check_failed" : "check_inconclusive"),
         fmt::format("gate of stage '{}': {}", rules_.stages[stage_].name, text));
    gate_->answered(answer, std::move(text), now);
  }
  return settle(now);
}

RolloutActions Rollout::drain(SteadyTime now) {
  stopping_ = true;
  if (schedule_) {
    take(schedule_->drain(now));
  }
  return settle(now);
}

RolloutActions Rollout::cancel(SteadyTime now) {
  stopping_ = true;
  if (schedule_) {
    take(schedule_->cancel(now));
  }
  return settle(now);
}

RolloutActions Rollout::halt(Halt why, SteadyTime now) {
  stop_because(std::move(why), now);
  return settle(now);
}

RolloutActions Rollout::pause(const std::string& who, SteadyTime now) {
  if (!std::exchange(paused_, true)) {
    note("run_paused", fmt::format("{} paused the run: nothing more is started", who));
    if (gate_) {
      gate_->pause(now);
    }
  }
  if (schedule_) {
    schedule_->pause();
  }
  return settle(now);
}

RolloutActions Rollout::go_on(const std::string& who, SteadyTime now) {
  if (std::exchange(paused_, false)) {
    note("run_resumed", fmt::format("{} lets the run go on", who));
    if (gate_) {
      gate_->go_on(now);
    }
  }
  if (schedule_) {
    schedule_->go_on();
  }
  return settle(now);
}

RolloutActions Rollout::retry_failed(const std::string& who, SteadyTime now) {
  const std::size_t before = actions_.size();
  if (schedule_ && !stopping_) {
    take(schedule_->retry_failed(now));
  }
  const auto count = std::count_if(
      actions_.begin() + static_cast<std::ptrdiff_t>(before), actions_.end(), [](const auto& one) {
        return std::holds_alternative<ReopenTenant>(one);
      });
  note("failed_retried",
       count == 0 ? fmt::format("{} wants failed tenants tried again, and the stage under way has "
                                "none",
                                who)
                  : fmt::format("{} has {} failed tenants tried again", who, count));
  if (count > 0 && phase_ == Phase::at_gate) {
    gate_.reset();
    phase_ = Phase::in_stage;
  }
  return settle(now);
}

RolloutActions Rollout::throttle(std::size_t in_flight, const std::string& who, SteadyTime now) {
  throttled_to_ = std::max<std::size_t>(in_flight, 1);
  note("run_throttled",
       fmt::format("{} lets at most {} tenants be under way", who, *throttled_to_));
  if (schedule_) {
    schedule_->throttle(std::min(*throttled_to_, rules_.stages[stage_].limits.in_flight));
  }
  return settle(now);
}

RolloutActions Rollout::skip(std::size_t tenant, const std::string& reason, SteadyTime now) {
  const std::string& id = tenants_.at(tenant).id.value;
  const bool has_turn = stage_of_[tenant] != kInNoStage;
  const bool later =
      stage_of_[tenant] > stage_ || (stage_of_[tenant] == stage_ && phase_ == Phase::before_stage);
  bool done = has_turn && later && phase_ != Phase::over;
  if (done) {
    skipped_[tenant] = reason;
  } else if (stage_of_[tenant] == stage_ && schedule_) {
    done = schedule_->skip(place_[tenant], reason);
  }
  note(done ? "tenant_skipped" : "skip_refused",
       done ? fmt::format("tenant '{}' is left out: {}", id, reason)
            : fmt::format("tenant '{}' is not left out: its turn has come already", id),
       id);
  return settle(now);
}

bool Rollout::has_gates_left() const noexcept {
  return std::any_of(
      rules_.stages.begin() + static_cast<std::ptrdiff_t>(stage_),
      rules_.stages.end(),
      [](const RolloutStage& stage) { return asks_anything(stage.gate) && !stage.passed; });
}

void Rollout::trust_lease_until(SteadyTime until) noexcept {
  trusted_until_ = until;
  if (schedule_) {
    schedule_->trust_lease_until(until);
  }
}

std::optional<SteadyTime> Rollout::wake_at() const noexcept {
  std::optional<SteadyTime> wake;
  const auto consider = [&](const std::optional<SteadyTime>& time) {
    if (time && *time != SteadyTime::max() && (!wake || *time < *wake)) {
      wake = time;
    }
  };
  if (phase_ == Phase::over || stopping_) {
    return std::nullopt;
  }
  if (gate_) {
    consider(gate_->wake_at());
  } else if (schedule_) {
    consider(schedule_->wake_at());
    if (!paused_) {
      consider(stalls_at_);
      consider(rules_.stages[stage_].has_window ? std::optional(closes_) : std::nullopt);
    }
  }
  return wake;
}

std::vector<PausedServer> Rollout::paused_servers() const {
  return schedule_ ? schedule_->paused() : std::vector<PausedServer>();
}

std::vector<std::size_t> Rollout::upcoming(std::size_t most) const {
  if (!schedule_ || stopping_ || phase_ != Phase::in_stage) {
    return {};
  }
  std::vector<std::size_t> next = schedule_->upcoming(most);
  for (std::size_t& tenant : next) {
    tenant = rules_.stages[stage_].tenants[tenant];
  }
  return next;
}

std::string Rollout::waits_for(SteadyTime now) const {
  if (phase_ == Phase::over || stopping_) {
    return {};
  }
  const std::string& name = rules_.stages[stage_].name;
  if (paused_) {
    return "paused, until somebody resumes the run";
  }
  if (gate_) {
    const std::chrono::milliseconds left = gate_->soak_left(now);
    return left.count() > 0
               ? fmt::format("gate of stage '{}': {} to pass", name, seconds_text(left))
               : fmt::format("gate of stage '{}': a check is under way", name);
  }
  if (schedule_ && now < opens_ && schedule_->in_flight() == 0) {
    return fmt::format("window of stage '{}': opens in {}",
                       name,
                       seconds_text(std::chrono::ceil<std::chrono::milliseconds>(opens_ - now)));
  }
  return {};
}

void Rollout::note(std::string kind, std::string text, std::string tenant) {
  actions_.emplace_back(Note{std::move(tenant), std::move(kind), std::move(text)});
}

}  // namespace drover::orchestrator

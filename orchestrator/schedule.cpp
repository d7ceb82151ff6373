#include "orchestrator/schedule.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <string_view>

#include <fmt/format.h>

#include "orchestrator/turn.h"

namespace drover::orchestrator {
namespace {

using engine::SteadyTime;

/// One tenant in so many may fail when nobody said how many may.
constexpr std::size_t kTenantsPerFailure = 10;

engine::TenantFault quarantined(const TenantId& id, int starts) {
  engine::TenantFault fault;
  fault.kind = "quarantined";
  fault.message =
      fmt::format("tenant '{}' was started {} times, and each time the process died under it",
                  id.value,
                  starts);
  fault.hint = "Find out what kills the process, then say drover retry --failed.";
  return fault;
}

Halt over_budget(std::size_t failures, std::size_t tolerated, std::size_t planned) {
  return {ErrorCode::halted,
          "budget_exhausted",
          fmt::format("{} of {} tenants failed, and {} {} tolerated",
                      failures,
                      planned,
                      tolerated,
                      tolerated == 1 ? "is" : "are"),
          "Mend what they have in common, then resume the run."};
}

}  // namespace

std::optional<std::size_t> default_failure_budget(std::size_t planned) noexcept {
  if (planned <= 1) {
    return std::nullopt;
  }
  return std::max<std::size_t>(1, planned / kTenantsPerFailure);
}

Halt halt_for(const Error& error) {
  return {error.code(), error.kind_name(), error.what(), error.hint()};
}

Schedule::Server::Server(std::string server_name, const Limits& limits)
    : name(std::move(server_name)), limit(limits.per_server), health(limits.server_pause) {}

Schedule::Schedule(std::vector<ScheduledTenant> tenants, const ScheduleOptions& options)
    : options_(options),
      limits_(options.limits),
      random_(options.seed),
      failures_(options.failed_before) {
  put_in_order(tenants);
  take_in(std::move(tenants));
}

/// Usually the slowest known first, so that no giant is left for the end; then the others as they
/// came.
void Schedule::put_in_order(const std::vector<ScheduledTenant>& tenants) {
  std::vector<std::size_t> order(tenants.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto goes_before = [&](std::size_t a, std::size_t b) {
    constexpr std::uint64_t kUnknown = std::numeric_limits<std::uint64_t>::max();
    switch (options_.order) {
      case StartOrder::slowest:
        return tenants[a].known_duration > tenants[b].known_duration;  // nullopt is the smallest
      case StartOrder::smallest:
        return tenants[a].bytes.value_or(kUnknown) < tenants[b].bytes.value_or(kUnknown);
      case StartOrder::listed:
        break;
    }
    return false;
  };
  std::stable_sort(order.begin(), order.end(), goes_before);
  tenants_.resize(tenants.size());
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    tenants_[order[rank]].rank = rank;
  }
}

void Schedule::take_in(std::vector<ScheduledTenant> tenants) {
  std::map<std::string, std::size_t, std::less<>> by_name;
  std::vector<std::size_t> by_rank(tenants.size());
  for (std::size_t i = 0; i < tenants.size(); ++i) {
    const auto [found, is_new] = by_name.try_emplace(tenants[i].server, servers_.size());
    if (is_new) {
      servers_.emplace_back(tenants[i].server, limits_);
      servers_.back().probe_with = i;
    }
    tenants_[i].id = std::move(tenants[i].id);
    tenants_[i].server = found->second;
    tenants_[i].crashed_starts = tenants[i].crashed_starts;
    by_rank[tenants_[i].rank] = i;
  }
  for (const std::size_t index : by_rank) {
    Server& server = servers_[tenants_[index].server];
    server.queue.push_back(index);
    ++server.members;
    ++server.left;
  }
}

Actions Schedule::tick(SteadyTime now) {
  return settle(now);
}

Actions Schedule::settle(SteadyTime now) {
  now_ = now;
  if (!begun_) {
    begun_ = true;
    quarantine();
    check_budget();
    for (std::size_t i = 0; i < servers_.size(); ++i) {
      refresh(i);
    }
  }
  look_after_servers(now);
  fill(now);
  return std::exchange(actions_, {});
}

void Schedule::quarantine() {
  for (std::size_t i = 0; i < tenants_.size(); ++i) {
    Tenant& tenant = tenants_[i];
    if (tenant.where != Where::queued || tenant.crashed_starts < kCrashesTolerated) {
      continue;
    }
    std::deque<std::size_t>& queue = servers_[tenant.server].queue;
    queue.erase(std::find(queue.begin(), queue.end(), i));
    tenant.tried = tenant.crashed_starts;
    TenantOutcome outcome = last_of(tenant);
    outcome.outcome = Outcome::failed;
    outcome.fault = quarantined(tenant.id, tenant.crashed_starts);
    finish(i, std::move(outcome), Blame::tenant);
  }
}

Actions Schedule::completed(std::size_t tenant_index, TenantOutcome outcome, SteadyTime now) {
  Tenant& tenant = tenants_.at(tenant_index);
  Server& server = servers_[tenant.server];
  --in_flight_;
  --server.in_flight;
  outcome.id = tenant.id;
  outcome.server = server.name;
  tenant.trying = std::max(1, outcome.attempts);
  const std::optional<engine::TenantFault> fault = outcome.fault;
  const bool wrong = fault && (counts_as_failure(outcome) ||
                               outcome.outcome == Outcome::not_started || is_interrupted(outcome));
  tenant.last = std::make_unique<TenantOutcome>(
      tenant.last ? merged(*tenant.last, std::move(outcome)) : std::move(outcome));
  if (wrong) {
    tenant.cause = fault->fault_class;
    went_wrong(tenant_index, *fault, now);
  } else {
    reached_outcome(tenant_index);
  }
  refresh(tenant.server);
  return settle(now);
}

Actions Schedule::learned_capacity(std::size_t server_index,
                                   std::optional<std::size_t> free,
                                   SteadyTime now) {
  Server& server = servers_.at(server_index);
  server.limit.learn_room(free, server.ours_when_asked);
  server.ask_at = now + kBetweenAsks;
  refresh(server_index);
  return settle(now);
}

Actions Schedule::drain(SteadyTime now) {
  if (phase_ == Phase::running) {
    note("", "run_draining", "nothing more is started; what is under way comes to its end");
    stop(Phase::draining);
  }
  return settle(now);
}

Actions Schedule::cancel(SteadyTime now) {
  if (phase_ != Phase::cancelled) {
    note("", "run_cancelled", "what is under way is asked to stop");
    stop(Phase::cancelled);
    actions_.emplace_back(CancelWork{});
  }
  return settle(now);
}

Actions Schedule::halt(Halt why, SteadyTime now) {
  stop_because(std::move(why));
  return settle(now);
}

std::optional<SteadyTime> Schedule::wake_at() const noexcept {
  if (phase_ != Phase::running) {
    return std::nullopt;
  }
  SteadyTime wake = look_at_;
  const bool only_too_early =
      !paused_ && !ready_.empty() && in_flight_ < room() && not_before() > now_;
  if (only_too_early && not_before() < closes_) {
    wake = std::min(wake, not_before());
  }
  return wake == SteadyTime::max() ? std::nullopt : std::optional(wake);
}

/// In strict mode, so few that even if all of them failed it would be one more than is tolerated.
std::size_t Schedule::room() const noexcept {
  if (!options_.strict || !options_.failure_budget) {
    return limits_.in_flight;
  }
  const std::size_t most = *options_.failure_budget + 1;
  return std::min(limits_.in_flight, most > failures_ ? most - failures_ : 0);
}

SteadyTime Schedule::not_before() const noexcept {
  return std::max(opens_, next_start_);
}

bool Schedule::all_started() const noexcept {
  return std::none_of(tenants_.begin(), tenants_.end(), [](const Tenant& tenant) {
    return tenant.where == Where::queued;
  });
}

bool Schedule::skip(std::size_t tenant_index, const std::string& reason) {
  Tenant& tenant = tenants_.at(tenant_index);
  if (tenant.where != Where::queued) {
    return false;
  }
  std::deque<std::size_t>& queue = servers_[tenant.server].queue;
  queue.erase(std::find(queue.begin(), queue.end(), tenant_index));
  TenantOutcome outcome = last_of(tenant);
  outcome.outcome = is_open(outcome) ? outcome.outcome : Outcome::skipped;
  outcome.reason = reason;
  finish(tenant_index, std::move(outcome), Blame::server);
  refresh(tenant.server);
  return true;
}

Actions Schedule::retry_failed(SteadyTime now) {
  for (std::size_t i = 0; i < tenants_.size() && phase_ == Phase::running; ++i) {
    if (tenants_[i].where == Where::ended && tenants_[i].last) {
      reopen(i);
    }
  }
  return settle(now);
}

/// What is known of it stays known, what was held against it does not.
void Schedule::reopen(std::size_t tenant_index) {
  Tenant& tenant = tenants_[tenant_index];
  Server& server = servers_[tenant.server];
  if (std::exchange(tenant.counted, false)) {
    --failures_;
    if (options_.on_forgiven) {
      options_.on_forgiven(*tenant.last);
    }
  }
  tenant.killed = tenant.lost = tenant.refused = 0;
  tenant.where = Where::queued;
  --ended_;
  ++server.left;
  if (server.health.state() == ServerHealth::State::given_up) {
    server.health = ServerHealth(limits_.server_pause);
  }
  server.queue.push_back(tenant_index);
  actions_.emplace_back(ReopenTenant{tenant_index});
  refresh(tenant.server);
}

std::vector<PausedServer> Schedule::paused() const {
  std::vector<PausedServer> result;
  for (const std::size_t index : watched_) {
    const Server& server = servers_[index];
    if (server.health.state() == ServerHealth::State::paused && server.left > 0) {
      result.push_back({server.name, server.health.fault()->message, server.health.paused_since()});
    }
  }
  return result;
}

void Schedule::look_after_servers(SteadyTime now) {
  if (phase_ != Phase::running || look_at_ > now) {
    return;
  }
  look_at_ = SteadyTime::max();
  const std::vector<std::size_t> watched(watched_.begin(), watched_.end());
  watched_.clear();
  for (const std::size_t server : watched) {
    look_after(server, now);
    refresh(server);  // watches it on, if there is something to watch for
  }
}

void Schedule::look_after(std::size_t server_index, SteadyTime now) {
  Server& server = servers_[server_index];
  if (server.left == 0) {
    return;
  }
  if (const auto end = server.health.gives_up_at(); end && *end <= now) {
    give_up(server_index);
    return;
  }
  if (const auto probe = server.health.probe_due(); probe && *probe <= now) {
    server.health.probe_sent(now);
    server.probed = std::exchange(server.suspects, {});
    actions_.emplace_back(ProbeServer{server_index, server.probe_with});
  }
  const bool asks = server.health.may_start() && !server.queue.empty();
  if (asks && server.ask_at && *server.ask_at <= now) {
    ask_capacity(server_index);
  }
}

void Schedule::ask_capacity(std::size_t server_index) {
  Server& server = servers_[server_index];
  server.was_asked = true;
  server.ask_at = std::nullopt;
  server.ours_when_asked = server.in_flight;
  actions_.emplace_back(AskCapacity{server_index, server.probe_with});
}

std::optional<SteadyTime> Schedule::due(const Server& server) const noexcept {
  if (server.left == 0) {
    return std::nullopt;
  }
  std::optional<SteadyTime> first;
  const auto consider = [&](const std::optional<SteadyTime>& time) {
    if (time && (!first || *time < *first)) {
      first = time;
    }
  };
  consider(server.health.gives_up_at());
  consider(server.health.probe_due());
  if (server.health.may_start() && !server.queue.empty()) {
    consider(server.ask_at);
  }
  return first;
}

/// After anything about a server changed: can it take a tenant, and when is it to be looked after?
void Schedule::refresh(std::size_t server_index) {
  Server& server = servers_[server_index];
  if (server.ready_rank) {
    ready_.erase({*server.ready_rank, server_index});
    server.ready_rank = std::nullopt;
  }
  if (server.health.may_start() && !server.queue.empty() &&
      server.in_flight < server.limit.value()) {
    server.ready_rank = tenants_[server.queue.front()].rank;
    ready_.emplace(*server.ready_rank, server_index);
  }
  if (const auto time = due(server)) {
    watched_.insert(server_index);
    look_at_ = std::min(look_at_, *time);
  }
}

void Schedule::fill(SteadyTime now) {
  while (phase_ == Phase::running && !paused_ && in_flight_ < room() && now >= not_before() &&
         now < std::min(trusted_until_, closes_) && !ready_.empty()) {
    start(ready_.begin()->second, now);
  }
}

std::vector<std::size_t> Schedule::upcoming(std::size_t most) const {
  std::vector<std::size_t> next;
  for (const Server& server : servers_) {
    const auto count = static_cast<std::ptrdiff_t>(std::min(most, server.queue.size()));
    next.insert(next.end(), server.queue.begin(), server.queue.begin() + count);
  }
  const auto end = next.begin() + static_cast<std::ptrdiff_t>(std::min(most, next.size()));
  std::partial_sort(next.begin(), end, next.end(), [this](std::size_t a, std::size_t b) {
    return tenants_[a].rank < tenants_[b].rank;
  });
  next.erase(end, next.end());
  return next;
}

void Schedule::start(std::size_t server_index, SteadyTime now) {
  Server& server = servers_[server_index];
  if (!server.was_asked && server.members > AdaptiveLimit::kBeforeAsked) {
    ask_capacity(server_index);
  }
  const std::size_t tenant_index = server.queue.front();
  server.queue.pop_front();
  Tenant& tenant = tenants_[tenant_index];
  tenant.where = Where::in_flight;
  tenant.started = now;
  ++server.in_flight;
  ++in_flight_;
  next_start_ = options_.delay.count() > 0 ? now + options_.delay : next_start_;
  actions_.emplace_back(StartTenant{tenant_index, tenant.crashed_starts + tenant.spent + 1});
  refresh(server_index);
}

void Schedule::requeue(std::size_t tenant_index) {
  Tenant& tenant = tenants_[tenant_index];
  tenant.where = Where::queued;
  servers_[tenant.server].queue.push_front(tenant_index);
  refresh(tenant.server);
}

void Schedule::try_again(std::size_t tenant_index) {
  Tenant& tenant = tenants_[tenant_index];
  ++tenant.spent;
  tenant.tried += tenant.trying;
  note(tenant.id.value,
       "tenant_retried",
       fmt::format("tenant '{}' is tried again: {}",
                   tenant.id.value,
                   tenant.last->fault ? tenant.last->fault->message : "it did not finish"));
  requeue(tenant_index);
}

void Schedule::finish(std::size_t tenant_index, TenantOutcome outcome, Blame blame) {
  Tenant& tenant = tenants_[tenant_index];
  Server& server = servers_[tenant.server];
  tenant.where = Where::ended;
  --server.left;
  ++ended_;
  outcome.attempts = tenant.tried;
  const bool failed = blame == Blame::tenant && counts_as_failure(outcome);
  const std::optional<Halt> wider =
      failed && options_.on_failure ? options_.on_failure(outcome) : std::nullopt;
  tenant.last = counts_as_failure(outcome) ? std::make_unique<TenantOutcome>(outcome) : nullptr;
  tenant.counted = failed;
  if (outcome.reason == kNoBackup) {
    ++server.without_backup;
    check_backups(server, outcome);
  } else if (outcome.outcome == Outcome::applied || counts_as_failure(outcome)) {
    server.without_backup = 0;
  }
  actions_.emplace_back(FinishTenant{tenant_index, std::move(outcome)});
  if (!failed) {
    return;
  }
  ++failures_;
  check_budget();
  if (wider) {
    stop_because(*wider);
  }
}

void Schedule::check_budget() {
  if (options_.failure_budget && failures_ > *options_.failure_budget) {
    const std::size_t planned = options_.planned == 0 ? tenants_.size() : options_.planned;
    stop_because(over_budget(failures_, *options_.failure_budget, planned));
  }
}

/// What keeps backups from being made is mostly not the tenant's.
void Schedule::check_backups(const Server& server, const TenantOutcome& outcome) {
  if (server.without_backup <= kBackupsTolerated) {
    return;
  }
  stop_because(
      {ErrorCode::waiting,
       "backups_fail",
       fmt::format("{} tenants of server '{}' in a row have no backup, the last because {}",
                   server.without_backup,
                   server.name,
                   outcome.fault ? outcome.fault->message : "none could be made"),
       "Mend what keeps backups from being made, then resume the run: those tenants are as "
       "they were, and are tried again."});
}

/// With what its last attempt came back with.
void Schedule::finish_last(std::size_t tenant_index) {
  Tenant& tenant = tenants_[tenant_index];
  tenant.tried += tenant.trying;
  finish(tenant_index, std::move(*tenant.last), Blame::tenant);
}

void Schedule::finish_unreachable(std::size_t tenant_index) {
  const Tenant& tenant = tenants_[tenant_index];
  const Server& server = servers_[tenant.server];
  finish(tenant_index, ended_unreachable(last_of(tenant), *server.health.fault()), Blame::server);
}

void Schedule::stop(Phase phase) {
  const bool was_running = phase_ == Phase::running;
  phase_ = phase;
  if (!was_running) {
    return;
  }
  for (std::size_t i = 0; i < tenants_.size(); ++i) {
    if (tenants_[i].where == Where::queued || tenants_[i].where == Where::under_suspicion) {
      finish(i, ended_short(last_of(tenants_[i])), Blame::server);
    }
  }
  for (Server& server : servers_) {
    server.queue.clear();
    take_suspects(server);
  }
  ready_.clear();
}

void Schedule::stop_because(Halt why) {
  if (halted_) {
    return;
  }
  halted_ = true;
  note("", "run_halted", why.message);
  actions_.emplace_back(HaltRun{std::move(why)});
  stop(phase_ == Phase::running ? Phase::draining : phase_);
}

void Schedule::note(std::string tenant, std::string kind, std::string text) {
  actions_.emplace_back(Note{std::move(tenant), std::move(kind), std::move(text)});
}

TenantOutcome Schedule::last_of(const Tenant& tenant) const {
  if (tenant.last) {
    return *tenant.last;
  }
  TenantOutcome outcome;
  outcome.id = tenant.id;
  outcome.server = servers_[tenant.server].name;
  return outcome;
}

double Schedule::jitter() {
  return std::uniform_real_distribution<double>(0.0, 1.0)(random_);
}

}  // namespace drover::orchestrator

// What an attempt that ended means for its tenant, its server and the run.

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "orchestrator/schedule.h"
#include "orchestrator/turn.h"

namespace drover::orchestrator {
namespace {

using engine::FaultClass;
using engine::SteadyTime;
using engine::TenantFault;

constexpr std::size_t kServersThatRefuse = 3;  // then it is not the server's fault
constexpr int kPasswordAttempts = 2;           // the second with the secret read again

/// Faults that say that we ask too much at once of a server.
constexpr std::array<std::string_view, 2> kTooMuchAtOnce = {"too_many_connections",
                                                            "out_of_memory"};

bool is_too_much(const TenantFault& fault) {
  return std::find(kTooMuchAtOnce.begin(), kTooMuchAtOnce.end(), fault.kind) !=
         kTooMuchAtOnce.end();
}

/// Would more be done about it: another attempt, or a probe of the server?
bool is_undecided(FaultClass fault_class) {
  switch (fault_class) {
    case FaultClass::server_down:
    case FaultClass::session_killed:
    case FaultClass::server_suspect:
    case FaultClass::no_connection:
    case FaultClass::authentication:
      return true;
    case FaultClass::permanent:
    case FaultClass::transient:
    case FaultClass::fatal:
      break;
  }
  return false;
}

/// True when a probe failed because of the server. One that was refused a password, or found no
/// database, has talked to a server that is well.
bool is_servers_fault(const engine::SqlError& error) {
  if (error.origin == engine::SqlError::Origin::deadline) {
    return true;
  }
  const FaultClass fault_class = engine::fault_kind_of(error).fault_class;
  return fault_class == FaultClass::server_down || fault_class == FaultClass::session_killed ||
         fault_class == FaultClass::server_suspect || fault_class == FaultClass::no_connection;
}

/// `fault`, met by a tenant or a probe, as the fault of its server.
TenantFault of_server(const std::string& server, const TenantFault& fault) {
  TenantFault result;
  result.code = ErrorCode::unreachable;
  result.fault_class = FaultClass::server_down;
  result.kind = fault.kind;
  result.sqlstate = fault.sqlstate;
  result.message = fmt::format("server '{}' is down: {}", server, fault.message);
  result.hint = fault.hint;
  return result;
}

long long whole_seconds(SteadyTime::duration duration) {
  return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

}  // namespace

void Schedule::reached_outcome(std::size_t tenant_index) {
  const Tenant& tenant = tenants_[tenant_index];
  Server& server = servers_[tenant.server];
  const Outcome outcome = tenant.last->outcome;
  if (went_well(*tenant.last)) {
    locked_out_.clear();
    const std::size_t before = server.limit.value();
    server.limit.succeed(outcome == Outcome::applied ? tenant.last->duration
                                                     : std::chrono::milliseconds::zero());
    server.health.did_well(tenant.started);
    server.probe_with = tenant_index;
    if (server.limit.value() < before) {
      note("",
           "limit_lowered",
           fmt::format("server '{}' is slow: {} tenants at once instead of {}",
                       server.name,
                       server.limit.value(),
                       before));
    }
  }
  finish_last(tenant_index);
}

void Schedule::went_wrong(std::size_t tenant_index, const TenantFault& fault, SteadyTime now) {
  Tenant& tenant = tenants_[tenant_index];
  Server& server = servers_[tenant.server];
  if (fault.fault_class != FaultClass::permanent) {
    server.limit.fail();
  }
  if (is_too_much(fault)) {
    lower_limit(tenant_index, now);
  }
  if (phase_ != Phase::running && (is_undecided(tenant.cause) || is_interrupted(*tenant.last))) {
    tenant.tried += tenant.trying;
    finish(tenant_index, ended_short(last_of(tenant)), Blame::server);
    return;
  }
  switch (tenant.cause) {
    case FaultClass::server_down:
      server_is_down(tenant_index, fault, now);
      return;
    case FaultClass::session_killed:
    case FaultClass::server_suspect:
    case FaultClass::no_connection:
      ask_the_server(tenant_index);
      return;
    case FaultClass::authentication:
      if (++tenant.refused < kPasswordAttempts) {
        try_again(tenant_index);
        return;
      }
      locked_out_.insert(tenant.server);
      if (locked_out_.size() >= kServersThatRefuse) {
        finish_last(tenant_index);
        stop_because(
            {ErrorCode::halted,
             "authentication_failed",
             fmt::format(
                 "{} servers in a row refused the login: {}", locked_out_.size(), fault.message),
             fault.hint});
        return;
      }
      break;
    case FaultClass::fatal:
      finish_last(tenant_index);
      stop_because(
          {ErrorCode::halted,
           "fatal_fault",
           fmt::format(
               "tenant '{}' met what every tenant would meet: {}", tenant.id.value, fault.message),
           fault.hint});
      return;
    case FaultClass::permanent:
    case FaultClass::transient:
      break;
  }
  finish_last(tenant_index);
}

/// Halves the server's limit, once for all tenants that were started under the old one.
void Schedule::lower_limit(std::size_t tenant_index, SteadyTime now) {
  const Tenant& tenant = tenants_[tenant_index];
  Server& server = servers_[tenant.server];
  if (tenant.started < server.refused_at) {
    return;
  }
  const std::size_t before = server.limit.value();
  server.limit.refuse();
  server.refused_at = now;
  note("",
       "limit_lowered",
       fmt::format("server '{}' has too much to do: {} tenants at once instead of {}",
                   server.name,
                   server.limit.value(),
                   before));
}

void Schedule::server_is_down(std::size_t tenant_index, const TenantFault& fault, SteadyTime now) {
  const Tenant& tenant = tenants_[tenant_index];
  const std::size_t server_index = tenant.server;
  Server& server = servers_[server_index];
  if (server.health.state() == ServerHealth::State::given_up) {
    finish_unreachable(tenant_index);
    return;
  }
  // What was started before the server came back tells of the outage that is over.
  if (tenant.started >= server.health.resumed_at()) {
    const bool was_paused = server.health.state() == ServerHealth::State::paused;
    server.health.pause(of_server(server.name, fault), now, jitter());
    if (!was_paused) {
      after_pause(server_index);
    }
  }
  requeue(tenant_index);
}

/// One probe tells whether the server or this tenant is to blame.
void Schedule::ask_the_server(std::size_t tenant_index) {
  Tenant& tenant = tenants_[tenant_index];
  Server& server = servers_[tenant.server];
  switch (server.health.state()) {
    case ServerHealth::State::given_up:
      finish_unreachable(tenant_index);
      return;
    case ServerHealth::State::paused:
      requeue(tenant_index);
      return;
    case ServerHealth::State::well:
    case ServerHealth::State::suspected:
      break;
  }
  if (tenant.started < server.health.resumed_at()) {
    requeue(tenant_index);  // it was lost in the outage that is over
    return;
  }
  tenant.where = Where::under_suspicion;
  server.suspects.push_back(tenant_index);
  server.health.suspect(tenant.cause == FaultClass::session_killed ? ServerHealth::Meanwhile::go_on
                                                                   : ServerHealth::Meanwhile::hold);
  refresh(tenant.server);
}

void Schedule::server_is_fine(std::size_t tenant_index) {
  Tenant& tenant = tenants_[tenant_index];
  if (tenant.where != Where::under_suspicion) {
    return;  // the run was stopped meanwhile
  }
  int* const times = tenant.cause == FaultClass::session_killed  ? &tenant.killed
                     : tenant.cause == FaultClass::no_connection ? &tenant.lost
                                                                 : nullptr;
  if (times != nullptr && ++*times < kAttemptsPerCause) {
    try_again(tenant_index);
    return;
  }
  if (tenant.cause == FaultClass::no_connection && !is_open(*tenant.last)) {
    tenant.last->outcome = Outcome::unreachable;
  }
  finish_last(tenant_index);
}

Actions Schedule::probed(std::size_t server_index,
                         const std::optional<engine::SqlError>& error,
                         SteadyTime now) {
  Server& server = servers_.at(server_index);
  const bool is_over =
      phase_ != Phase::running || server.health.state() == ServerHealth::State::given_up;
  if (is_over) {
    return settle(now);
  }
  if (!error || !is_servers_fault(*error)) {
    server_answered(server_index, now);
  } else {
    const bool was_paused = server.health.state() == ServerHealth::State::paused;
    const TenantFault fault = engine::fault_from(*error, "probe");
    server.health.not_answered(of_server(server.name, fault), now, jitter());
    if (!was_paused) {
      after_pause(server_index);
    }
  }
  refresh(server_index);
  return settle(now);
}

void Schedule::server_answered(std::size_t server_index, SteadyTime now) {
  Server& server = servers_[server_index];
  if (server.health.state() == ServerHealth::State::paused) {
    note("",
         "server_resumed",
         fmt::format("server '{}' answers again after {} s",
                     server.name,
                     whole_seconds(now - server.health.paused_since())));
    if (server.ask_at) {
      server.ask_at = now;  // its room may be another one now
    }
  }
  server.health.answered(now);
  for (const std::size_t tenant : std::exchange(server.probed, {})) {
    server_is_fine(tenant);
  }
}

/// A server has just been paused: who waited for its probe waits for the server.
void Schedule::after_pause(std::size_t server_index) {
  Server& server = servers_[server_index];
  note("", "server_paused", server.health.fault()->message);
  for (const std::size_t tenant : take_suspects(server)) {
    requeue(tenant);
  }
}

void Schedule::give_up(std::size_t server_index) {
  Server& server = servers_[server_index];
  server.health.give_up();
  note("",
       "server_given_up",
       fmt::format("server '{}' was paused for {} s and is given up",
                   server.name,
                   whole_seconds(limits_.server_pause)));
  for (const std::size_t tenant : std::exchange(server.queue, {})) {
    finish_unreachable(tenant);
  }
}

std::vector<std::size_t> Schedule::take_suspects(Server& server) {
  std::vector<std::size_t> all = std::exchange(server.suspects, {});
  all.insert(all.end(), server.probed.begin(), server.probed.end());
  server.probed.clear();
  return all;
}

}  // namespace drover::orchestrator

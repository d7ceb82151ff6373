/// Drives a Schedule by hand: keeps what it asked for, and answers in a test's words.

#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "orchestrator/schedule.h"

namespace drover::test {

inline orchestrator::TenantOutcome went(orchestrator::Outcome outcome) {
  orchestrator::TenantOutcome result;
  result.outcome = outcome;
  result.attempts = 1;
  if (outcome == orchestrator::Outcome::applied) {
    result.to = {engine::RevisionId{"0002"}};
  }
  return result;
}

inline orchestrator::TenantOutcome applied_in(std::chrono::milliseconds duration) {
  orchestrator::TenantOutcome result = went(orchestrator::Outcome::applied);
  result.duration = duration;
  return result;
}

inline orchestrator::TenantOutcome faulted(orchestrator::Outcome outcome,
                                           engine::FaultClass fault_class,
                                           std::string kind = "some_kind") {
  orchestrator::TenantOutcome result = went(outcome);
  result.fault = engine::TenantFault{};
  result.fault->fault_class = fault_class;
  result.fault->message = "it broke";
  result.fault->hint = "Mend it.";
  result.fault->kind = std::move(kind);
  return result;
}

inline engine::SqlError refused_connection() {
  engine::SqlError error;
  error.origin = engine::SqlError::Origin::connection;
  error.message = "connection refused";
  return error;
}

/// `count` tenants "t0", "t1" ... on server "db".
inline std::vector<orchestrator::ScheduledTenant> tenants_on(const std::string& server,
                                                             std::size_t count,
                                                             std::size_t first = 0) {
  std::vector<orchestrator::ScheduledTenant> result;
  for (std::size_t i = first; i < first + count; ++i) {
    result.push_back({orchestrator::TenantId{"t" + std::to_string(i)}, server, std::nullopt, 0});
  }
  return result;
}

class ScheduleDriver {
 public:
  ScheduleDriver(std::vector<orchestrator::ScheduledTenant> tenants,
                 const orchestrator::ScheduleOptions& options)
      : schedule(std::move(tenants), options) {
    take(schedule.tick(now));
  }

  void take(orchestrator::Actions actions) {
    for (orchestrator::Action& action : actions) {
      if (const auto* start = std::get_if<orchestrator::StartTenant>(&action)) {
        starts.push_back(start->tenant);
        attempts[start->tenant] = start->attempt;
        in_flight.insert(start->tenant);
      } else if (const auto* probe = std::get_if<orchestrator::ProbeServer>(&action)) {
        probes.push_back(now);
        probe_under_way[probe->server] = true;
      } else if (const auto* ask = std::get_if<orchestrator::AskCapacity>(&action)) {
        asks.push_back(ask->server);
      } else if (auto* finish = std::get_if<orchestrator::FinishTenant>(&action)) {
        finished.emplace(finish->tenant, std::move(finish->outcome));
      } else if (const auto* reopen = std::get_if<orchestrator::ReopenTenant>(&action)) {
        finished.erase(reopen->tenant);
      } else if (std::holds_alternative<orchestrator::CancelWork>(action)) {
        cancelled = true;
      } else if (const auto* halt = std::get_if<orchestrator::HaltRun>(&action)) {
        halts.push_back(halt->halt);
      } else if (const auto* note = std::get_if<orchestrator::Note>(&action)) {
        notes.push_back(note->kind + ": " + note->text);
      }
    }
  }

  void complete(std::size_t tenant, orchestrator::TenantOutcome outcome) {
    in_flight.erase(tenant);
    take(schedule.completed(tenant, std::move(outcome), now));
  }

  /// Completes everything in flight the same way, once.
  void complete_all(const orchestrator::TenantOutcome& outcome) {
    for (const std::size_t tenant : std::set<std::size_t>(in_flight)) {
      complete(tenant, outcome);
    }
  }

  void probe_says(const std::optional<engine::SqlError>& error, std::size_t server = 0) {
    probe_under_way[server] = false;
    take(schedule.probed(server, error, now));
  }

  void capacity(std::optional<std::size_t> free, std::size_t server = 0) {
    take(schedule.learned_capacity(server, free, now));
  }

  void pass(std::chrono::milliseconds time) {
    now += time;
    take(schedule.tick(now));
  }

  orchestrator::Outcome outcome_of(std::size_t tenant) const { return finished.at(tenant).outcome; }

  std::size_t count(orchestrator::Outcome outcome) const {
    std::size_t result = 0;
    for (const auto& [tenant, end] : finished) {
      result += end.outcome == outcome ? 1 : 0;
    }
    return result;
  }

  orchestrator::Schedule schedule;
  engine::SteadyTime now{std::chrono::hours(1)};
  std::vector<std::size_t> starts;
  std::map<std::size_t, int> attempts;
  std::set<std::size_t> in_flight;
  std::vector<engine::SteadyTime> probes;
  std::map<std::size_t, bool> probe_under_way;
  std::vector<std::size_t> asks;
  std::map<std::size_t, orchestrator::TenantOutcome> finished;
  std::vector<orchestrator::Halt> halts;
  std::vector<std::string> notes;
  bool cancelled = false;
};

}  // namespace drover::test

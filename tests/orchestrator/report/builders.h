// Faults, standings and outcomes for the tests of reports.

#pragma once

#include <string>
#include <utility>
#include <vector>

#include "orchestrator/outcome.h"
#include "orchestrator/standing.h"

namespace drover::test {

inline engine::TenantFault lock_timeout() {
  engine::TenantFault fault;
  fault.kind = "lock_timeout";
  fault.sqlstate = "55P03";
  fault.message = "revision '0004': canceling statement due to lock timeout";
  fault.hint = "Ask the blocker to finish, or try again later.";
  fault.revision = "0004";
  fault.place = {"migrations/0004_x.sql", 12, 3};
  fault.blocker = engine::Blocker{4711, "billing", "", "idle in transaction", "00:04:11"};
  return fault;
}

inline engine::TenantFault no_connection() {
  engine::TenantFault fault;
  fault.code = ErrorCode::unreachable;
  fault.kind = "connection_refused";
  fault.message = "cannot connect to db1:5432";
  fault.hint = "Check that the server runs.";
  return fault;
}

inline orchestrator::TenantStanding standing(std::string id,
                                             engine::TenantState state,
                                             std::vector<engine::RevisionId> pending = {}) {
  orchestrator::TenantStanding standing;
  standing.id = {std::move(id)};
  standing.server = "db1:5432";
  standing.labels = {{"tier", "free"}};
  standing.state = state;
  standing.current = {{"0003"}};
  standing.pending = std::move(pending);
  return standing;
}

inline orchestrator::TenantStanding unreachable(std::string id) {
  orchestrator::TenantStanding result = standing(std::move(id), engine::TenantState::unreachable);
  result.current.clear();
  result.fault = no_connection();
  return result;
}

inline orchestrator::TenantOutcome outcome(std::string id, orchestrator::Outcome what) {
  orchestrator::TenantOutcome result;
  result.id = {std::move(id)};
  result.server = "db1:5432";
  result.outcome = what;
  result.from = {{"0003"}};
  result.to = {{"0003"}};
  result.attempts = 1;
  return result;
}

inline orchestrator::TenantOutcome applied(std::string id) {
  orchestrator::TenantOutcome result = outcome(std::move(id), orchestrator::Outcome::applied);
  result.to = {{"0004"}};
  result.duration = std::chrono::milliseconds(1234);
  return result;
}

inline orchestrator::TenantOutcome failed(std::string id) {
  orchestrator::TenantOutcome result = outcome(std::move(id), orchestrator::Outcome::failed);
  result.fault = lock_timeout();
  result.attempts = 3;
  return result;
}

}  // namespace drover::test

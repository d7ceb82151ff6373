#include "orchestrator/api/fleet_status.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "engine/revision_ref.h"
#include "engine/schema_histories.h"
#include "engine/tenant_plan.h"
#include "orchestrator/api/errands.h"

namespace drover::orchestrator {
namespace {

/// How many tenants of a database are read together. Histories in a schema of their own need no
/// trick: each is one table away.
std::size_t read_together(const engine::ApproachOptions& approach) {
  return approach.history_schema.empty() ? engine::kSchemasPerStatement : 1;
}

class StatusReader {
 public:
  StatusReader(const FleetStatusRequest& request,
               const std::vector<Tenant>& tenants,
               const engine::Patience& patience)
      : request_(request), tenants_(tenants), patience_(patience), answers_(tenants.size()) {}

  std::vector<TenantStanding> run() {
    carry_out(errands_by_database(
                  tenants_, read_together(request_.approach), [](std::size_t) { return true; }),
              request_.limits,
              [this](const Errand& errand) { visit(errand); });
    return std::move(answers_);
  }

 private:
  void visit(const Errand& errand) {
    if (errand.tenants.size() == 1) {
      alone(errand.tenants.front());
    } else {
      together(errand);
    }
  }

  void alone(std::size_t index) {
    const engine::TenantFacts facts = facts_of(tenants_[index]);
    engine::TenantSession session(
        request_.sessions, request_.clock, tenants_[index].target, facts, request_.approach);
    answer(index, engine::read_status(session, request_.migrations, request_.target, patience_));
  }

  void together(const Errand& errand) {
    std::map<std::string, std::size_t> by_schema;
    std::vector<std::string> schemas;
    for (const std::size_t index : errand.tenants) {
      by_schema[tenants_[index].target.schema] = index;
      schemas.push_back(tenants_[index].target.schema);
    }
    engine::OpenOptions open;
    open.purpose = engine::OpenOptions::Purpose::read;
    open.statement_timeout = request_.approach.statement_timeout;
    engine::Patience connecting = patience_;
    connecting.deadline =
        std::min(connecting.deadline, request_.clock.now() + request_.approach.connect_timeout);
    engine::OpenResult opened =
        request_.sessions.open(tenants_[errand.tenants.front()].target, open, connecting);
    engine::SchemaHistories read;
    if (opened.session) {
      read = engine::read_schema_histories(*opened.session, schemas, patience_);
      opened.session.reset();
    } else {
      read.fault = engine::fault_from(*opened.error, "connecting");
      read.fault->code = ErrorCode::unreachable;
    }
    for (auto& [schema, history] : read.by_schema) {
      judge(by_schema.at(schema), std::move(history));
      by_schema.erase(schema);
    }
    for (const auto& [schema, index] : by_schema) {
      if (read.fault) {
        answer(index, engine::unreadable(*read.fault));
      } else {
        alone(index);
      }
    }
  }

  void judge(std::size_t index, engine::History history) {
    engine::TenantStatus status = engine::status_of(
        request_.migrations, tenants_[index].target.dialect, std::move(history), request_.target);
    const std::string& mark = status.history.tenant.environment;
    const std::string& wanted = request_.approach.environment;
    if (!mark.empty() && !wanted.empty() && mark != wanted) {
      alone(index);  // the full approach words the fault
      return;
    }
    answer(index, std::move(status));
  }

  void answer(std::size_t index, engine::TenantStatus status) {
    const Tenant& tenant = tenants_[index];
    std::vector<engine::RevisionId> of_run;
    for (engine::AppliedRevision& row : status.history.applied) {
      if (!row.run.empty() && row.run == request_.run) {
        of_run.push_back(std::move(row.id));
      }
    }
    answers_[index] = {tenant.id,
                       tenant.target.server,
                       tenant.labels,
                       status.state,
                       std::move(status.current),
                       std::move(status.pending),
                       std::move(status.progress),
                       std::move(status.history.tenant.uid),
                       status.history.tenant.epoch,
                       std::nullopt,
                       std::move(status.fault),
                       std::move(of_run)};
    const std::lock_guard lock(done_mutex_);
    ++done_;
    if (request_.on_progress) {
      request_.on_progress(done_);
    }
  }

  const FleetStatusRequest& request_;
  const std::vector<Tenant>& tenants_;
  const engine::Patience& patience_;
  std::vector<TenantStanding> answers_;  ///< Each written by the one thread that has its errand.
  std::mutex done_mutex_;                ///< Guards done_, and one on_progress at a time.
  std::size_t done_ = 0;
};

}  // namespace

std::vector<TenantStanding> read_fleet_status(const FleetStatusRequest& request,
                                              const std::vector<Tenant>& tenants,
                                              const engine::Patience& patience) {
  // A target that makes no sense is told once, before anything is connected to.
  const engine::Goal goal{engine::Direction::up, request.target, engine::FromPartial::no};
  if (!goal.relative()) {
    engine::resolve_upgrade(request.migrations.graph(), request.target, {});
  }
  return StatusReader(request, tenants, patience).run();
}

}  // namespace drover::orchestrator

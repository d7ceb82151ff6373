#include "orchestrator/api/fleet_status.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <thread>

#include "engine/revision_ref.h"
#include "engine/schema_histories.h"
#include "engine/tenant_plan.h"

namespace drover::orchestrator {
namespace {

/// Tenants that are read together: one, or schemas of one database.
struct Errand {
  std::vector<std::size_t> tenants;  ///< Indexes.
  std::string server;
};

bool is_schema_tenant(const Tenant& tenant, const engine::ApproachOptions& approach) {
  // Histories in a schema of their own need no trick: each is one table away.
  return tenant.target.dialect == engine::Dialect::postgres && approach.history_schema.empty();
}

std::vector<Errand> errands_for(const std::vector<Tenant>& tenants,
                                const engine::ApproachOptions& approach) {
  std::map<std::string, std::size_t> by_database;
  std::vector<Errand> errands;
  for (std::size_t i = 0; i < tenants.size(); ++i) {
    const Tenant& tenant = tenants[i];
    if (is_schema_tenant(tenant, approach)) {
      const auto [found, fresh] = by_database.emplace(tenant.target.connection, errands.size());
      const bool full =
          !fresh && errands[found->second].tenants.size() >= engine::kSchemasPerStatement;
      if (!fresh && !full) {
        errands[found->second].tenants.push_back(i);
        continue;
      }
      found->second = errands.size();
    }
    errands.push_back({{i}, tenant.target.server});
  }
  return errands;
}

/// Hands out errands, never more at a time than a server may have.
class Errands {
 public:
  Errands(std::vector<Errand> errands, std::size_t per_server)
      : errands_(std::move(errands)), per_server_(per_server), taken_(errands_.size(), false) {}

  /// The next one whose server has room; waits for room; null when none is left.
  const Errand* take() {
    std::unique_lock lock(mutex_);
    while (true) {
      bool left = false;
      for (std::size_t i = first_; i < errands_.size(); ++i) {
        if (taken_[i]) {
          first_ = i == first_ ? i + 1 : first_;
          continue;
        }
        left = true;
        if (in_flight_[errands_[i].server] < per_server_) {
          ++in_flight_[errands_[i].server];
          taken_[i] = true;
          return &errands_[i];
        }
      }
      if (!left) {
        return nullptr;
      }
      room_.wait(lock);
    }
  }

  void give_back(const Errand& errand) {
    {
      const std::lock_guard lock(mutex_);
      --in_flight_[errand.server];
    }
    room_.notify_all();
  }

  std::size_t size() const noexcept { return errands_.size(); }

 private:
  const std::vector<Errand> errands_;
  const std::size_t per_server_;
  std::mutex mutex_;  ///< Guards everything below.
  std::condition_variable room_;
  std::vector<bool> taken_;
  std::size_t first_ = 0;  ///< Everything before is taken.
  std::map<std::string, std::size_t> in_flight_;
};

class StatusReader {
 public:
  StatusReader(const FleetStatusRequest& request,
               const std::vector<Tenant>& tenants,
               const engine::Patience& patience)
      : request_(request), tenants_(tenants), patience_(patience), answers_(tenants.size()) {}

  std::vector<TenantStanding> run() {
    Errands errands(errands_for(tenants_, request_.approach),
                    std::max<std::size_t>(request_.limits.per_server, 1));
    const std::size_t count = std::clamp<std::size_t>(
        request_.limits.in_flight, 1, std::max<std::size_t>(errands.size(), 1));
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < count; ++i) {
        threads.emplace_back([&] { carry_out_all(errands); });
      }
    }
    if (bug_) {
      std::rethrow_exception(bug_);
    }
    return std::move(answers_);
  }

 private:
  void carry_out_all(Errands& errands) {
    while (const Errand* errand = errands.take()) {
      carry_out(*errand);
      errands.give_back(*errand);
    }
  }

  void carry_out(const Errand& errand) noexcept {
    try {
      if (errand.tenants.size() == 1) {
        alone(errand.tenants.front());
      } else {
        together(errand);
      }
    } catch (...) {
      const std::lock_guard lock(done_mutex_);
      bug_ = std::current_exception();
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
    answers_[index] = {tenant.id,
                       tenant.target.server,
                       tenant.labels,
                       status.state,
                       std::move(status.current),
                       std::move(status.pending),
                       std::move(status.progress),
                       std::move(status.history.tenant.uid),
                       status.history.tenant.epoch,
                       std::move(status.fault)};
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
  std::mutex done_mutex_;                ///< Guards done_ and bug_, and one on_progress at a time.
  std::size_t done_ = 0;
  std::exception_ptr bug_;
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

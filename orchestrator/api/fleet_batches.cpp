#include "orchestrator/api/fleet_batches.h"

#include <mutex>
#include <thread>

#include "engine/api/engine_means.h"
#include "engine/background_batches.h"
#include "engine/batch_tables.h"
#include "engine/tenant_session.h"
#include "orchestrator/api/errands.h"
#include "orchestrator/api/run_batches.h"

namespace drover::orchestrator {
namespace {

/// A tenant that is asked for its batches.
class BatchLook {
 public:
  BatchLook(Workspace& workspace, const Tenant& tenant)
      : approach_(workspace.approach()),
        facts_(facts_of(tenant)),
        session_(workspace.sessions(), workspace.clock(), tenant.target, facts_, approach_),
        tables_(tenant.target.dialect, session_.tables_schema()) {}

  /// What may write takes the tenant's lock if it is free, and does without it if not.
  enum class For { reading, writing };

  std::optional<engine::TenantFault> open(For what, const engine::Patience& patience) {
    auto fault =
        what == For::reading ? session_.look(patience) : session_.approach(nullptr, patience);
    return fault ? std::move(fault) : session_.identity_fault();
  }

  std::optional<engine::TenantFault> read(std::vector<engine::BatchStatus>& batches,
                                          const engine::Patience& patience) {
    engine::Exchange answer = session_.exchange(tables_.read(), patience);
    if (answer.ok()) {
      batches = engine::decode_batches(answer.results[0], answer.results[1], answer.results[2]);
      return std::nullopt;
    }
    return tables_.says_no_tables(*answer.error)
               ? std::nullopt
               : std::optional(engine::fault_from(*answer.error, "reading its batches"));
  }

  engine::Exchange ask(const engine::OwnedStatement& statement, const engine::Patience& patience) {
    return session_.exchange(std::vector{statement}, patience);
  }

  const engine::BatchTables& tables() const noexcept { return tables_; }

 private:
  engine::ApproachOptions approach_;
  engine::TenantFacts facts_;
  engine::TenantSession session_;
  engine::BatchTables tables_;
};

using Visit = std::function<void(const Tenant&, TenantBatches&)>;

std::vector<TenantBatches> visit_all(Workspace& workspace,
                                     const std::vector<Tenant>& tenants,
                                     const Visit& visit) {
  std::vector<TenantBatches> results(tenants.size());
  carry_out(errands_by_database(tenants, 1, [](std::size_t) { return true; }),
            workspace.environment().limits,
            [&](const Errand& errand) {
              const std::size_t i = errand.tenants.front();
              results[i].id = tenants[i].id;
              visit(tenants[i], results[i]);
            });
  return results;
}

}  // namespace

std::vector<TenantBatches> read_batches(Workspace& workspace,
                                        const std::vector<Tenant>& tenants,
                                        const engine::Patience& patience) {
  return visit_all(workspace, tenants, [&](const Tenant& tenant, TenantBatches& result) {
    BatchLook look(workspace, tenant);
    result.fault = look.open(BatchLook::For::reading, patience);
    if (!result.fault) {
      result.fault = look.read(result.batches, patience);
    }
  });
}

std::vector<TenantBatches> steer_batches(
    Workspace& workspace,
    const std::vector<Tenant>& tenants,
    const std::string& revision,
    const std::function<engine::BatchControl(engine::BatchControl)>& change,
    const engine::Patience& patience) {
  return visit_all(workspace, tenants, [&](const Tenant& tenant, TenantBatches& result) {
    BatchLook look(workspace, tenant);
    result.fault = look.open(BatchLook::For::writing, patience);
    std::vector<engine::BatchStatus> batches;
    result.fault = result.fault ? std::move(result.fault) : look.read(batches, patience);
    for (engine::BatchStatus& status : batches) {
      engine::BatchRecord& record = status.record;
      const bool meant = revision.empty() || record.id.revision.value == revision;
      if (result.fault || !meant || record.state == engine::BatchRecord::State::done) {
        continue;
      }
      record.control = change(record.control);
      record.control.by = engine::api::who_we_are();
      const engine::Exchange answer =
          look.ask(look.tables().set_control(record.id, record.control), patience);
      if (!answer.ok()) {
        result.fault = engine::fault_from(*answer.error, "changing what is wanted of its batch");
      } else {
        result.batches.push_back(std::move(status));
      }
    }
  });
}

std::vector<engine::ParkedKey> read_parked(Workspace& workspace,
                                           const Tenant& tenant,
                                           const engine::BatchId& id,
                                           const engine::Patience& patience) {
  constexpr std::size_t kMostShown = 100;
  BatchLook look(workspace, tenant);
  if (look.open(BatchLook::For::reading, patience)) {
    return {};
  }
  const engine::Exchange answer = look.ask(look.tables().read_parked(id, kMostShown), patience);
  return answer.ok() ? engine::decode_parked(answer.results.front())
                     : std::vector<engine::ParkedKey>();
}

std::vector<TenantBatches> work_background(Workspace& workspace,
                                           const std::vector<Tenant>& tenants,
                                           const BackgroundWork& work,
                                           const engine::Patience& patience) {
  constexpr std::chrono::seconds kTellEvery{1};
  RunBatches batches(workspace.sessions(), workspace.clock(), workspace.environment().batches);
  const auto migrations = workspace.migrations();
  engine::ExecutorOptions options;
  options.approach = workspace.approach();
  options.by.who = engine::api::who_we_are();
  options.batches = &batches;
  std::mutex told_mutex;  // one call of `told` at a time
  const std::jthread teller([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      workspace.clock().wait_until(workspace.clock().now() + kTellEvery, stop);
      work.news(batches.news());
    }
  });
  return visit_all(workspace, tenants, [&](const Tenant& tenant, TenantBatches& result) {
    result.fault = engine::work_background_batches(workspace.sessions(),
                                                   workspace.clock(),
                                                   tenant.target,
                                                   facts_of(tenant),
                                                   *migrations,
                                                   options,
                                                   patience,
                                                   batches.observer_for(tenant.id));
    batches.tenant_done(tenant.id);
    const std::lock_guard lock(told_mutex);
    work.told(tenant.id, result.fault);
  });
}

}  // namespace drover::orchestrator

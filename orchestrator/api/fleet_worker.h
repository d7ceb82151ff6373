/// One tenant's turn, on the engine: the TenantWorker and the ServerProbe of a run.
///
/// A thread keeps the session of a schema tenant for the next schema of the same database. The
/// number of slow concurrent DDL statements per database is bounded here, since only here all
/// threads are known. Time that a tenant waits for its backup is no part of how long it took.
///
/// Thread safety: every class here may be used from any thread. Nothing throws.

#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "engine/blocker_watch.h"
#include "engine/executor.h"
#include "orchestrator/api/run_batches.h"
#include "orchestrator/api/tenant_guard.h"
#include "orchestrator/dispatcher.h"

namespace drover::orchestrator {

/// Lets `limit` statements of the CONCURRENTLY family run in each database at a time.
class PerDatabaseGate final : public engine::DdlGate {
 public:
  PerDatabaseGate(engine::Clock& clock, std::size_t limit);

  std::unique_ptr<Pass> enter(const engine::Target& target,
                              const engine::Patience& patience) override;

 private:
  class Place;

  engine::Clock& clock_;
  const std::size_t limit_;
  std::mutex inside_mutex_;  ///< Guards inside_.
  std::condition_variable_any left_;
  std::map<std::string, std::size_t> inside_;  ///< By connection.
};

/// What the workers of one run need. The references outlive them.
struct WorkerMeans {
  engine::SessionFactory& sessions;
  engine::Clock& clock;
  const engine::MigrationSet& migrations;
  engine::BlockerWatch& watch;
  engine::DdlGate& ddl_gate;
  TenantGuard* guard = nullptr;   ///< May be absent.
  RunBatches* batches = nullptr;  ///< As above; without it batches are refused.
};

class FleetWorker final : public TenantWorker {
 public:
  /// `targets` says where tenants go that do not go where `goal` says.
  /// Sessions to a database of which `fleet` has several tenants are kept from one to the next.
  FleetWorker(const WorkerMeans& means,
              engine::ExecutorOptions options,
              engine::Goal goal,
              const std::vector<Tenant>& fleet,
              std::map<TenantId, std::string> targets = {});

  TenantOutcome work(const Tenant& tenant, int attempt, const engine::Patience& patience) override;
  void worker_idle() override;

 private:
  struct Turn;

  bool is_shared(const Tenant& tenant) const;
  engine::ApplyOutcome take_turn(Turn& turn, const engine::Goal& goal);
  engine::ApplyOutcome apply(Turn& turn, const engine::Goal& goal);
  void after_partial(Turn& turn, TenantOutcome& result);
  void take_down(Turn& turn, TenantOutcome& result);
  void put_back(Turn& turn, TenantOutcome& result);
  engine::KeptSession take_kept(const Tenant& tenant);
  void put_kept(engine::KeptSession session);

  engine::Clock& clock_;
  TenantGuard* const guard_;
  RunBatches* const batches_;
  const engine::Goal goal_;
  const std::map<TenantId, std::string> targets_;
  const engine::Executor executor_;
  std::set<std::string> shared_;  ///< Connections that several tenants have.
  std::mutex kept_mutex_;         ///< Guards kept_.
  std::map<std::thread::id, engine::KeptSession> kept_;
};

class FleetProbe final : public ServerProbe {
 public:
  FleetProbe(engine::SessionFactory& sessions, engine::Milliseconds connect_timeout)
      : sessions_(sessions), connect_timeout_(connect_timeout) {}

  std::optional<engine::SqlError> probe(const Tenant& any_tenant_of_server,
                                        const engine::Patience& patience) override;
  std::optional<std::size_t> free_connections(const Tenant& any_tenant_of_server,
                                              const engine::Patience& patience) override;

 private:
  engine::SessionFactory& sessions_;
  const engine::Milliseconds connect_timeout_;
};

/// `outcome` of the engine as a tenant's outcome in a run.
TenantOutcome outcome_of(const Tenant& tenant, const engine::ApplyOutcome& outcome);

}  // namespace drover::orchestrator

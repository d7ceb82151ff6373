/// Who does the work of a run: the seam between the coordinator, which decides, and the threads (or
/// one day the machines) that connect to tenants.
///
/// A TenantWorker takes one tenant where the run wants it, a ServerProbe asks a server how it is;
/// orchestrator/api makes both on the engine. A Dispatcher hands tenants to workers and brings back
/// what became of them; run/pool_dispatcher.h is the one for this process. What is started, when
/// and how often is decided in schedule.h.

#pragma once

#include <cstddef>
#include <functional>
#include <optional>

#include "engine/clock.h"
#include "engine/session.h"
#include "orchestrator/outcome.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator {

/// Thread safe; a thread calls work() for one tenant after the other.
class TenantWorker {
 public:
  TenantWorker() = default;
  TenantWorker(const TenantWorker&) = delete;
  TenantWorker& operator=(const TenantWorker&) = delete;
  virtual ~TenantWorker() = default;

  /// Takes `tenant` where the run wants it. Retries what is transient within one connection; the
  /// class of the fault it comes back with says what else may help. `attempt` counts from 1 and
  /// says how often the tenant's turn has come; `attempts` of the outcome counts what this call
  /// tried. Blocks.
  ///
  /// Never throws: here every exception becomes an outcome.
  virtual TenantOutcome work(const Tenant& tenant,
                             int attempt,
                             const engine::Patience& patience) = 0;

  /// The calling thread will not work for a while: what it keeps open is closed.
  virtual void worker_idle() {}
};

/// Thread safe. Blocks; never throws.
class ServerProbe {
 public:
  ServerProbe() = default;
  ServerProbe(const ServerProbe&) = delete;
  ServerProbe& operator=(const ServerProbe&) = delete;
  virtual ~ServerProbe() = default;

  /// Opens a session of its own with any tenant of a server and runs a real query: a server that
  /// accepts connections may still be unable to run anything. Why it could not, or nullopt.
  virtual std::optional<engine::SqlError> probe(const Tenant& any_tenant_of_server,
                                                const engine::Patience& patience) = 0;

  /// max_connections less what is reserved and in use, ours included. Nullopt: not known, or
  /// nothing that this kind of server counts.
  virtual std::optional<std::size_t> free_connections(const Tenant& any_tenant_of_server,
                                                      const engine::Patience& patience) = 0;
};

/// Does ahead of a tenant's turn what its turn needs (its backup). Nothing here blocks.
class TenantPreparer {
 public:
  TenantPreparer() = default;
  TenantPreparer(const TenantPreparer&) = delete;
  TenantPreparer& operator=(const TenantPreparer&) = delete;
  virtual ~TenantPreparer() = default;

  /// How many tenants that wait for their turn it wants to hear of.
  virtual std::size_t looks_ahead() const noexcept = 0;

  /// `tenant` will have its turn soon. May be called again for one; never throws.
  virtual void prepare(const Tenant& tenant) = 0;
};

/// One tenant's turn. The tenant outlives it.
struct Assignment {
  const Tenant* tenant = nullptr;
  int attempt = 1;
  engine::Patience patience;
};

/// Thread safe; nothing here blocks.
class Dispatcher {
 public:
  /// Called exactly once, on any thread, possibly before start() has returned.
  using Done = std::function<void(TenantOutcome)>;

  Dispatcher() = default;
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;
  virtual ~Dispatcher() = default;

  /// Hands a tenant to a worker. Throws Error storage: no_threads, when there is no worker at all.
  virtual void start(Assignment assignment, Done done) = 0;

  /// Runs something else that blocks (a probe) beside the tenants. `task` must not throw.
  virtual void run_aside(std::function<void()> task) = 0;
};

}  // namespace drover::orchestrator

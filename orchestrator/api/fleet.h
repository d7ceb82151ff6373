/// What an application sees of Drover for many databases: where they stand, what an upgrade would
/// do, and the upgrade itself.
///
///     drover::FleetOptions options;
///     options.config = "drover.yaml";
///     options.environment = "staging";
///     drover::Fleet fleet(options);
///     for (const drover::FleetTenant& tenant : fleet.status()) { ... }
///     drover::FleetResult result = fleet.apply(fleet.plan("head"));
///
/// For one database there is drover::MigrationManager (engine/api/database.h). A tenant that is
/// provisioned while a run is going on is migrated with it, or with provision(); the tenant's lock
/// keeps the two apart.
///
/// Thread safety: no globals; any number of fleets in one process, and one fleet may be used by
/// several threads. One run per environment at a time: the second throws Error busy
/// (run_in_progress), naming who, where and since when.
///
/// Errors: drover::Error for configuration, migration files, the run store and a run in the way.
/// What became of a tenant is in what is returned. Every blocking call takes a deadline and a stop
/// token and has an _async twin.

#pragma once

#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/api/database.h"
#include "engine/error.h"

namespace drover {

struct FleetOptions {
  std::filesystem::path config = "drover.yaml";
  std::optional<std::string> environment;  ///< Else the only one, or default_environment.

  /// Overrides of settings, as environment variables would give them: DROVER_LIMITS_IN_FLIGHT ...
  std::map<std::string, std::string> variables;
};

/// Where one tenant stands.
struct FleetTenant {
  std::string id;
  std::string server;
  std::map<std::string, std::string> labels;
  std::string state;  ///< As DatabaseStatus::state.
  std::vector<std::string> current;
  std::vector<std::string> pending;
  std::optional<DatabaseProblem> problem;
};

/// What an upgrade would do, read from the tenants. Applying it takes tenants to `target`, wherever
/// they are by then: a tenant's own history decides, so nothing is done twice.
struct FleetPlan {
  std::string target;
  std::size_t total = 0;
  std::size_t to_change = 0;
  std::size_t unfit = 0;                         ///< Unreachable, edited, diverged ...
  std::map<std::string, std::size_t> revisions;  ///< How many tenants each goes to.
};

struct FleetTenantResult {
  std::string id;
  std::string
      outcome;  ///< applied, current, failed, partial, in_doubt, not_started, unreachable ...
  std::vector<std::string> from;
  std::vector<std::string> to;
  int attempts = 0;
  std::optional<DatabaseProblem> problem;
};

struct FleetResult {
  std::string run;
  std::vector<FleetTenantResult> tenants;
  int exit_status = 0;  ///< As the command line's.

  bool ok() const noexcept { return exit_status == 0; }
};

class Fleet {
 public:
  /// Reads configuration and migrations. Throws Error usage.
  explicit Fleet(FleetOptions options);
  Fleet(Fleet&&) noexcept;
  Fleet& operator=(Fleet&&) noexcept;
  ~Fleet();

  std::vector<FleetTenant> status(const CallLimits& limits = {}) const;
  std::future<std::vector<FleetTenant>> status_async(CallLimits limits = {}) const;

  /// Reads where the tenants stand; changes nothing. Throws Error usage for a `target` that makes
  /// no sense.
  FleetPlan plan(const std::string& target = "heads", const CallLimits& limits = {}) const;
  std::future<FleetPlan> plan_async(std::string target = "heads", CallLimits limits = {}) const;

  /// Runs to the end; a stop drains it: what has begun is finished, nothing else begins, and
  /// exit_status is 4. `on_tenant` is called after each tenant, one at a time. Throws Error busy.
  FleetResult apply(const FleetPlan& plan,
                    const CallLimits& limits = {},
                    const std::function<void(const FleetTenantResult&)>& on_tenant = {}) const;
  std::future<FleetResult> apply_async(FleetPlan plan, CallLimits limits = {}) const;

  /// Takes one new database to the heads, beside whatever run is going on. It is approached as a
  /// run approaches its tenants: with the environment's name and mark, its timeouts, its schema for
  /// histories. `url` as in DatabaseOptions, and a missing SQLite file is made; `id` is the
  /// tenant's. Throws Error usage.
  ///
  ///     fleet.provision("acme", "postgres://migrator@db1/tenant_acme");
  MigrationOutcome provision(const std::string& id,
                             const std::string& url,
                             const CallLimits& limits = {}) const;
  std::future<MigrationOutcome> provision_async(std::string id,
                                                std::string url,
                                                CallLimits limits = {}) const;

 private:
  struct State;
  explicit Fleet(std::shared_ptr<State> state) : state_(std::move(state)) {}

  std::shared_ptr<State> state_;  ///< Shared with async calls under way; ends with the last.
};

}  // namespace drover

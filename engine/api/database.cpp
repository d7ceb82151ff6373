#include "engine/api/database.h"

#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "engine/api/engine_means.h"
#include "engine/base/system_clock.h"
#include "engine/batch/batch_runner.h"
#include "engine/batch/server_governor.h"
#include "engine/executor.h"
#include "engine/files/migration_writer.h"
#include "engine/postgres/pg_blocker_watch.h"
#include "engine/tenant_status.h"

namespace drover {
namespace {

namespace api = engine::api;

std::vector<std::string> names(const std::vector<engine::RevisionId>& ids) {
  std::vector<std::string> result;
  result.reserve(ids.size());
  for (const engine::RevisionId& id : ids) {
    result.push_back(id.value);
  }
  return result;
}

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

std::optional<DatabaseProblem> problem_of(const std::optional<engine::TenantFault>& fault) {
  if (!fault) {
    return std::nullopt;
  }
  return DatabaseProblem{fault->code,
                         fault->kind,
                         fault->sqlstate,
                         fault->message,
                         fault->hint,
                         fault->revision,
                         fault->place};
}

std::string_view name_of(engine::ApplyOutcome::Kind kind) {
  using Kind = engine::ApplyOutcome::Kind;
  switch (kind) {
    case Kind::current:
      return "current";
    case Kind::applied:
      return "applied";
    case Kind::failed:
      return "failed";
    case Kind::partial:
      return "partial";
    case Kind::in_doubt:
      return "in_doubt";
    case Kind::unreachable:
      return "unreachable";
  }
  return "failed";
}

engine::Patience patience_of(const CallLimits& limits) {
  return {limits.deadline, limits.stop, limits.stop};
}

Error error_of(const DatabaseProblem& problem) {
  return {problem.code, problem.kind, problem.message, problem.hint, problem.place};
}

}  // namespace

struct MigrationManager::State {
  explicit State(DatabaseOptions given)
      : options(std::move(given)),
        target(api::parse_target(options.url)),
        migrations(
            std::make_shared<engine::MigrationSet>(api::load_migrations(options.migrations))) {
    approach.environment = options.environment;
    approach.connect_timeout = options.connect_timeout;
    approach.lock_wait = options.lock_wait;
    approach.lock_timeout = options.lock_timeout;
    approach.statement_timeout = options.statement_timeout;
    approach.create_files = options.create_files == CreateFiles::yes;
  }

  std::shared_ptr<const engine::MigrationSet> known() const {
    const std::lock_guard lock(migrations_mutex);
    return migrations;
  }

  engine::TenantStatus status(const CallLimits& limits) {
    engine::TenantSession tenant(sessions, clock, target, options.facts, approach);
    return engine::read_status(tenant, *known(), "heads", patience_of(limits));
  }

  MigrationOutcome apply(const engine::Goal& goal, const CallLimits& limits) {
    engine::ExecutorOptions executor_options;
    executor_options.approach = approach;
    executor_options.by.who = api::who_we_are();
    executor_options.batches = &batches;
    const auto set = known();
    const engine::Executor executor(sessions, clock, *set, executor_options, watch, gate);
    const engine::ApplyOutcome outcome =
        executor.apply(target, options.facts, goal, patience_of(limits));
    return {std::string(name_of(outcome.kind)),
            names(outcome.from),
            names(outcome.to),
            names(outcome.done),
            problem_of(outcome.fault)};
  }

  DatabaseOptions options;
  engine::Target target;
  engine::ApproachOptions approach;
  api::EngineSessions sessions;
  engine::base::SystemClock clock;
  engine::postgres::PgBlockerWatch watch{sessions};
  engine::OpenDdlGate gate;
  engine::batch::ServerGovernor governor{sessions, clock};
  engine::batch::BatchRunner batches{sessions, clock, governor};
  mutable std::mutex migrations_mutex;  ///< Guards the pointer; the set itself never changes.
  std::shared_ptr<const engine::MigrationSet> migrations;
};

MigrationManager::MigrationManager(DatabaseOptions options)
    : state_(std::make_shared<State>(std::move(options))) {}
MigrationManager::MigrationManager(MigrationManager&&) noexcept = default;
MigrationManager& MigrationManager::operator=(MigrationManager&&) noexcept = default;
MigrationManager::~MigrationManager() = default;

std::filesystem::path MigrationManager::create_migration(const std::string& message) {
  const auto set = state_->known();
  std::vector<engine::RevisionId> taken;
  for (const engine::Migration& migration : set->in_order()) {
    taken.push_back(migration.id);
  }
  engine::files::NewMigration fresh;
  fresh.id = engine::files::next_id(taken, engine::files::IdStyle::number);
  fresh.parents = set->graph().heads();
  fresh.message = message;
  fresh.kind =
      fresh.parents.size() > 1 ? engine::files::Template::merge : engine::files::Template::empty;
  auto path = engine::files::create_migration(state_->options.migrations, fresh);
  auto again = std::make_shared<const engine::MigrationSet>(
      api::load_migrations(state_->options.migrations));
  const std::lock_guard lock(state_->migrations_mutex);
  state_->migrations = std::move(again);
  return path;
}

DatabaseStatus MigrationManager::check_migration_status(const CallLimits& limits) const {
  const engine::TenantStatus found = state_->status(limits);
  DatabaseStatus status;
  status.state = std::string(engine::name_of(found.state));
  status.current_revisions = names(found.current);
  status.current_revision = joined(status.current_revisions);
  status.pending = names(found.pending);
  status.problem = problem_of(found.fault);
  status.database_migrated = !status.current_revisions.empty();
  status.schema_version = status.database_migrated ? status.current_revision : "none";
  const bool settled =
      found.state == engine::TenantState::current || found.state == engine::TenantState::empty;
  status.is_up_to_date = settled && !status.problem;
  return status;
}

MigrationOutcome MigrationManager::ensure_migrated(const CallLimits& limits) const {
  const engine::TenantStatus found = state_->status(limits);
  using Found = engine::TenantState;
  const bool missing_file =
      found.fault && (found.fault->kind == "file_missing" || found.fault->kind == "file_empty");
  const bool may_create = missing_file && state_->approach.create_files;
  if (found.fault && !may_create) {
    throw error_of(*problem_of(found.fault));
  }
  if (!may_create && (found.state == Found::current || found.state == Found::empty)) {
    return {"current", names(found.current), names(found.current), {}, {}};
  }
  if (found.history.tenant.production) {
    throw Error(
        ErrorCode::usage,
        "auto_migrate_refused",
        fmt::format("the database is marked production, and these revisions are pending: {}",
                    joined(names(found.pending))),
        "Let an operator run the upgrade before the application starts.");
  }
  MigrationOutcome outcome = upgrade_database("heads", limits);
  if (outcome.problem) {
    throw error_of(*outcome.problem);
  }
  return outcome;
}

MigrationOutcome MigrationManager::upgrade_database(const std::string& target,
                                                    const CallLimits& limits) const {
  return state_->apply({engine::Direction::up, target, engine::FromPartial::no}, limits);
}

MigrationOutcome MigrationManager::downgrade_database(const std::string& target,
                                                      const CallLimits& limits) const {
  return state_->apply({engine::Direction::down, target, engine::FromPartial::no}, limits);
}

std::future<DatabaseStatus> MigrationManager::check_migration_status_async(
    CallLimits limits) const {
  return std::async(std::launch::async,
                    [self = MigrationManager(state_), limits = std::move(limits)] {
                      return self.check_migration_status(limits);
                    });
}

std::future<MigrationOutcome> MigrationManager::upgrade_database_async(std::string target,
                                                                       CallLimits limits) const {
  return std::async(
      std::launch::async,
      [self = MigrationManager(state_), target = std::move(target), limits = std::move(limits)] {
        return self.upgrade_database(target, limits);
      });
}

std::future<MigrationOutcome> MigrationManager::downgrade_database_async(std::string target,
                                                                         CallLimits limits) const {
  return std::async(
      std::launch::async,
      [self = MigrationManager(state_), target = std::move(target), limits = std::move(limits)] {
        return self.downgrade_database(target, limits);
      });
}

MigrationOutcome ensure_database_migrated(const DatabaseOptions& options,
                                          const CallLimits& limits) {
  return MigrationManager(options).ensure_migrated(limits);
}

std::future<MigrationOutcome> ensure_database_migrated_async(DatabaseOptions options,
                                                             CallLimits limits) {
  return std::async(std::launch::async, [options = std::move(options), limits = std::move(limits)] {
    return ensure_database_migrated(options, limits);
  });
}

std::vector<std::string> get_database_schema_version(const DatabaseOptions& options,
                                                     const CallLimits& limits) {
  DatabaseStatus status = check_database_migration_status(options, limits);
  if (status.state == engine::name_of(engine::TenantState::unreachable)) {
    throw error_of(*status.problem);
  }
  return status.current_revisions;
}

DatabaseStatus check_database_migration_status(const DatabaseOptions& options,
                                               const CallLimits& limits) {
  return MigrationManager(options).check_migration_status(limits);
}

MigrationManager get_migration_manager(DatabaseOptions options) {
  return MigrationManager(std::move(options));
}

}  // namespace drover

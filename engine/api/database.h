/// What an application sees of Drover for one database: is it migrated, which version is it,
/// migrate it, write a new migration.
///
/// For many databases at once there is drover::Fleet (orchestrator/api/fleet.h). An application at
/// start-up:
///
///     #include <drover/drover.h>
///
///     drover::DatabaseOptions options;
///     options.url = "sqlite:app.db";
///     options.create_files = drover::CreateFiles::yes;
///     drover::ensure_database_migrated(options);
///
/// Thread safety: no globals. Any number of managers may work at once, for one database or for
/// many; one manager may be used by several threads.
///
/// Errors: functions throw drover::Error for options or migration files that make no sense, and say
/// what became of the database in what they return. ensure_database_migrated() and
/// get_database_schema_version() throw for that as well, since their callers cannot go on without;
/// MigrationManager::ensure_migrated() does too.
/// Every blocking call takes a deadline and a stop token; what may take long has an _async twin
/// that runs on a thread of its own.

#pragma once

#include <chrono>
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/error.h"

namespace drover {

enum class CreateFiles { no, yes };

/// Which database, and which migrations.
struct DatabaseOptions {
  /// A PostgreSQL URL or keyword string ("schema=NAME" added for a schema of its own), or
  /// "sqlite:PATH". May hold a password; it is never printed.
  std::string url;
  std::filesystem::path migrations = "migrations";

  /// Compared with the mark in the database, and written into a new one. Empty: not compared.
  std::string environment;

  /// Facts that migrations read with current_setting('drover.NAME') or drover_setting('NAME').
  std::map<std::string, std::string> facts;
  CreateFiles create_files = CreateFiles::no;  ///< SQLite: make a missing file.
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds lock_wait{10'000};    ///< For another that migrates this database.
  std::chrono::milliseconds lock_timeout{1'000};  ///< For each lock of a statement.
  std::chrono::milliseconds statement_timeout{300'000};
};

/// How long a call may take, and how it is called off.
struct CallLimits {
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  std::stop_token stop = {};
};

/// What is wrong with a database, in the words of INTERFACE: kind is stable snake_case.
struct DatabaseProblem {
  ErrorCode code = ErrorCode::incomplete;
  std::string kind;
  std::string sqlstate;
  std::string message;
  std::string hint;
  std::string revision;
  Place place;
};

/// Where a database stands. Its own history says so; nothing else is asked.
struct DatabaseStatus {
  std::string state;  ///< current, behind, empty, partial, ahead, edited, diverged, unreachable ...
  bool is_up_to_date = false;      ///< Nothing is pending, and nothing is wrong.
  bool database_migrated = false;  ///< At least one revision is applied.
  std::string current_revision;    ///< The head; several are joined by ", ". Empty: none.
  std::vector<std::string> current_revisions;
  std::vector<std::string> pending;
  std::string schema_version;  ///< For health pages: current_revision, or "none".
  std::optional<DatabaseProblem> problem;
};

/// What became of an upgrade or a downgrade.
struct MigrationOutcome {
  std::string outcome;  ///< applied, current, failed, partial, in_doubt, unreachable
  std::vector<std::string> from;
  std::vector<std::string> to;

  /// Went up, or down, while the call lasted, in order. Where two callers met, that is what either
  /// of them did; each revision is still run once.
  std::vector<std::string> revisions;
  std::optional<DatabaseProblem> problem;

  bool ok() const noexcept { return !problem.has_value(); }
};

/// Migrations of one database.
///
///     drover::MigrationManager manager(options);
///     manager.create_migration("Add a checksum");
///     const drover::MigrationOutcome outcome = manager.upgrade_database();
///     if (!outcome.ok()) { log(outcome.problem->message, outcome.problem->hint); }
class MigrationManager {
 public:
  /// Reads the migrations. Throws Error usage.
  explicit MigrationManager(DatabaseOptions options);
  MigrationManager(MigrationManager&&) noexcept;
  MigrationManager& operator=(MigrationManager&&) noexcept;
  ~MigrationManager();

  /// Writes a new, empty migration that follows the present heads, and returns its path. The
  /// manager knows it from then on.
  std::filesystem::path create_migration(const std::string& message);

  DatabaseStatus check_migration_status(const CallLimits& limits = {}) const;
  std::future<DatabaseStatus> check_migration_status_async(CallLimits limits = {}) const;

  MigrationOutcome upgrade_database(const std::string& target = "head",
                                    const CallLimits& limits = {}) const;
  std::future<MigrationOutcome> upgrade_database_async(std::string target = "head",
                                                       CallLimits limits = {}) const;

  /// See ensure_database_migrated().
  MigrationOutcome ensure_migrated(const CallLimits& limits = {}) const;

  /// `target` is a revision, "-1" or "base"; never a default.
  MigrationOutcome downgrade_database(const std::string& target,
                                      const CallLimits& limits = {}) const;
  std::future<MigrationOutcome> downgrade_database_async(std::string target,
                                                         CallLimits limits = {}) const;

 private:
  struct State;
  explicit MigrationManager(std::shared_ptr<State> state) : state_(std::move(state)) {}

  std::shared_ptr<State> state_;  ///< Shared with async calls under way; ends with the last.
};

/// Returns at once when nothing is pending (one connection, one query, no lock), and upgrades to
/// the head otherwise. Safe to call from every replica of a service at once. A database that is
/// marked production is never migrated from here: that is an operator's act.
///
/// Throws Error: usage, or the database's problem: auto_migrate_refused for production, lock_held
/// when another was still migrating it after lock_wait.
MigrationOutcome ensure_database_migrated(const DatabaseOptions& options,
                                          const CallLimits& limits = {});
std::future<MigrationOutcome> ensure_database_migrated_async(DatabaseOptions options,
                                                             CallLimits limits = {});

/// The heads that are applied; empty for a database without history. Throws Error.
std::vector<std::string> get_database_schema_version(const DatabaseOptions& options,
                                                     const CallLimits& limits = {});

/// For a health page; a database that cannot be reached is an answer too.
///
///     const auto status = drover::check_database_migration_status(options);
///     page["database_migrated"] = status.database_migrated;
///     page["schema_version"] = status.schema_version;
DatabaseStatus check_database_migration_status(const DatabaseOptions& options,
                                               const CallLimits& limits = {});

MigrationManager get_migration_manager(DatabaseOptions options);

}  // namespace drover

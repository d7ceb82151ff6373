/// Everything a command works on, brought together: settings, environment, migrations, fleet,
/// store.
///
/// Each part is made when it is first asked for, so that a command which needs no database opens
/// none. This is where rooms meet: settings/ and inventory/ and store/ know nothing of each other.
///
/// Thread safety: one thread; what it hands out may be shared as its own header says.
/// Errors: Error of the rooms, unchanged.

#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/api/engine_means.h"
#include "engine/base/system_clock.h"
#include "engine/migration_set.h"
#include "engine/tenant_session.h"
#include "orchestrator/api/credential_sessions.h"
#include "orchestrator/journal.h"
#include "orchestrator/options.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator {

/// What was said on the command line, or by an application.
struct WorkspaceRequest {
  std::optional<std::filesystem::path> config;  ///< Else drover.yaml in the working directory.
  std::optional<std::string> environment;
  std::optional<std::string> database;  ///< One target, without a file.
  std::optional<std::string> migrations;
  std::optional<std::string> store;
  std::map<std::string, std::string> variables;
  std::filesystem::path working_directory;
};

class Workspace {
 public:
  /// Reads the settings. Nothing else is touched.
  ///
  /// Throws Error usage: those of settings.h; password_in_argument when `database` holds one.
  explicit Workspace(WorkspaceRequest request);

  const Options& options() const noexcept { return options_; }
  const std::vector<Origin>& origins() const noexcept { return origins_; }

  /// The environment that was asked for or stands to reason. For a single target, one without a
  /// name. Throws Error usage: unknown_environment, no_environment.
  const Environment& environment();

  /// True when --database or DATABASE_URL names the only target.
  bool single_target() const noexcept { return single_.has_value(); }

  /// True when DATABASE_URL is set and was not used, which a person should be told once.
  bool ignored_database_url() const noexcept { return ignored_database_url_; }

  std::filesystem::path migrations_directory();
  std::shared_ptr<const engine::MigrationSet> migrations();

  /// Asks the tenant sources, once.
  const std::vector<Tenant>& fleet();

  /// Opens the run store, once. A single target has one beside its migrations only when --store
  /// says so; without, the journal is null.
  Journal* journal();

  /// Opens sessions with the tenants of the fleet; see credential_sessions.h.
  engine::SessionFactory& sessions() noexcept { return *credentials_; }
  engine::Clock& clock() noexcept { return clock_; }

  /// How tenants of the environment are approached.
  engine::ApproachOptions approach();

 private:
  WorkspaceRequest request_;
  Options options_;
  std::vector<Origin> origins_;
  std::optional<Tenant> single_;
  std::optional<Environment> environment_;
  bool ignored_database_url_ = false;
  std::shared_ptr<const engine::MigrationSet> migrations_;
  std::optional<std::vector<Tenant>> fleet_;
  std::unique_ptr<Journal> journal_;
  engine::api::EngineSessions sessions_;
  std::unique_ptr<CredentialSessions> credentials_;
  engine::base::SystemClock clock_;
};

}  // namespace drover::orchestrator

#include "orchestrator/api/workspace.h"

#include <utility>

#include "engine/postgres/conninfo.h"
#include "orchestrator/inventory/inventory.h"
#include "orchestrator/settings/settings.h"
#include "orchestrator/store/open_journal.h"

namespace drover::orchestrator {
namespace {

constexpr const char* kDatabaseVariable = "DATABASE_URL";

settings::SettingsRequest settings_request(const WorkspaceRequest& request) {
  settings::SettingsRequest wanted;
  wanted.working_directory = request.working_directory;
  wanted.variables = request.variables;
  wanted.flags = {request.migrations, request.store, request.environment};
  if (request.database) {
    return wanted;
  }
  if (request.config) {
    wanted.file = *request.config;
  } else if (auto found = settings::find_settings_file(request.working_directory)) {
    wanted.file = *found;
  }
  return wanted;
}

Tenant single_tenant(const std::string& text) {
  engine::Target target = engine::api::parse_target(text);
  Tenant tenant;
  tenant.id = {target.database.empty() ? "database" : target.database};
  tenant.target = std::move(target);
  tenant.origin = "--database";
  return tenant;
}

/// `path` as a person would write it who stands where this process does; messages name files so.
std::filesystem::path as_seen_from_here(const std::filesystem::path& path) {
  std::error_code unknown;
  const std::filesystem::path here = std::filesystem::current_path(unknown);
  const std::filesystem::path near = path.lexically_proximate(here);
  const bool below = !unknown && !near.empty() && *near.begin() != "..";
  return below ? near : path;
}

inventory::InventoryAdapters adapters() {
  return {[](std::string_view text, inventory::TargetTrust trust) {
            return trust == inventory::TargetTrust::configuration
                       ? engine::postgres::parse_pg_target(text)
                       : engine::postgres::parse_source_pg_target(text, {});
          },
          {}};
}

/// The fleet with its secrets as they are now; from any thread.
std::vector<Tenant> fleet_as_of_now(const WorkspaceRequest& request) {
  const settings::Settings loaded = settings::load_settings(settings_request(request));
  return inventory::list_tenants(settings::resolve_environment(loaded.options, request.environment),
                                 adapters());
}

}  // namespace

Workspace::Workspace(WorkspaceRequest request) : request_(std::move(request)) {
  settings::SettingsRequest wanted = settings_request(request_);
  settings::Settings loaded = settings::load_settings(wanted);
  options_ = std::move(loaded.options);
  origins_ = std::move(loaded.origins);
  const auto variable = request_.variables.find(kDatabaseVariable);
  const bool has_variable = variable != request_.variables.end() && !variable->second.empty();
  if (request_.database) {
    single_ = single_tenant(*request_.database);
    if (!single_->target.password.empty()) {
      throw Error(ErrorCode::usage,
                  "password_in_argument",
                  "a password in --database can be seen by every user of this machine",
                  "Leave it out, and give it by PGPASSWORD, .pgpass, a service file or "
                  "DATABASE_URL.");
    }
  } else if (wanted.file.empty() && !request_.environment && has_variable) {
    single_ = single_tenant(variable->second);
  } else {
    ignored_database_url_ = has_variable;
  }
  auto reread = [kept = request_, single = single_] {
    return single ? std::vector<Tenant>{*single} : fleet_as_of_now(kept);
  };
  credentials_ = std::make_unique<CredentialSessions>(sessions_, std::move(reread));
}

const Environment& Workspace::environment() {
  if (environment_) {
    return *environment_;
  }
  if (single_) {
    Environment alone;
    alone.migrations = options_.migrations;
    alone.limits = options_.limits;
    alone.timeouts = options_.timeouts;
    environment_ = std::move(alone);
  } else {
    environment_ = settings::resolve_environment(options_, request_.environment);
  }
  return *environment_;
}

std::filesystem::path Workspace::migrations_directory() {
  if (single_ || options_.environments.empty()) {
    return options_.migrations;
  }
  const Environment& chosen = environment();
  return chosen.migrations.empty() ? options_.migrations : chosen.migrations;
}

std::shared_ptr<const engine::MigrationSet> Workspace::migrations() {
  if (!migrations_) {
    migrations_ = std::make_shared<const engine::MigrationSet>(
        engine::api::load_migrations(as_seen_from_here(migrations_directory())));
  }
  return migrations_;
}

const std::vector<Tenant>& Workspace::fleet() {
  if (!fleet_) {
    fleet_ = single_ ? std::vector<Tenant>{*single_}
                     : inventory::list_tenants(environment(), adapters());
  }
  return *fleet_;
}

Journal* Workspace::journal() {
  const bool wanted = !single_ || request_.store.has_value();
  if (!journal_ && wanted) {
    journal_ = store::open_journal(options_.store, request_.working_directory);
  }
  return journal_.get();
}

engine::ApproachOptions Workspace::approach() {
  const Environment& chosen = environment();
  engine::ApproachOptions approach;
  approach.environment = chosen.name;
  approach.production = chosen.production;
  approach.history_schema = chosen.history_schema;
  approach.connect_timeout = chosen.timeouts.connect;
  approach.lock_timeout = chosen.timeouts.lock;
  approach.statement_timeout = chosen.timeouts.statement;
  approach.create_files = chosen.auto_migrate;
  return approach;
}

}  // namespace drover::orchestrator

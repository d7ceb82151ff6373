#include "orchestrator/cli/workspace_of.h"

#include <cstdio>

#include <fmt/format.h>

#include "orchestrator/settings/settings.h"

namespace drover::orchestrator::cli {
namespace {

WorkspaceRequest request_of(const Globals& globals) {
  WorkspaceRequest request;
  if (globals.config) {
    request.config = std::filesystem::path(globals.working_directory) / *globals.config;
  }
  request.environment = globals.environment;
  request.database = globals.database;
  request.migrations = globals.migrations;
  request.store = globals.store;
  request.variables = globals.variables;
  request.working_directory = globals.working_directory;
  return request;
}

/// What INTERFACE §1 says of DATABASE_URL. A Workspace knows it too, but it cannot be moved, so it
/// is made in the return statement and cannot be asked before.
bool ignores_database_url(const Globals& globals) {
  const auto variable = globals.variables.find("DATABASE_URL");
  const bool is_set = variable != globals.variables.end() && !variable->second.empty();
  return is_set && !globals.database &&
         (globals.config || globals.environment ||
          settings::find_settings_file(globals.working_directory));
}

}  // namespace

Workspace workspace_of(const Globals& globals) {
  if (ignores_database_url(globals) && !globals.quiet) {
    fmt::print(stderr, "DATABASE_URL is ignored: there is a configuration\n");
  }
  return Workspace(request_of(globals));
}

std::string environment_name(Workspace& workspace) {
  const bool has_one = !workspace.single_target() && !workspace.options().environments.empty();
  return has_one ? workspace.environment().name : std::string();
}

std::string shown_path(const Globals& globals, const std::filesystem::path& path) {
  const std::filesystem::path relative = path.lexically_relative(globals.working_directory);
  const bool is_below = !relative.empty() && *relative.begin() != "..";
  return (is_below ? relative : path).generic_string();
}

}  // namespace drover::orchestrator::cli

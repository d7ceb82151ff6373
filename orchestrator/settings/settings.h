/// From drover.yaml, environment variables and flags to validated Options.
///
/// Flags beat environment variables (`DROVER_SECTION_KEY`) beat the file beat defaults. Nothing
/// here connects to a database or looks at a migration; inventory/ asks the tenant sources.
///
/// Thread safety: one thread at a time per call; the environment variables are passed in.
/// Errors: Error usage at line and column of the file, or naming the variable or flag. Kinds:
/// invalid_yaml, unknown_key, invalid_setting, invalid_secret, unknown_variable, no_settings_file,
/// unknown_environment, no_environment and those of glob.h and id_pattern.h.

#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "orchestrator/options.h"

namespace drover::orchestrator::settings {

using EnvironmentVariables = std::map<std::string, std::string>;

/// What flags say about settings.
struct SettingsFlags {
  std::optional<std::string> migrations;   ///< --migrations
  std::optional<std::string> store;        ///< --store
  std::optional<std::string> environment;  ///< -e: whose secrets are needed.
};

struct SettingsRequest {
  std::filesystem::path file;  ///< Places name it as it is written here. Empty: there is none.

  /// What paths in flags and variables are relative to, and without a file the defaults as well.
  std::filesystem::path working_directory;
  EnvironmentVariables variables;
  SettingsFlags flags;
  std::vector<std::string> other_variables;  ///< DROVER_... that others read.
};

struct Settings {
  Options options;
  std::vector<Origin> origins;  ///< In the order of the file's sections; secrets are masked.
};

/// Reads all. Every environment is checked, but references to secrets are replaced only in the one
/// that resolve_environment() would choose: a developer need not have production's. Elsewhere they
/// stay as they are written.
Settings load_settings(const SettingsRequest& request);

/// The same for a file on its own. Paths in variables are relative to the file.
Settings load_settings(const std::filesystem::path& file, const EnvironmentVariables& variables);

/// drover.yaml in `directory`, or nullopt. Folders above are not searched: which file was meant
/// would depend on where one stands.
std::optional<std::filesystem::path> find_settings_file(const std::filesystem::path& directory);

/// `wanted` (-e), else the only environment, else default_environment.
///
/// Throws Error usage: unknown_environment, no_environment, both naming those there are. The
/// reference is into `options`.
const Environment& resolve_environment(const Options& options,
                                       const std::optional<std::string>& wanted);

}  // namespace drover::orchestrator::settings

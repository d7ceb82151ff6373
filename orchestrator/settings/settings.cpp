#include "orchestrator/settings/settings.h"

#include <cerrno>
#include <fstream>
#include <iterator>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "orchestrator/nearest.h"
#include "orchestrator/settings/environment_section.h"
#include "orchestrator/settings/origins.h"
#include "orchestrator/settings/scalar_settings.h"
#include "orchestrator/settings/secrets.h"
#include "orchestrator/settings/section.h"
#include "orchestrator/settings/section_reader.h"
#include "orchestrator/settings/yaml_document.h"

namespace drover::orchestrator::settings {
namespace {

using References = SectionReader::References;

constexpr std::string_view kFileName = "drover.yaml";
constexpr std::string_view kDefaultMigrations = "migrations";
constexpr std::string_view kDefaultStore = ".drover/runs.db";

[[noreturn]] void cannot_read(const std::filesystem::path& file, const std::string& why) {
  throw Error(ErrorCode::usage,
              "no_settings_file",
              fmt::format("the configuration file cannot be read: {}", why),
              "Name a file with -c, or make one with `drover init`.",
              {file.string(), 0, 0});
}

/// All of `file`, or one byte more than YAML may have.
std::string read_file(const std::filesystem::path& file) {
  std::error_code problem;
  if (!std::filesystem::is_regular_file(file, problem)) {
    cannot_read(file, problem ? problem.message() : "it is not a plain file");
  }
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    cannot_read(file, std::generic_category().message(errno));
  }
  std::string text(kMostYamlBytes + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return text;
}

/// True for "postgres://..." and "postgresql://...": everything else that names a store is a path.
bool is_url(std::string_view text) noexcept {
  return text.substr(0, 11) == "postgres://" || text.substr(0, 13) == "postgresql://";
}

/// Reads everything into one Settings. An object for the length of one load.
class Loader {
 public:
  explicit Loader(const SettingsRequest& request)
      : request_(request),
        working_directory_(std::filesystem::absolute(request.working_directory)),
        directory_(request.file.empty() ? working_directory_
                                        : std::filesystem::absolute(request.file).parent_path()),
        secrets_(directory_, request_.variables) {}

  Settings load() {
    check_variables(request_.variables, request_.other_variables);
    set_defaults();
    if (!request_.file.empty()) {
      options_.file = request_.file;
      const YamlNode root = parse_yaml(read_file(request_.file), request_.file.string());
      if (root.kind == YamlNode::Kind::nothing) {
        throw Error(ErrorCode::usage,
                    "invalid_yaml",
                    "the file is empty",
                    "Write a configuration, or let `drover init` make one.",
                    {request_.file.string(), 0, 0});
      }
      read_root(root);
    }
    read_variables_and_flags();
    check_default_environment();
    return {std::move(options_), origins_.take()};
  }

 private:
  void set_defaults() {
    options_.migrations = absolute_path(directory_, std::string(kDefaultMigrations));
    options_.store = engine::Secret(absolute_path(directory_, std::string(kDefaultStore)).string());
    origins_.set("migrations", options_.migrations.string(), "default");
    origins_.set("store", options_.store.reveal(), "default");
    origins_.set("ids", "numbered", "default");
    note_defaults(common_.limits, kLimitsSection, origins_);
    note_defaults(common_.timeouts, kTimeoutsSection, origins_);
    note_defaults(options_.retention, kRetentionSection, origins_);
  }

  void read_root(const YamlNode& root) {
    const Section section(root,
                          "",
                          {"migrations",
                           "store",
                           "ids",
                           "default_environment",
                           "limits",
                           "timeouts",
                           "retention",
                           "secrets",
                           "commands",
                           "environments"});
    read_commands(section);
    const SectionReader reader(directory_, secrets_, References::expand);
    if (const std::optional<Given> migrations = section.given("migrations")) {
      set_migrations(*migrations, reader);
    }
    if (const std::optional<Given> store = section.given("store")) {
      set_store(*store, reader);
    }
    if (const std::optional<Given> ids = section.given("ids")) {
      set_ids(*ids);
    }
    if (const std::optional<Given> name = section.given("default_environment")) {
      set_default_environment(*name);
    }
    read_section(section, kLimitsSection, common_.limits, origins_);
    read_section(section, kTimeoutsSection, common_.timeouts, origins_);
    read_section(section, kRetentionSection, options_.retention, origins_);
    read_environments(section);
  }

  void read_commands(const Section& section) {
    const YamlNode* const node = section.value("commands");
    if (node == nullptr) {
      return;
    }
    const Section commands = Section::of_names(*node, "commands");
    std::map<std::string, std::vector<std::string>> argvs;
    for (const YamlEntry& entry : commands.entries()) {
      const std::string name = commands.name_of(entry.key);
      argvs[entry.key] = texts_of(entry.value, name);
      for (const YamlNode& item : entry.value.items) {
        refuse_reference(given_of(item, name));
      }
    }
    secrets_.set_commands(std::move(argvs));
  }

  static void refuse_reference(const Given& argument) {
    if (Secrets::refers(argument.text)) {
      refuse_setting(argument,
                     "has a reference to a secret in an argument, which every process could read",
                     "Let the program itself read the secret.");
    }
  }

  void read_environments(const Section& section) {
    const YamlNode* const node = section.value("environments");
    if (node == nullptr) {
      return;
    }
    const Section environments = Section::of_names(*node, "environments");
    std::optional<Section> secrets;
    if (const YamlNode* const secrets_node = section.value("secrets")) {
      secrets = Section::of_names(*secrets_node, "secrets");
      check_secrets(*secrets);
    }
    common_.migrations = options_.migrations;
    const std::string chosen = name_of_chosen(environments);
    for (const YamlEntry& entry : environments.entries()) {
      const SectionReader reader(
          directory_, secrets_, entry.key == chosen ? References::expand : References::check);
      const std::string prefix = fmt::format("environments.{}.", entry.key);
      for (const char* const shared : {"migrations", "limits.", "timeouts."}) {
        origins_.copy(shared, prefix + shared);
      }
      options_.environments[entry.key] =
          read_environment(entry, common_, secrets ? &*secrets : nullptr, reader, origins_);
    }
  }

  void check_secrets(const Section& section) {
    const SectionReader reader(directory_, secrets_, References::check);
    for (const YamlEntry& entry : section.entries()) {
      const Given given = given_of(entry.value, section.name_of(entry.key));
      reader.text(given);
      origins_.set(given.name, "(secret)", given);
    }
  }

  /// As resolve_environment() chooses; empty when it will refuse.
  std::string name_of_chosen(const Section& environments) const {
    if (request_.flags.environment) {
      return *request_.flags.environment;
    }
    if (environments.entries().size() == 1) {
      return environments.entries().front().key;
    }
    const auto variable = request_.variables.find(variable_name("", "default_environment"));
    return variable != request_.variables.end() ? variable->second : options_.default_environment;
  }

  /// Variables and flags are said by the person who runs the program, where they stand.
  void read_variables_and_flags() {
    Secrets nothing_to_expand(working_directory_, request_.variables);
    const SectionReader reader(working_directory_, nothing_to_expand, References::literal);
    read_variable("migrations", [&](const Given& given) { set_migrations(given, reader); });
    read_variable("store", [&](const Given& given) { set_store(given, reader); });
    read_variable("ids", [&](const Given& given) { set_ids(given); });
    read_variable("default_environment",
                  [&](const Given& given) { set_default_environment(given); });
    read_variables(request_.variables, kRetentionSection, "", options_.retention, origins_);
    read_variables(request_.variables, kLimitsSection, "", common_.limits, origins_);
    read_variables(request_.variables, kTimeoutsSection, "", common_.timeouts, origins_);
    for (auto& [name, environment] : options_.environments) {
      const std::string prefix = fmt::format("environments.{}.", name);
      read_variables(request_.variables, kLimitsSection, prefix, environment.limits, origins_);
      read_variables(request_.variables, kTimeoutsSection, prefix, environment.timeouts, origins_);
    }
    if (request_.flags.migrations) {
      set_migrations({"--migrations", *request_.flags.migrations, {}, {}}, reader);
    }
    if (request_.flags.store) {
      set_store({"--store", *request_.flags.store, {}, {}}, reader);
    }
    options_.limits = common_.limits;
    options_.timeouts = common_.timeouts;
  }

  template <typename Set>
  void read_variable(std::string_view key, Set set) {
    const std::string name = variable_name("", key);
    const auto found = request_.variables.find(name);
    if (found != request_.variables.end()) {
      set(Given{name, found->second, {}, {}});
    }
  }

  /// Also for the environments read so far: a variable or a flag beats what they say.
  void set_migrations(const Given& given, const SectionReader& reader) {
    options_.migrations = reader.path(given);
    const std::string shown = printable_path(given, options_.migrations);
    origins_.set("migrations", shown, given);
    for (auto& [name, environment] : options_.environments) {
      environment.migrations = options_.migrations;
      origins_.set(fmt::format("environments.{}.migrations", name), shown, given);
    }
  }

  void set_store(const Given& given, const SectionReader& reader) {
    const engine::Secret text = reader.secret(given);
    if (is_url(text.reveal())) {
      options_.store = text;
      origins_.set("store", "(secret)", given);
      return;
    }
    const std::filesystem::path path = reader.path(given);
    options_.store = engine::Secret(path.string());
    origins_.set("store", printable_path(given, path), given);
  }

  void set_ids(const Given& given) {
    options_.ids =
        to_choice(given, {"numbered", "random"}) == 0 ? IdStyle::numbered : IdStyle::random;
    origins_.set("ids", given.text, given);
  }

  void set_default_environment(const Given& given) {
    options_.default_environment = to_text(given);
    default_environment_ = given;
    origins_.set("default_environment", given.text, given);
  }

  void check_default_environment() const {
    if (!default_environment_ || request_.file.empty()) {
      return;
    }
    const auto found = options_.environments.find(options_.default_environment);
    if (found == options_.environments.end()) {
      std::vector<std::string> names;
      for (const auto& [name, environment] : options_.environments) {
        names.push_back(name);
      }
      refuse_setting(
          *default_environment_,
          fmt::format("is '{}', which is not under environments", options_.default_environment),
          nearest_hint(options_.default_environment, names));
    }
    if (found->second.production) {
      refuse_setting(*default_environment_,
                     fmt::format("is '{}', which has production: true", found->first),
                     "Production is always named with -e.");
    }
  }

  const SettingsRequest& request_;
  std::filesystem::path working_directory_;
  std::filesystem::path directory_;  ///< What paths in the file are relative to.
  Secrets secrets_;
  Origins origins_;
  Options options_;
  Environment common_;  ///< What is said for all environments.
  std::optional<Given> default_environment_;
};

std::string names_of(const std::map<std::string, Environment>& environments) {
  std::string names;
  for (const auto& [name, environment] : environments) {
    names += (names.empty() ? "" : ", ") + name;
  }
  return names;
}

}  // namespace

Settings load_settings(const SettingsRequest& request) {
  return Loader(request).load();
}

Settings load_settings(const std::filesystem::path& file, const EnvironmentVariables& variables) {
  SettingsRequest request;
  request.file = file;
  request.working_directory = std::filesystem::absolute(file).parent_path();
  request.variables = variables;
  return load_settings(request);
}

std::optional<std::filesystem::path> find_settings_file(const std::filesystem::path& directory) {
  std::filesystem::path file = (directory / kFileName).lexically_normal();
  std::error_code problem;
  if (!std::filesystem::exists(std::filesystem::symlink_status(file, problem))) {
    return std::nullopt;
  }
  return file;
}

const Environment& resolve_environment(const Options& options,
                                       const std::optional<std::string>& wanted) {
  const std::map<std::string, Environment>& known = options.environments;
  const Place file{options.file.string(), 0, 0};
  if (known.empty()) {
    throw Error(ErrorCode::usage,
                "no_environment",
                "no environment is configured",
                "Add one under environments, or give a single target with --database.",
                file);
  }
  if (wanted) {
    const auto found = known.find(*wanted);
    if (found != known.end()) {
      return found->second;
    }
    std::vector<std::string> names;
    names.reserve(known.size());
    for (const auto& [name, environment] : known) {
      names.push_back(name);
    }
    throw Error(ErrorCode::usage,
                "unknown_environment",
                fmt::format("there is no environment '{}'", *wanted),
                nearest_hint(*wanted, names),
                file);
  }
  if (known.size() == 1) {
    return known.begin()->second;
  }
  const auto found = known.find(options.default_environment);
  if (found == known.end()) {
    throw Error(ErrorCode::usage,
                "no_environment",
                fmt::format("no environment was chosen among {}", names_of(known)),
                "Choose one with -e, or set default_environment.",
                file);
  }
  return found->second;
}

}  // namespace drover::orchestrator::settings

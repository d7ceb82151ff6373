// init: a first configuration and a folder for migrations; SQLite files that a configuration names.

#include <fmt/format.h>

#include "engine/files/exclusive_file.h"
#include "orchestrator/cli/console.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/workspace_of.h"
#include "orchestrator/report/text.h"
#include "orchestrator/report/yaml_writer.h"

namespace drover::orchestrator::cli {
namespace {

namespace fs = std::filesystem;

/// {0} is the folder of the migrations, {1} that of the development databases.
constexpr std::string_view kConfiguration =
    R"yaml(# Drover's configuration. `drover config show --origin` tells what holds and why.
# Flags beat variables (DROVER_LIMITS_IN_FLIGHT) beat this file.

migrations: {0}         # relative paths are relative to this file
store: .drover/runs.db         # what runs did; or a PostgreSQL URL
default_environment: development

# limits:   {{in_flight: 64, per_server: 16, concurrent_ddl: 1, server_pause: 10m}}
# timeouts: {{connect: 10s, lock: 1s, statement: 5m, concurrent: none}}

environments:
  development:
    auto_migrate: true         # makes SQLite files that are missing
    tenants:
      - sqlite: {1}/*.db       # every file is a tenant

  # staging:
  #   tenants:
  #     - databases: {{server: "postgres://migrator@db1", match: "tenant_*"}}

  # production:
  #   production: true         # never the default; asks for its name before a change
  #   tenants:
  #     - query:
  #         on: "${{env:CONTROL_DATABASE_URL}}"
  #         sql: "SELECT code AS id, dsn AS target, tier FROM tenants WHERE is_active"
)yaml";

constexpr std::string_view kDevelopmentFolder = "dev";

/// What init makes, in the order in which it does.
struct Layout {
  fs::path configuration;
  std::string migrations_as_written;
  std::vector<fs::path> folders;
};

Layout layout_of(const Globals& globals) {
  const fs::path here(globals.working_directory);
  Layout layout;
  layout.configuration = (here / globals.config.value_or("drover.yaml")).lexically_normal();
  layout.migrations_as_written = globals.migrations.value_or("migrations");
  const fs::path beside = layout.configuration.parent_path();
  layout.folders = {(beside / layout.migrations_as_written).lexically_normal(),
                    beside / kDevelopmentFolder};
  return layout;
}

std::string configuration_text(const Layout& layout) {
  report::Value folder(layout.migrations_as_written);
  std::string written = report::yaml_text(folder);
  written.pop_back();  // its line break
  return fmt::format(kConfiguration, written, kDevelopmentFolder);
}

void make_folder(const fs::path& folder) {
  std::error_code problem;
  fs::create_directories(folder, problem);
  if (problem) {
    throw Error(ErrorCode::storage,
                "folder_not_made",
                fmt::format("the folder cannot be made: {}", problem.message()),
                "Check the permissions of the folder above, or choose another place.",
                {folder.string(), 0, 0});
  }
}

void refuse_overwriting(const Layout& layout) {
  std::error_code ignored;  // then it is not there, and writing will say what is wrong
  if (fs::exists(fs::symlink_status(layout.configuration, ignored))) {
    throw Error(ErrorCode::usage,
                "already_configured",
                "there is a configuration already",
                "Edit it, or give another file with -c. To make SQLite files that it names, say "
                "drover init --create-files.",
                {layout.configuration.string(), 0, 0});
  }
}

std::vector<fs::path> make_layout(Invocation& invocation, const Layout& layout) {
  refuse_overwriting(layout);
  std::vector<fs::path> made{layout.configuration};
  std::error_code ignored;  // of a folder that is not there
  for (const fs::path& folder : layout.folders) {
    if (!fs::is_directory(folder, ignored)) {
      made.push_back(folder);
    }
  }
  if (invocation.globals.dry_run) {
    return made;
  }
  for (const fs::path& folder : layout.folders) {
    make_folder(folder);
  }
  engine::files::write_new_file(layout.configuration, configuration_text(layout));
  return made;
}

bool is_missing(const engine::Target& target) {
  std::error_code problem;
  const std::uintmax_t size = fs::file_size(target.connection, problem);
  return target.dialect == engine::Dialect::sqlite &&
         (problem == std::errc::no_such_file_or_directory || (!problem && size == 0));
}

void make_file(Workspace& workspace, const Tenant& tenant) {
  engine::OpenOptions options;
  options.create_file = true;
  const engine::OpenResult opened = workspace.sessions().open(tenant.target, options, {});
  if (opened.error) {
    throw Error(ErrorCode::storage,
                "file_not_made",
                fmt::format("the file of tenant {} cannot be made: {}",
                            report::printable(tenant.id.value),
                            report::printable(opened.error->message)),
                "Check its folder.",
                {tenant.target.connection, 0, 0});
  }
}

/// Makes the SQLite files that sources name and that are missing, after asking.
std::vector<fs::path> make_files(Invocation& invocation) {
  Workspace workspace = workspace_of(invocation.globals);
  std::vector<const Tenant*> missing;
  for (const Tenant& tenant : workspace.fleet()) {
    if (is_missing(tenant.target)) {
      missing.push_back(&tenant);
    }
  }
  std::vector<fs::path> made;
  for (const Tenant* tenant : missing) {
    invocation.console.say(fmt::format("missing: {}", printable(tenant->target.connection)));
    made.emplace_back(tenant->target.connection);
  }
  if (missing.empty() || invocation.globals.dry_run) {
    return made;
  }
  const std::string question = fmt::format("Make {}?", report::count_of(missing.size(), "file"));
  if (!invocation.console.confirm(question)) {
    throw Error(
        ErrorCode::halted, "declined", "nothing was made", "Run it again when you are sure.");
  }
  for (const Tenant* tenant : missing) {
    make_file(workspace, *tenant);
  }
  return made;
}

void put_made(Invocation& invocation, const std::vector<fs::path>& made) {
  std::vector<std::string> paths;
  paths.reserve(made.size());
  for (const fs::path& path : made) {
    paths.push_back(shown_path(invocation.globals, path));
  }
  if (!for_people(invocation)) {
    report::Value value = report::opening(occasion_since(std::chrono::system_clock::now(), ""));
    value.set("created", report::list_of(paths));
    put_document(invocation, {std::move(value), "", {"created"}});
    return;
  }
  for (const std::string& path : paths) {
    invocation.console.data(report::printable(path) + "\n");
  }
}

int run_init(Invocation& invocation) {
  const Layout layout = layout_of(invocation.globals);
  const bool wants_files = invocation.arguments.has("create-files");
  std::error_code ignored;  // as in refuse_overwriting()
  const bool is_there = fs::exists(fs::symlink_status(layout.configuration, ignored));
  if (wants_files && is_there) {
    put_made(invocation, make_files(invocation));
    return 0;
  }
  put_made(invocation, make_layout(invocation, layout));
  invocation.console.say(invocation.globals.dry_run
                             ? "nothing was made"
                             : "next: drover create \"...\", then drover upgrade");
  return 0;
}

}  // namespace

VerbSpec init_verb() {
  using Takes = OptionSpec::Takes;
  return {
      "init",
      "make drover.yaml and the folder of migrations",
      "Never overwrites a configuration. Prints what it made.\n\n"
      "  drover init\n"
      "  drover init --create-files    make the SQLite files that drover.yaml names\n",
      {{"--create-files", Takes::nothing, "", "with a configuration: make missing SQLite files"}},
      VerbSpec::Selectors::no,
      run_init};
}

}  // namespace drover::orchestrator::cli

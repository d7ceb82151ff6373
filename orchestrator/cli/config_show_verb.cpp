// config show: every setting as it stands, and where it comes from. Secrets are masked.

#include <fmt/format.h>

#include "orchestrator/cli/console.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/workspace_of.h"
#include "orchestrator/report/table.h"

namespace drover::orchestrator::cli {
namespace {

constexpr std::string_view kEnvironments = "environments.";

/// With -e, the settings of other environments are left out.
bool is_wanted(const Origin& origin, const std::optional<std::string>& environment) {
  return !environment || !origin.key.starts_with(kEnvironments) ||
         origin.key.starts_with(fmt::format("{}{}.", kEnvironments, *environment));
}

report::Document document_of(const report::Occasion& occasion,
                             const std::vector<Origin>& origins,
                             const std::filesystem::path& file) {
  report::Value rows = report::Value::list();
  for (const Origin& origin : origins) {
    report::Value row = report::Value::object();
    row.set("key", origin.key).set("value", origin.value).set("origin", origin.from);
    rows.add(std::move(row));
  }
  report::Value value = report::opening(occasion);
  value.set("file", file.empty() ? report::Value() : report::Value(file.string()));
  value.set("settings", std::move(rows));
  return {std::move(value), "settings", {"key", "value", "origin"}};
}

std::string table_of(const std::vector<Origin>& origins, const Arguments& arguments) {
  const bool shows_origin = arguments.has("origin");
  std::vector<report::Column> columns{{"SETTING"}, {"VALUE"}};
  if (shows_origin) {
    columns.push_back({"FROM"});
  }
  report::Table table(std::move(columns));
  for (const Origin& origin : origins) {
    std::vector<std::string> cells{origin.key, origin.value};
    if (shows_origin) {
      cells.push_back(origin.from);
    }
    table.add(std::move(cells));
  }
  return table.written(data_width());
}

int run_config_show(Invocation& invocation) {
  const auto started = std::chrono::system_clock::now();
  Workspace workspace = workspace_of(invocation.globals);
  if (invocation.globals.environment) {
    workspace.environment();  // refuses a name that there is not
  }
  std::vector<Origin> origins;
  for (const Origin& origin : workspace.origins()) {
    if (is_wanted(origin, invocation.globals.environment)) {
      origins.push_back(origin);
    }
  }
  if (for_people(invocation)) {
    invocation.console.data(table_of(origins, invocation.arguments));
  } else {
    const std::string environment = invocation.globals.environment.value_or("");
    put_document(
        invocation,
        document_of(occasion_since(started, environment), origins, workspace.options().file));
  }
  return 0;
}

}  // namespace

VerbSpec config_show_verb() {
  using Takes = OptionSpec::Takes;
  return {"config show",
          "every setting as it stands, after file, variables and flags",
          "Secrets are masked. Checks the whole configuration; connects to nothing.\n\n"
          "  drover config show --origin\n"
          "  drover config show -e production -o json\n",
          {{"--origin", Takes::nothing, "", "where each value comes from"}},
          VerbSpec::Selectors::no,
          run_config_show};
}

}  // namespace drover::orchestrator::cli

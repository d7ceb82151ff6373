#include "orchestrator/cli/global_options.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "orchestrator/cli/word_reader.h"
#include "orchestrator/nearest.h"

namespace drover::orchestrator::cli {
namespace {

using Takes = OptionSpec::Takes;

constexpr std::size_t kMostTenants = 1'000'000;

constexpr std::array kGlobals = {
    OptionSpec{"-c,--config", Takes::value, "FILE", "the configuration; default drover.yaml here"},
    OptionSpec{"-e,--environment", Takes::value, "NAME", "which environment of it"},
    OptionSpec{"--database",
               Takes::value,
               "URL",
               "one target without a configuration; never with a password"},
    OptionSpec{"--migrations", Takes::value, "DIR", "where the migration files are"},
    OptionSpec{"--store", Takes::value, "WHERE", "the run store: a file, or a PostgreSQL URL"},
    OptionSpec{"-o,--output", Takes::value, "FORMAT", "table, json, yaml, ndjson or csv"},
    OptionSpec{
        "-y,--yes", Takes::nothing, "", "answer yes to questions that do not ask for a name"},
    OptionSpec{
        "--no-input", Takes::nothing, "", "never ask; a question is an error that names the flag"},
    OptionSpec{"--dry-run",
               Takes::maybe_value,
               "rollback",
               "say what would happen; =rollback: try it on chosen tenants"},
    OptionSpec{"-q,--quiet", Takes::nothing, "", "less on standard error"},
    OptionSpec{"-v,--verbose", Takes::nothing, "", "more on standard error"},
};

constexpr std::array kSelectors = {
    OptionSpec{"--tenant", Takes::values, "A,B", "these tenants"},
    OptionSpec{
        "-l,--labels", Takes::values, "TERMS", "tier=free,region!=eu,beta,!legacy; all must hold"},
    OptionSpec{"--server", Takes::values, "A,B", "tenants of these servers"},
    OptionSpec{"--status", Takes::values, "A,B", "tenants in these states"},
    OptionSpec{"--limit", Takes::value, "N", "the first N of them"},
};

constexpr std::array<std::pair<std::string_view, OutputFormat>, 5> kFormats = {
    {{"table", OutputFormat::table},
     {"json", OutputFormat::json},
     {"yaml", OutputFormat::yaml},
     {"ndjson", OutputFormat::ndjson},
     {"csv", OutputFormat::csv}}};

OutputFormat output_format(const std::string& name) {
  std::vector<std::string> known;
  for (const auto& [format_name, format] : kFormats) {
    if (format_name == name) {
      return format;
    }
    known.emplace_back(format_name);
  }
  throw invalid_arguments(fmt::format("'{}' is not an output format", name),
                          nearest_hint(name, known));
}

/// The parts of `lists` between commas, empty ones too: whoever reads them refuses those.
std::vector<std::string> parts_of(const std::vector<std::string>& lists) {
  std::vector<std::string> parts;
  for (const std::string& list : lists) {
    std::size_t at = 0;
    for (std::size_t comma = list.find(','); comma != std::string::npos;
         comma = list.find(',', at)) {
      parts.push_back(list.substr(at, comma - at));
      at = comma + 1;
    }
    parts.push_back(list.substr(at));
  }
  return parts;
}

void refuse_contradictions(const Globals& globals) {
  const auto refuse = [](std::string_view one, std::string_view other) {
    throw invalid_arguments(fmt::format("{} and {} contradict each other", one, other),
                            "Give one of the two.");
  };
  if (globals.quiet && globals.verbose) {
    refuse("--quiet", "--verbose");
  }
  if (globals.database && globals.config) {
    refuse("--database", "--config");
  }
  if (globals.database && globals.environment) {
    refuse("--database", "--environment");
  }
}

/// Plain --dry-run changes nothing by looking only.
bool rehearses(const Arguments& arguments) {
  const std::string how = arguments.value("dry-run");
  if (!how.empty() && how != "rollback") {
    throw invalid_arguments(fmt::format("--dry-run takes rollback or nothing, not '{}'", how),
                            "Say --dry-run, or --dry-run=rollback.");
  }
  return !how.empty();
}

}  // namespace

std::span<const OptionSpec> global_options() {
  return kGlobals;
}

std::span<const OptionSpec> selector_options() {
  return kSelectors;
}

Globals globals_of(const Arguments& arguments, VerbSpec::Selectors selectors) {
  Globals globals;
  globals.config = arguments.optional("config");
  globals.environment = arguments.optional("environment");
  globals.database = arguments.optional("database");
  globals.migrations = arguments.optional("migrations");
  globals.store = arguments.optional("store");
  globals.output = output_format(arguments.optional("output").value_or("table"));
  globals.yes = arguments.has("yes");
  globals.no_input = arguments.has("no-input");
  globals.dry_run = arguments.has("dry-run");
  globals.rehearse = rehearses(arguments);
  globals.quiet = arguments.has("quiet");
  globals.verbose = arguments.has("verbose");
  refuse_contradictions(globals);
  if (selectors == VerbSpec::Selectors::no) {
    return globals;
  }
  globals.tenants = arguments.values("tenant");  // cut at commas by Selector::parse(),
  globals.labels = arguments.values("labels");   // which knows how one is escaped
  globals.servers = arguments.values("server");
  globals.states = parts_of(arguments.values("status"));
  globals.limit = number_given(arguments, "limit", kMostTenants);
  return globals;
}

}  // namespace drover::orchestrator::cli

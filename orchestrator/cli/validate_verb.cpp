// validate: are the files sound? Everything that is wrong with all of them, at once.

#include <algorithm>

#include <fmt/format.h>

#include "engine/files/migration_dir.h"
#include "engine/parse/migration_text.h"
#include "engine/parse/pg_parser.h"
#include "orchestrator/cli/console.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/workspace_of.h"
#include "orchestrator/report/error_report.h"
#include "orchestrator/report/text.h"

namespace drover::orchestrator::cli {
namespace {

using engine::parse::PgFinding;

struct Problem {
  enum class Severity { error, warning } severity;
  Error error;
};

std::string_view name_of(Problem::Severity severity) {
  return severity == Problem::Severity::error ? "error" : "warning";
}

/// What stands for {range} of a batch when a grammar looks at it: as long, so places stay.
std::string with_range_filled(std::string_view text) {
  constexpr std::string_view kRange = "{range}";
  constexpr std::string_view kTrue = "(true) ";
  static_assert(kRange.size() == kTrue.size());
  std::string filled(text);
  for (std::size_t at = filled.find(kRange); at != std::string::npos;
       at = filled.find(kRange, at)) {
    filled.replace(at, kRange.size(), kTrue);
  }
  return filled;
}

Problem warning_of(const engine::Migration& migration,
                   const engine::SqlStatement& statement,
                   const PgFinding& finding) {
  const bool too_complex = finding.verdict == PgFinding::Verdict::too_complex;
  const std::string what = too_complex ? "too complex for the PostgreSQL 15 parser"
                                       : "not understood by the PostgreSQL 15 parser";
  return {Problem::Severity::warning,
          Error(ErrorCode::usage,
                too_complex ? "too_complex" : "not_understood",
                fmt::format("{}: {}", what, finding.message),
                "The server will judge; look at it unless it is newer syntax.",
                migration.place_of(statement, std::max<std::size_t>(1, finding.position)))};
}

/// Statements that PostgreSQL's own grammar does not understand.
void add_warnings(const engine::Migration& migration, std::vector<Problem>& problems) {
  std::vector<const engine::SqlStatement*> statements;
  std::vector<std::string> texts;
  for (const engine::Section& section : migration.sections) {
    if (section.is_for(engine::Dialect::postgres)) {
      for (const engine::SqlStatement& statement : section.statements) {
        statements.push_back(&statement);
        texts.push_back(section.kind == engine::Section::Kind::batch
                            ? with_range_filled(statement.text)
                            : std::string(statement.text));
      }
    }
  }
  const std::vector<PgFinding> findings =
      engine::parse::look_at(std::vector<std::string_view>(texts.begin(), texts.end()));
  for (std::size_t i = 0; i < findings.size(); ++i) {
    if (findings[i].verdict != PgFinding::Verdict::fine) {
      problems.push_back(warning_of(migration, *statements[i], findings[i]));
    }
  }
}

report::Document document_of(const report::Occasion& occasion,
                             std::size_t files,
                             const std::vector<Problem>& problems) {
  report::Value rows = report::Value::list();
  for (const Problem& problem : problems) {
    report::Value row = report::error_value(problem.error);
    row.set("severity", name_of(problem.severity));
    rows.add(std::move(row));
  }
  report::Value value = report::opening(occasion);
  value.set("files", files).set("problems", std::move(rows));
  return {std::move(value),
          "problems",
          {"severity", "kind", "file", "line", "column", "message", "hint"}};
}

std::string text_of(const std::vector<Problem>& problems, const Globals& globals) {
  std::string text;
  for (const Problem& problem : problems) {
    Place place = problem.error.place();
    place.file = place.file.empty() ? "migrations" : shown_path(globals, place.file);
    text += fmt::format("{}: {}: {}\n    hint: {}\n",
                        report::printable(to_string(place)),
                        name_of(problem.severity),
                        report::printable(problem.error.what()),
                        report::printable(problem.error.hint()));
  }
  return text;
}

std::size_t count(const std::vector<Problem>& problems, Problem::Severity severity) {
  return static_cast<std::size_t>(
      std::count_if(problems.begin(), problems.end(), [severity](const Problem& problem) {
        return problem.severity == severity;
      }));
}

int run_validate(Invocation& invocation) {
  const auto started = std::chrono::system_clock::now();
  Workspace workspace = workspace_of(invocation.globals);
  const std::filesystem::path directory = workspace.migrations_directory();
  const auto loaded = engine::files::load_all(directory, engine::parse::parse_migration);
  std::vector<Problem> problems;
  for (const Error& error : engine::api::check_migrations(directory)) {
    problems.push_back({Problem::Severity::error, error});
  }
  for (const engine::Migration& migration : loaded.migrations) {
    add_warnings(migration, problems);
  }
  const std::size_t files = loaded.migrations.size() + loaded.errors.size();
  if (for_people(invocation)) {
    invocation.console.data(text_of(problems, invocation.globals));
  } else {
    put_document(
        invocation,
        document_of(occasion_since(started, environment_name(workspace)), files, problems));
  }
  const std::size_t errors = count(problems, Problem::Severity::error);
  invocation.console.say(
      fmt::format("{}, {}, {}",
                  report::count_of(files, "file"),
                  report::count_of(errors, "error"),
                  report::count_of(count(problems, Problem::Severity::warning), "warning")));
  return errors == 0 ? 0 : static_cast<int>(ErrorCode::usage);
}

}  // namespace

VerbSpec validate_verb() {
  return {
      "validate",
      "are the migration files sound?",
      "Shows everything that is wrong, with its place; connects to nothing. Exit status 2 for\n"
      "errors. A statement that the PostgreSQL 15 parser does not understand is a warning: the\n"
      "server may know more.\n",
      {},
      VerbSpec::Selectors::no,
      run_validate};
}

}  // namespace drover::orchestrator::cli

#include "orchestrator/backup/pg_dump_provider.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "engine/base/time_left.h"
#include "engine/dialect.h"

namespace drover::orchestrator::backup {
namespace {

using engine::base::ChildRequest;
using engine::base::ChildResult;

/// What became of a child that was to write or read a backup; nullopt: it did.
std::optional<engine::TenantFault> tool_fault(const ChildRequest& request,
                                              const ChildResult& result,
                                              std::string kind) {
  if (result.succeeded()) {
    return std::nullopt;
  }
  const std::string program = std::filesystem::path(request.argv.front()).filename().string();
  const std::string said = telling_line(result.errors);
  const std::string message =
      fmt::format("{} {}{}{}", program, describe(result, request), said.empty() ? "" : ": ", said);
  if (result.end == ChildResult::End::timed_out) {
    return backup_fault(
        "backup_timed_out", message, "See what it waits for, or give backup.deadline more.");
  }
  if (result.end == ChildResult::End::stopped) {
    return backup_fault("interrupted", message, "Resume the run to go on.");
  }
  return backup_fault(std::move(kind), message, "See what it says; the tenant was not touched.");
}

ChildResult run(ChildRequest& request, const engine::Patience& patience) {
  request.deadline = engine::base::time_left(patience);
  request.stop = patience.stop;
  return run_child(request);
}

/// Feeds what `request` prints to a reader.
std::variant<DumpContent, engine::TenantFault> read_output(ChildRequest request,
                                                           const std::string& history_schema,
                                                           const engine::Patience& patience) {
  DumpReader reader(history_schema);
  request.on_output = [&reader](std::string_view piece) { reader.take(piece); };
  const ChildResult result = run(request, patience);
  if (auto fault = tool_fault(request, result, "backup_not_proven")) {
    return std::move(*fault);
  }
  DumpContent content = reader.finish();
  if (!reader.defect().empty()) {
    return backup_fault("backup_not_proven",
                        fmt::format("the data of the backup makes no sense: {}", reader.defect()),
                        "Make the backup again, and look at the disk.");
  }
  return content;
}

/// A history in `dump` that is not as far as the tenant's was just before: it is of an old copy,
/// and a restore would refuse it. One that went on meanwhile has the revisions of then, too.
std::optional<engine::TenantFault> history_fault(const BackupSubject& subject,
                                                 const DumpContent& dump) {
  for (const engine::RevisionId& head : subject.heads) {
    if (!std::binary_search(dump.revisions.begin(), dump.revisions.end(), head.value)) {
      return backup_fault(
          "backup_not_proven",
          fmt::format("the history in the backup lacks revision {}, which tenant '{}' had",
                      in_quotes(head),
                      subject.tenant.id.value),
          "Make the backup again; if it stays so, look at what pg_dump connects to.");
    }
  }
  return std::nullopt;
}

/// pg_dump takes a pattern; in double quotes it stands for itself.
std::string schema_argument(const engine::Target& target) {
  return fmt::format("--schema={}", engine::quoted_identifier(target.schema));
}

}  // namespace

std::variant<DumpContent, engine::TenantFault> read_archive(const PgTools& tools,
                                                            const std::filesystem::path& archive,
                                                            const std::string& history_schema,
                                                            const engine::Patience& patience) {
  return read_output(
      tools.request("pg_restore", {"--section=data", "--file=-", "--", archive.string()}),
      history_schema,
      patience);
}

std::variant<DumpContent, engine::TenantFault> read_live(const PgTools& tools,
                                                         const engine::Target& target,
                                                         Extent extent,
                                                         const std::string& history_schema,
                                                         const engine::Patience& patience) {
  std::vector<std::string> arguments{"--format=plain", "--section=data"};
  if (extent == Extent::schema) {
    arguments.push_back(schema_argument(target));
  }
  const auto passfile = passfile_for(target);
  return read_output(
      tools.request("pg_dump", target, passfile.get(), arguments), history_schema, patience);
}

std::string PgDumpProvider::extension_for(const BackupSubject& subject) const {
  const bool large = options_.large > 0 && subject.bytes >= options_.large;
  return large && subject.extent == Extent::whole ? "dir" : "dump";
}

std::vector<std::string> PgDumpProvider::arguments(const BackupSubject& subject,
                                                   const std::filesystem::path& part) const {
  std::vector<std::string> arguments{
      fmt::format("--file={}", part.string()),
      fmt::format("--lock-wait-timeout={}", options_.lock_timeout.count())};
  if (extension_for(subject) == "dir") {
    arguments.insert(arguments.end(),
                     {"--format=directory", fmt::format("--jobs={}", options_.jobs)});
  } else {
    arguments.emplace_back("--format=custom");
  }
  if (!options_.compress.empty()) {
    arguments.push_back(fmt::format("--compress={}", options_.compress));
  }
  if (subject.extent == Extent::schema) {
    arguments.push_back(schema_argument(subject.tenant.target));
  }
  return arguments;
}

MadeOrFault PgDumpProvider::make(const BackupSubject& subject,
                                 const BackupId&,
                                 const std::filesystem::path& part,
                                 const engine::Patience& patience) {
  const engine::Target& target = subject.tenant.target;
  const auto passfile = passfile_for(target);
  ChildRequest request =
      tools_.request("pg_dump", target, passfile.get(), arguments(subject, part));
  const ChildResult result = run(request, patience);
  if (auto fault = tool_fault(request, result, "backup_failed")) {
    return std::move(*fault);
  }
  auto content =
      read_archive(tools_,
                   part,
                   options_.history_schema.empty() ? target.schema : options_.history_schema,
                   patience);
  if (auto* const fault = std::get_if<engine::TenantFault>(&content)) {
    return std::move(*fault);
  }
  DumpContent& dump = std::get<DumpContent>(content);
  if (auto fault = identity_fault(subject, dump.uid)) {
    return std::move(*fault);
  }
  if (auto fault = history_fault(subject, dump)) {
    return std::move(*fault);
  }
  Made made;
  made.server_version = std::move(dump.server_version);
  made.tool_version = std::move(dump.tool_version);
  made.rows_as = "copy";
  made.tables = std::move(dump.tables);
  return made;
}

}  // namespace drover::orchestrator::backup

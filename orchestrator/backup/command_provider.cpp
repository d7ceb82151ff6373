#include "orchestrator/backup/command_provider.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/base/time_left.h"
#include "orchestrator/backup/pg_tools.h"
#include "orchestrator/first_line.h"

namespace drover::orchestrator::backup {
namespace {

namespace fs = std::filesystem;
using engine::base::ChildRequest;
using engine::base::ChildResult;
using Json = nlohmann::json;

struct Facts {
  const Tenant& tenant;
  std::string id;
  std::string uid;
  std::string run;
  std::string environment;
  std::string schema;
  fs::path file;
};

ChildRequest request_for(const std::vector<std::string>& argv,
                         const fs::path& directory,
                         const Facts& facts,
                         const engine::base::PassFile* passfile,
                         const engine::Patience& patience) {
  const engine::Target& target = facts.tenant.target;
  ChildRequest request;
  request.argv = argv;
  request.directory = directory;
  request.deadline = engine::base::time_left(patience);
  request.stop = patience.stop;
  request.variables = {{"DROVER_BACKUP", facts.id},
                       {"DROVER_TENANT", facts.tenant.id.value},
                       {"DROVER_UID", facts.uid},
                       {"DROVER_RUN", facts.run},
                       {"DROVER_ENVIRONMENT", facts.environment},
                       {"DROVER_SERVER", target.server},
                       {"DROVER_DATABASE", target.database},
                       {"DROVER_SCHEMA", facts.schema},
                       {"DROVER_CONNECTION", target.connection},
                       {"DROVER_FILE", facts.file.string()}};
  if (passfile != nullptr) {
    request.variables["PGPASSFILE"] = passfile->path();
  }
  return request;
}

std::optional<engine::TenantFault> command_fault(const ChildRequest& request,
                                                 const ChildResult& result,
                                                 std::string kind) {
  if (result.succeeded()) {
    return std::nullopt;
  }
  const std::string said = first_line(result.errors.empty() ? result.output : result.errors);
  kind = result.end == ChildResult::End::timed_out
             ? "backup_timed_out"
             : (result.end == ChildResult::End::stopped ? "interrupted" : std::move(kind));
  return backup_fault(std::move(kind),
                      fmt::format("command '{}' {}{}{}",
                                  request.argv.front(),
                                  describe(result, request),
                                  said.empty() ? "" : ": ",
                                  said),
                      "See what it says.");
}

engine::TenantFault bad_answer(const ChildRequest& request, const std::string& why) {
  return backup_fault("backup_failed",
                      fmt::format("command '{}' {}", request.argv.front(), why),
                      "Let it print one line of JSON: {\"handle\": \"...\"}.");
}

/// Reads the answer of a program that succeeded. Whether it wrote a file shows by itself.
MadeOrFault made_of(const ChildRequest& request, const std::string& output, bool wrote_file) {
  const Json answer = Json::parse(output, nullptr, false);
  if (!answer.is_object()) {
    return bad_answer(request, "did not print an object of JSON");
  }
  Made made;
  for (const auto& [key, value] : answer.items()) {
    if (key == "handle" && value.is_string()) {
      made.handle = value.get<std::string>();
    } else if (key == "sha256" && value.is_string()) {
      made.sha256 = value.get<std::string>();
    } else if (key == "bytes" && value.is_number_unsigned()) {
      made.bytes = value.get<std::uint64_t>();
    } else {
      return bad_answer(request,
                        fmt::format("printed '{}', which is not known or no such value", key));
    }
  }
  if (made.handle.empty() && !wrote_file) {
    return bad_answer(request, "wrote no DROVER_FILE and printed no handle");
  }
  return made;
}

}  // namespace

MadeOrFault CommandProvider::make(const BackupSubject& subject,
                                  const BackupId& id,
                                  const fs::path& part,
                                  const engine::Patience& patience) {
  const auto passfile = passfile_for(subject.tenant.target);
  const Facts facts{subject.tenant,
                    id.value,
                    subject.uid,
                    subject.run,
                    subject.environment,
                    subject.extent == Extent::schema ? subject.tenant.target.schema : "",
                    part};
  const ChildRequest request = request_for(argv_, directory_, facts, passfile.get(), patience);
  const ChildResult result = run_child(request);
  if (auto fault = command_fault(request, result, "backup_failed")) {
    return std::move(*fault);
  }
  return made_of(request, result.output, fs::exists(fs::symlink_status(part)));
}

std::optional<engine::TenantFault> restore_by_command(const std::vector<std::string>& argv,
                                                      const fs::path& directory,
                                                      const Backup& backup,
                                                      const Tenant& tenant,
                                                      const fs::path& file,
                                                      const engine::Patience& patience) {
  if (argv.empty()) {
    return backup_fault("restore_refused",
                        "the backup was made by a command, and none is named that puts it back",
                        "Give backup.restore_command.");
  }
  const auto passfile = passfile_for(tenant.target);
  const Facts facts{
      tenant, backup.id.value, backup.uid, backup.run, backup.environment, backup.schema, file};
  ChildRequest request = request_for(argv, directory, facts, passfile.get(), patience);
  request.variables["DROVER_HANDLE"] = backup.handle;
  return command_fault(request, run_child(request), "restore_failed");
}

}  // namespace drover::orchestrator::backup

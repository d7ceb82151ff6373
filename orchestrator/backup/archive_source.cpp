#include "orchestrator/backup/archive_source.h"

#include <fmt/format.h>

#include "engine/base/time_left.h"
#include "orchestrator/backup/pg_tools.h"

namespace drover::orchestrator::backup {
namespace {

using engine::base::ChildResult;

engine::TenantFault archive_fault(const ChildResult& result,
                                  const engine::base::ChildRequest& request) {
  const std::string line = telling_line(result.errors);
  engine::TenantFault fault;
  fault.kind = "restore_failed";
  fault.message =
      fmt::format("pg_restore {}{}{}", describe(result, request), line.empty() ? "" : ": ", line);
  fault.hint = "See what it says; the backup itself can be looked at with drover backups verify.";
  if (result.end == ChildResult::End::timed_out) {
    fault.kind = "restore_timed_out";
    fault.hint = "Give it more time.";
  } else if (result.end == ChildResult::End::stopped) {
    fault.code = ErrorCode::halted;
    fault.kind = "interrupted";
    fault.hint = "Restore again when you are ready.";
  }
  return fault;
}

}  // namespace

std::vector<std::string> ArchiveSource::arguments() const {
  const bool parallel = extent_ == Extent::whole && std::filesystem::is_directory(archive_);
  return {"--exit-on-error",
          "--no-password",
          parallel ? fmt::format("--jobs={}", tools_.jobs) : std::string("--single-transaction"),
          archive_.string()};
}

std::optional<engine::TenantFault> ArchiveSource::fill(const engine::Target& target,
                                                       const engine::Patience& patience) {
  engine::base::ChildRequest request = tools_.request("pg_restore", target, arguments());
  request.deadline = engine::base::time_left(patience);
  request.stop = patience.stop;
  const ChildResult result = engine::base::run_child(request);
  return result.succeeded() ? std::nullopt : std::optional(archive_fault(result, request));
}

}  // namespace drover::orchestrator::backup

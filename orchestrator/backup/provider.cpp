#include "orchestrator/backup/provider.h"

#include <utility>

#include <fmt/format.h>

namespace drover::orchestrator::backup {

engine::TenantFault backup_fault(std::string kind, std::string message, std::string hint) {
  engine::TenantFault fault;
  fault.code = kind == "interrupted" ? ErrorCode::halted : ErrorCode::incomplete;
  fault.kind = std::move(kind);
  fault.message = std::move(message);
  fault.hint = std::move(hint);
  return fault;
}

std::optional<engine::TenantFault> identity_fault(const BackupSubject& subject,
                                                  const std::string& uid_inside) {
  if (subject.uid == uid_inside || subject.uid.empty()) {
    return std::nullopt;
  }
  return backup_fault(
      "backup_not_proven",
      uid_inside.empty()
          ? fmt::format("the backup holds no history of tenant '{}'", subject.tenant.id.value)
          : fmt::format("the backup is of a tenant with uid {}, and '{}' has {}",
                        uid_inside,
                        subject.tenant.id.value,
                        subject.uid),
      "Look at what the backup program is, and what it connects to.");
}

}  // namespace drover::orchestrator::backup

/// Makes the copy of one tenant that a backup consists of, and proves it by reading it back.
///
/// What a backup is called, where it is kept and what is told of it is backup_maker.h's business.
/// Implementations: pg_dump_provider.h, command_provider.h; api/ has those of SQLite and of
/// template copies.
///
/// Thread safety: any thread, for another tenant each. Errors: what goes wrong with the tenant is a
/// TenantFault, of the kinds below; Error of the tools.
///
///     backup_failed      the copy could not be made; says what the tool said
///     backup_timed_out   not within the time that a backup may take
///     backup_not_proven  the copy cannot be read back, or is not of this tenant
///     interrupted        the run was stopped

#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "engine/clock.h"
#include "engine/content_digest.h"
#include "engine/fault.h"
#include "orchestrator/backup.h"

namespace drover::orchestrator::backup {

/// What is known of a copy that was made and read back.
struct Made {
  std::string handle = {};  ///< Of what is kept elsewhere.
  std::uint64_t bytes = 0;  ///< As above; a file's are counted.
  std::string sha256 = {};  ///< As above.
  std::string server_version = {};
  std::string tool_version = {};
  std::string rows_as = {};
  std::vector<engine::TableDigest> tables = {};
};

using MadeOrFault = std::variant<Made, engine::TenantFault>;

class Provider {
 public:
  Provider() = default;
  Provider(const Provider&) = delete;
  Provider& operator=(const Provider&) = delete;
  virtual ~Provider() = default;

  /// "dump", "dir", "db": what the copy of `subject` is.
  virtual std::string extension_for(const BackupSubject& subject) const = 0;

  /// Writes the copy to `part`, where nothing is yet, and proves it.
  virtual MadeOrFault make(const BackupSubject& subject,
                           const BackupId& id,
                           const std::filesystem::path& part,
                           const engine::Patience& patience) = 0;
};

/// A fault of one of the kinds above.
engine::TenantFault backup_fault(std::string kind, std::string message, std::string hint);

/// What `content` (a dump's, a file's) says of the tenant, against what its history said just
/// before; nullopt: it is of this tenant. A history that moved on meanwhile is no fault.
std::optional<engine::TenantFault> identity_fault(const BackupSubject& subject,
                                                  const std::string& uid_inside);

}  // namespace drover::orchestrator::backup

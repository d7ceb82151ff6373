#include "orchestrator/backup/backup_maker.h"

#include <utility>

#include <fmt/format.h>

#include "engine/error.h"

namespace drover::orchestrator::backup {
namespace {

Backup described(const BackupSubject& subject, BackupOptions::Provider kind) {
  const engine::Target& target = subject.tenant.target;
  Backup backup;
  backup.tenant = subject.tenant.id;
  backup.uid = subject.uid;
  backup.environment = subject.environment;
  backup.server = target.server;
  backup.database = target.database;
  backup.schema = subject.extent == Extent::schema ? target.schema : "";
  backup.provider = kind;
  backup.run = subject.run;
  backup.heads = subject.heads;
  backup.epoch = subject.epoch;
  backup.started = std::chrono::system_clock::now();
  return backup;
}

}  // namespace

std::variant<Backup, engine::TenantFault> make_backup(const Vault& vault,
                                                      Provider& provider,
                                                      BackupOptions::Provider kind,
                                                      const BackupSubject& subject,
                                                      const engine::Patience& patience) {
  try {
    Backup backup = described(subject, kind);
    Vault::Draft draft = vault.begin(folder_of(subject), provider.extension_for(subject));
    MadeOrFault result = provider.make(subject, draft.id(), draft.path(), patience);
    if (auto* const fault = std::get_if<engine::TenantFault>(&result)) {
      return std::move(*fault);
    }
    Made& made = std::get<Made>(result);
    backup.handle = std::move(made.handle);
    backup.bytes = made.bytes;
    backup.sha256 = std::move(made.sha256);
    backup.server_version = std::move(made.server_version);
    backup.tool_version = std::move(made.tool_version);
    backup.rows_as = std::move(made.rows_as);
    backup.tables = std::move(made.tables);
    return vault.keep(std::move(draft), std::move(backup));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::storage) {
      return engine::fault_from(error);
    }
    return backup_fault(
        "backup_not_kept",
        fmt::format(
            "{}{}{}", error.place().file, error.place().file.empty() ? "" : " ", error.what()),
        error.hint());
  }
}

}  // namespace drover::orchestrator::backup

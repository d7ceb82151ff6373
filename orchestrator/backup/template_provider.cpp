#include "orchestrator/backup/template_provider.h"

#include <utility>

#include "orchestrator/backup/record_digest.h"
#include "orchestrator/backup/template_copy.h"

namespace drover::orchestrator::backup {

std::string mark_of(const BackupId& id) {
  const std::size_t dash = id.value.rfind('-');
  return dash == std::string::npos ? id.value : id.value.substr(dash + 1);
}

MadeOrFault TemplateProvider::make(const BackupSubject& subject,
                                   const BackupId& id,
                                   const std::filesystem::path&,
                                   const engine::Patience& patience) {
  if (subject.extent == Extent::schema) {
    return backup_fault("backup_failed",
                        "a template copy is of a whole database, and the tenant is a schema",
                        "Use pg_dump for tenants that are schemas.");
  }
  auto result = make_template_copy(subject, mark_of(id), means_, patience);
  if (auto* const fault = std::get_if<engine::TenantFault>(&result)) {
    return std::move(*fault);
  }
  TemplateCopy& copy = std::get<TemplateCopy>(result);
  Made made;
  made.handle = std::move(copy.database);
  made.server_version = std::move(copy.server_version);
  made.rows_as = kRowsAsRecord;
  made.tables = std::move(copy.tables);
  return made;
}

}  // namespace drover::orchestrator::backup

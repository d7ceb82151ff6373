/// Backups by template copy: databases of the same server. See template_copy.h.
///
/// Thread safety and errors: see provider.h.

#pragma once

#include "orchestrator/backup/provider.h"
#include "orchestrator/backup/restore_means.h"

namespace drover::orchestrator::backup {

class TemplateProvider final : public Provider {
 public:
  explicit TemplateProvider(RestoreMeans means) : means_(std::move(means)) {}

  std::string extension_for(const BackupSubject&) const override { return "copy"; }
  MadeOrFault make(const BackupSubject& subject,
                   const BackupId& id,
                   const std::filesystem::path& part,
                   const engine::Patience& patience) override;

 private:
  const RestoreMeans means_;
};

/// What tells the things that are made of a backup from others in names: the end of its id.
std::string mark_of(const BackupId& id);

}  // namespace drover::orchestrator::backup

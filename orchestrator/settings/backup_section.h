/// The `backup:` section of an environment, and what a stage says of backups.
///
/// Thread safety: one thread at a time. Errors: see section.h and given.h; a provider without what
/// it needs (a directory, a command, maintenance) is Error usage too.

#pragma once

#include <string>

#include "orchestrator/options.h"
#include "orchestrator/settings/section_reader.h"
#include "orchestrator/settings/yaml_document.h"

namespace drover::orchestrator::settings {

BackupOptions read_backup(const YamlNode& node,
                          const std::string& name,
                          const SectionReader& reader);

/// `backup: {policy, max_age}` of a stage.
void read_stage_backup(const YamlNode& node, const std::string& name, Stage& stage);

}  // namespace drover::orchestrator::settings

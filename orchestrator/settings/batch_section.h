/// The `batches:` section of an environment.
///
/// Thread safety: one thread at a time. Errors: see section.h and given.h.

#pragma once

#include <string>

#include "orchestrator/options.h"
#include "orchestrator/settings/section_reader.h"
#include "orchestrator/settings/yaml_document.h"

namespace drover::orchestrator::settings {

BatchSettings read_batches(const YamlNode& node,
                           const std::string& name,
                           const SectionReader& reader);

}  // namespace drover::orchestrator::settings

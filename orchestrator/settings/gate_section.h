/// The `gate:` and `window:` of a stage.
///
/// Thread safety: one thread at a time. Errors: see section.h and given.h.

#pragma once

#include <string>

#include "orchestrator/rollout_options.h"
#include "orchestrator/settings/section_reader.h"
#include "orchestrator/settings/yaml_document.h"

namespace drover::orchestrator::settings {

Gate read_gate(const YamlNode& node, const std::string& name, const SectionReader& reader);

Window read_window(const YamlNode& node, const std::string& name);

}  // namespace drover::orchestrator::settings

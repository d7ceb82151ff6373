/// The `rollout:` section of an environment.
///
/// Thread safety: one thread at a time. Errors: see section.h and given.h; a stage that raises a
/// limit, two stages of one name or with one tenant, and stages that leave tenants out, or take
/// more than 100 percent, are Error usage too.

#pragma once

#include <string>

#include "orchestrator/options.h"
#include "orchestrator/settings/section_reader.h"
#include "orchestrator/settings/yaml_document.h"

namespace drover::orchestrator::settings {

/// `limits` are those of the environment: a stage can only lower them.
RolloutOptions read_rollout(const YamlNode& node,
                            const std::string& name,
                            const Limits& limits,
                            const SectionReader& reader);

}  // namespace drover::orchestrator::settings

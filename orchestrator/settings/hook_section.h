/// The `hooks:` of an environment.
///
/// Thread safety: one thread at a time. Errors: see section.h and given.h; a hook of stages that
/// the environment does not have is Error usage too.

#pragma once

#include <string>
#include <vector>

#include "orchestrator/options.h"
#include "orchestrator/settings/yaml_document.h"

namespace drover::orchestrator::settings {

/// `rollout` is the environment's; null when it has none.
std::vector<HookOptions> read_hooks(const YamlNode& node,
                                    const std::string& name,
                                    const RolloutOptions* rollout);

}  // namespace drover::orchestrator::settings

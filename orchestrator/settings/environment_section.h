/// One entry of `environments:`.
///
/// Thread safety: one thread at a time. Errors: see section.h, given.h, secrets.h.

#pragma once

#include <string>

#include "orchestrator/options.h"
#include "orchestrator/settings/origins.h"
#include "orchestrator/settings/section.h"
#include "orchestrator/settings/section_reader.h"

namespace drover::orchestrator::settings {

/// Reads the environment `entry`. `common` holds what is said for all environments; `secrets` is
/// the `secrets:` section, or null.
Environment read_environment(const YamlEntry& entry,
                             const Environment& common,
                             const Section* secrets,
                             const SectionReader& reader,
                             Origins& origins);

}  // namespace drover::orchestrator::settings

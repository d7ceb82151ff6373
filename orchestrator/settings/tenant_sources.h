/// The `tenants:` list of an environment: where its fleet comes from.
///
/// Each item is a mapping with one source (list, file, query, databases, schemas, sqlite or
/// command) and, if wanted, `labels` and `secret` for all its tenants. inventory/ asks the sources.
///
/// Thread safety: one thread at a time. Errors: see section.h, given.h, secrets.h.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "orchestrator/options.h"
#include "orchestrator/settings/section.h"
#include "orchestrator/settings/section_reader.h"

namespace drover::orchestrator::settings {

/// `node` is the list, `name` its name in messages; `secrets` is the `secrets:` section, or null.
std::vector<TenantSource> read_tenant_sources(const YamlNode& node,
                                              const std::string& name,
                                              const Section* secrets,
                                              const SectionReader& reader);

/// "list", "query" ...: the key that the source stands under. Points to static storage.
std::string_view kind_name_of(const TenantSource& source) noexcept;

}  // namespace drover::orchestrator::settings

/// What outside of a schema is bound to something in it, and would stay bound to the old one when
/// the schema is renamed away: foreign keys, views, defaults, columns of its types, functions with
/// bodies that the server tracks, partitions, publications, extensions that live in it.
///
/// As pg_depend tells it; a function's text in quotes is no more than text to the server, and what
/// it names is looked up when it runs.
///
/// Thread safety: a free function. Errors: RestoreFailure (desk.h).

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "orchestrator/backup/desk.h"

namespace drover::orchestrator::backup {

/// "view other.v", "table constraint fk on other.t", sorted.
std::vector<std::string> references_to_schema(Desk& desk,
                                              std::string_view schema,
                                              const engine::Patience& patience);

}  // namespace drover::orchestrator::backup

/// What a PostgreSQL session is given before it works, and what is taken away again between two
/// revisions, so that a migration that leaves a role, a search_path or a temporary table behind
/// does not change what the next one means.
///
/// Never DISCARD ALL: it drops the tenant's lock. RESET ALL takes the settings of a session away
/// (those given at start-up survive it), so they are sent again before the next BEGIN.
/// SQLite has no such state; its lists are empty.
///
/// Thread safety: pure functions.

#pragma once

#include <vector>

#include "engine/history.h"
#include "engine/target.h"

namespace drover::engine {

/// Statements that a session needs before it works for a tenant in `schema`: when it is fresh, when
/// it was reset, and when it worked for another schema before.
std::vector<OwnedStatement> settings_statements(Dialect dialect,
                                                const SessionInfo& info,
                                                const std::string& schema,
                                                const TenantFacts& facts);

/// Statements that take away what a revision may have left. Send settings_statements() after them.
const std::vector<OwnedStatement>& reset_statements(Dialect dialect);

}  // namespace drover::engine

/// What a PostgreSQL session is given before it works, and what is taken away again between two
/// revisions, so that a migration that leaves a role, a search_path or a temporary table behind
/// does not change what the next one means.
///
/// Never DISCARD ALL: it drops the tenant's lock. RESET ALL leaves what was given at the start of
/// the session and takes away what was set later, which is sent again before the next BEGIN.
/// SQLite has no such state; its lists are empty.
///
/// Thread safety: pure functions.

#pragma once

#include <string_view>
#include <vector>

#include "engine/history.h"
#include "engine/target.h"

namespace drover::engine {

/// Names the one schema in which unqualified names are looked up.
SessionSetting search_path_setting(const std::string& schema);

/// What a session needs to work for a tenant in `schema`.
std::vector<SessionSetting> session_settings(Dialect dialect,
                                             const std::string& schema,
                                             const TenantFacts& facts);

/// Sets those of `settings` that the session does not have from its start, and empties facts that
/// it has and should not: when it is fresh, when it was reset, and when it worked for another
/// tenant before.
std::vector<OwnedStatement> settings_statements(const SessionInfo& info,
                                                const std::vector<SessionSetting>& settings);

/// The one of reset_statements() that takes prepared statements away.
inline constexpr std::string_view kForgetPrepared = "DEALLOCATE ALL";

/// Statements that take away what a revision may have left. Send settings_statements() after them.
const std::vector<OwnedStatement>& reset_statements(Dialect dialect);

}  // namespace drover::engine

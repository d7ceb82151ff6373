/// The second look at a migration's statement before it is sent: transaction control, and COPY from
/// or to the client.
///
/// The loader has refused both already, with file and line; this guard is for texts that came
/// another way. It reads words only, so that it costs nothing and new syntax passes. What it cannot
/// see (a server that opens a COPY all the same) is noticed by pg_session.cpp in the answer.
///
/// Thread safety: free functions without state.

#pragma once

#include <optional>
#include <string_view>

#include "engine/session.h"

namespace drover::engine::postgres {

/// Why `sql`, one statement of a migration, is not sent; nullopt for almost all.
std::optional<SqlError> refusal_of_migration_statement(std::string_view sql);

}  // namespace drover::engine::postgres

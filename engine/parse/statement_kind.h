/// Tells from the first tokens of a statement what it is, as far as safe execution asks.
///
/// Works on tokens, so that syntax newer than any parser we link is never an error by itself.
/// pg_parser.h adds what only a grammar can know.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/dialect.h"
#include "engine/migration.h"

namespace drover::engine::parse {

StatementKind kind_of(std::string_view statement, Dialect dialect);

/// Whether PostgreSQL refuses this kind inside a transaction block, or it is pointless there.
bool needs_no_transaction(StatementKind kind) noexcept;

}  // namespace drover::engine::parse

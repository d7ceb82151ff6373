/// Tells from the first tokens of a statement what it is, as far as safe execution asks.
///
/// Works on tokens, so that syntax newer than any parser we link is never an error by itself.
/// pg_parser.h adds what only a grammar can know. What text cannot tell is on the safe side: a
/// REINDEX TABLE counts as one that refuses a transaction, as that of a partitioned table does.
///
/// Thread safety: free functions without state.

#pragma once

#include <string_view>

#include "engine/dialect.h"
#include "engine/migration.h"

namespace drover::engine::parse {

/// What `statement` is, one statement as split_statements() gives it. Comments are no part of it,
/// and a name in quotes is never a keyword.
StatementKind kind_of(std::string_view statement, Dialect dialect);

/// Whether PostgreSQL refuses this kind inside a transaction block, or it is pointless there.
/// SQLite refuses VACUUM alone.
bool needs_no_transaction(StatementKind kind) noexcept;

/// Whether the group in parentheses behind the first word of a statement of PostgreSQL switches
/// `option` on: REINDEX (CONCURRENTLY) and VACUUM (FULL true) do, (FULL off) does not.
bool has_option(std::string_view statement, std::string_view option);

/// Whether the first tokens of `statement` fit `pattern`: lower-case words, [word] for one that may
/// be absent, () for a group in parentheses, [()] for such that may be absent, ? for any one token,
/// ... for any number of them. "create [unique] index concurrently", for example.
bool fits(std::string_view statement, Dialect dialect, std::string_view pattern);

}  // namespace drover::engine::parse

/// Asks a control database one read-only question. The only file of this room that knows libpqxx.
///
/// Every call is a connection of its own, closed at its end: libpqxx 6.4 would otherwise reconnect
/// by itself and go on in another session.
///
/// Thread safety: calls are independent.
/// Errors: without a place; Error unreachable (source_unreachable) when the server cannot be
/// connected to, Error usage (source_failed) when it refuses the statement. No message holds the
/// connection's words.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/target.h"
#include "orchestrator/options.h"

namespace drover::orchestrator::inventory {

struct QueryAnswer {
  std::vector<std::string> columns;
  std::vector<std::vector<std::optional<std::string>>> rows;
};

constexpr std::size_t kMostRows = 1'000'000;

/// `target` is a PostgreSQL database. `sql` is one statement, run in a read-only transaction with
/// `timeouts.statement`.
QueryAnswer query_postgres(const engine::Target& target,
                           const std::string& sql,
                           const Timeouts& timeouts);

/// The same for the SQLite file `target`, opened read-only (control_query_sqlite.cpp).
QueryAnswer query_sqlite(const engine::Target& target, const std::string& sql);

}  // namespace drover::orchestrator::inventory

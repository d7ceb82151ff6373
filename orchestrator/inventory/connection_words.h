/// The few things that the inventory does to connection words ("host=db1 dbname='my db'").
///
/// What the words mean is the target parser's affair; here they are only cut and put together, by
/// libpq's rules for quotes and backslashes.
///
/// Thread safety: pure functions.

#pragma once

#include <string>
#include <string_view>

namespace drover::orchestrator::inventory {

/// `keyword='value'` as libpq reads it, whatever `value` holds.
std::string connection_word(std::string_view keyword, std::string_view value);

/// `words` (libpq's keyword notation, as in Target::connection) with `name` as their database.
std::string with_database(std::string_view words, std::string_view name);

/// True when `server`, a URL or words, says which database to ask for the others. libpq would
/// otherwise take one called like the user, which is seldom there.
bool names_database(std::string_view server);

}  // namespace drover::orchestrator::inventory

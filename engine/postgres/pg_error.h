/// What libpq knows of a failure, as an SqlError.
///
/// Thread safety: free functions without state. Errors: none.

#pragma once

#include <libpq-fe.h>

#include <string_view>

#include "engine/postgres/pg_wait.h"
#include "engine/session.h"

namespace drover::engine::postgres {

/// From an error result of a statement. FATAL and PANIC end the session: Origin::connection.
SqlError error_of(const PGresult& result);

/// From the text of a connection attempt that failed, or of a connection that was lost:
///
///   connection to server at "::1", port 5432 failed: FATAL:  28P01: password authentication ...
///
/// libpq has no field for the SQLSTATE there, but writes it into the text when the verbosity is
/// PQERRORS_VERBOSE. Severities are translated by servers, so the two blanks before the state and
/// the colon after it are all that is looked for.
SqlError connection_error(std::string_view text);

/// From a wait that ended early; `what` is what was waited for: "connecting", "a statement".
SqlError patience_error(Waited waited, std::string_view what);

/// We refused to send something, or to go on.
SqlError refusal(std::string_view message, std::string_view hint);

}  // namespace drover::engine::postgres

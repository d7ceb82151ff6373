/// Opens a libpq connection within a deadline, and asks for the cancellation of what runs on one.
///
/// Host names are resolved by libpq, which blocks: there alone the deadline is not watched.
/// Everything else (TCP, TLS, authentication) waits in poll().
///
/// Thread safety: free functions without state.

#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/postgres/pg_handles.h"
#include "engine/session.h"

namespace drover::engine::postgres {

struct Connected {
  PgConnection connection;  ///< Null exactly when there is an error. Non-blocking.
  std::optional<SqlError> error;
};

Connected connect(const Target& target, const OpenOptions& options, const Patience& patience);

/// The startup parameter "options" of a session on the direct address: timeouts and all of
/// OpenOptions::settings, which so survive RESET ALL. `target_options` are those that the target
/// itself brings. Values are data: blanks and backslashes are escaped.
std::string startup_options(const OpenOptions& options, const std::string& target_options);

/// Sends a cancel request on a thread of its own, because libpq 15's PQcancel blocks (at most for
/// tcp_user_timeout). The thread keeps `cancel` alive and ends by itself; that is why the pointer
/// is shared. The request travels unencrypted, as libpq 15 always sends it.
void request_cancel(const std::shared_ptr<PGcancel>& cancel) noexcept;

}  // namespace drover::engine::postgres

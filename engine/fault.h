/// What went wrong with one tenant, and what it means for what comes next.
///
/// One table (fault.cpp) turns an SQLSTATE or an SQLite code into a kind, a class and a hint;
/// nobody else looks at codes or, worse, at texts. What the orchestrator does with a class (retry,
/// pause the server, stop the run) is its own affair.
///
/// Thread safety: values and free functions.

#pragma once

#include <exception>
#include <optional>
#include <string>
#include <string_view>

#include "engine/error.h"
#include "engine/session.h"

namespace drover::engine {

/// What a fault says about trying again.
enum class FaultClass {
  permanent,       ///< This tenant needs a person. Trying again gives the same.
  transient,       ///< Trying the unit again may well succeed: lock timeout, deadlock.
  server_down,     ///< The server as a whole: pause it, probe it, blame no tenant.
  session_killed,  ///< 57P01: this session was ended. Retry, and probe the server once.
  server_suspect,  ///< 58P01: a second session tells whether the server or the migration is bad.
  no_connection,   ///< The connection broke or never came to be; a probe tells which.
  authentication,  ///< Read the secret again once, then permanent.
  fatal,           ///< The whole run would go wrong the same way.
};

/// Why one tenant is not where it should be. The value that travels into results, the journal and
/// JSON; it never holds row data or a password.
struct TenantFault {
  ErrorCode code = ErrorCode::incomplete;
  FaultClass fault_class = FaultClass::permanent;
  std::string kind;      ///< Stable snake_case: "lock_timeout", "verify_failed" ...
  std::string sqlstate;  ///< Empty when no database was involved.
  std::string message;   ///< One sentence that names the revision where there is one.
  std::string hint;      ///< A whole sentence.
  std::string revision;  ///< Empty when it is not about one.
  Place place;           ///< Of the statement, in the migration file.
  std::optional<Blocker> blocker;
};

/// The row of the table for `sqlstate` ("55P03", "SQLITE_BUSY").
struct FaultKind {
  FaultClass fault_class;
  std::string_view kind;
  std::string_view hint;
};
FaultKind fault_kind_of(const SqlError& error);

/// `error` as a fault of the tenant; `doing` is put before the server's words: "revision '0004'".
TenantFault fault_from(const SqlError& error, std::string_view doing);

/// What was thrown on a tenant's thread, as its fault: an Error with its own words, anything else
/// as a bug of ours.
TenantFault fault_from(const std::exception& thrown);

/// A text that is equal for equal causes: kind, sqlstate and the message with numbers and quoted
/// names taken out. Groups "37 tenants, one cause".
std::string fingerprint_of(const TenantFault& fault);

}  // namespace drover::engine

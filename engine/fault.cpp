#include "engine/fault.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

namespace drover::engine {
namespace {

struct Row {
  std::string_view sqlstate;  ///< A full code, or the first characters of a class.
  FaultKind kind;
};

using enum FaultClass;

/// Looked through from the top, so a full code stands before its class. PostgreSQL's codes are
/// those of its appendix A; what each means for a retry was tried on PostgreSQL 15.
constexpr std::array kTable = {
    Row{"55P03",
        {transient, "lock_timeout", "Ask the session that holds the lock to end, or try later."}},
    Row{"40P01",
        {transient, "deadlock", "Look for a second writer that takes locks in another order."}},
    Row{"40001", {transient, "serialization_failure", "Try again when the tenant is quieter."}},
    Row{"57014",
        {transient,
         "statement_timeout",
         "Raise the statement timeout, or split the statement into smaller ones."}},
    Row{"57P01", {session_killed, "session_terminated", "Find out who ended the session."}},
    Row{"57P02", {server_down, "server_crashed", "Look into the server's log."}},
    Row{"57P03", {server_down, "server_not_ready", "Wait until the server accepts connections."}},
    Row{"57P04", {permanent, "database_dropped", "Remove the tenant from the fleet."}},
    Row{"25P03", {session_killed, "idle_transaction_ended", "Try again."}},
    Row{"57P05", {session_killed, "idle_session_ended", "Try again."}},
    Row{"53300",
        {server_down, "too_many_connections", "Lower the limit of sessions for this server."}},
    Row{"53400", {server_down, "configuration_limit", "Look at the limits that the server has."}},
    Row{"53100", {server_down, "disk_full", "Free space on the server."}},
    Row{"53200",
        {transient,
         "out_of_memory",
         "Run fewer tenants of this database at once, or raise max_locks_per_transaction."}},
    Row{"58P01",
        {server_suspect,
         "server_file_missing",
         "If the server was upgraded in place, restart it; otherwise mend the migration."}},
    Row{"28",
        {authentication, "authentication_failed", "Check the user, the password and pg_hba.conf."}},
    Row{"3D000", {permanent, "database_missing", "Create the database or remove the tenant."}},
    Row{"3F000", {permanent, "schema_missing", "Create the schema or remove the tenant."}},
    Row{"42501", {permanent, "permission_denied", "Grant the migrating role what it lacks."}},
    Row{"42601", {permanent, "syntax_error", "Mend the statement in the migration file."}},
    Row{"42P07",
        {permanent,
         "already_exists",
         "The tenant holds something that its history does not tell of; compare the two."}},
    Row{"42710",
        {permanent,
         "already_exists",
         "The tenant holds something that its history does not tell of; compare the two."}},
    Row{"42P01",
        {permanent,
         "undefined_table",
         "The tenant lacks something that its history tells of; compare the two."}},
    Row{"25006",
        {permanent, "read_only", "Point the tenant at the primary; this server takes no writes."}},
    Row{"25001",
        {permanent,
         "not_in_transaction",
         "Put the statement into a section marked no-transaction."}},
    Row{"23", {permanent, "constraint_violated", "Mend the rows that stand in the way."}},
    Row{"22", {permanent, "data_error", "Mend the rows that stand in the way."}},
    Row{"42", {permanent, "sql_error", "Mend the statement in the migration file."}},
    Row{"08P01", {permanent, "protocol_violation", "See what stands between us and the server."}},
    Row{"08", {no_connection, "connection_lost", "Check the network and the server."}},
    Row{"XX001", {fatal, "data_corrupted", "Stop and look at the server's disk before anything."}},
    Row{"SQLITE_BUSY", {transient, "lock_held", "Close the application that writes to the file."}},
    Row{"SQLITE_LOCKED", {transient, "lock_held", "Close whoever uses the same table."}},
    Row{"SQLITE_CONSTRAINT",
        {permanent, "constraint_violated", "Mend the rows that stand in the way."}},
    Row{"SQLITE_NOTADB", {permanent, "not_a_database", "Check the path: this is another file."}},
    Row{"SQLITE_CORRUPT", {permanent, "file_corrupt", "Restore the file from a backup."}},
    Row{"SQLITE_CANTOPEN",
        {permanent, "file_missing", "Restore the file, or ask for new files with --create-files."}},
    Row{"SQLITE_EMPTY",
        {permanent, "file_empty", "Restore the file, or ask for new files with --create-files."}},
    Row{"SQLITE_READONLY", {permanent, "read_only", "Give the migrating user write access."}},
    Row{"SQLITE_FULL", {server_down, "disk_full", "Free space on the disk."}},
    Row{"SQLITE_IOERR", {server_down, "disk_error", "Look at the disk."}},
    Row{"SQLITE_INTERRUPT", {transient, "statement_timeout", "Raise the statement timeout."}},
    Row{"SQLITE_AUTH",
        {permanent, "statement_refused", "Take the statement out of the migration file."}},
    Row{"SQLITE_ERROR", {permanent, "sql_error", "Mend the statement in the migration file."}},
};

constexpr FaultKind kUnknown{permanent, "sql_error", "Look at the server's message."};

FaultKind kind_by_origin(SqlError::Origin origin) {
  switch (origin) {
    case SqlError::Origin::connection:
      return {no_connection, "connection_lost", "Check the network and the server."};
    case SqlError::Origin::deadline:
      return {
          transient, "deadline_exceeded", "Raise the timeout, or see what the server waits for."};
    case SqlError::Origin::stopped:
      return {permanent, "interrupted", "Resume the run to go on."};
    case SqlError::Origin::refused:
      return {permanent, "statement_refused", "Take the statement out of the migration file."};
    case SqlError::Origin::server:
      break;
  }
  return kUnknown;
}

/// The exit status that a tenant's fault stands for.
ErrorCode code_of(const FaultKind& kind) {
  if (kind.kind == "lock_held") {
    return ErrorCode::busy;
  }
  if (kind.kind == "interrupted") {
    return ErrorCode::halted;
  }
  const bool unreachable = kind.fault_class == no_connection || kind.fault_class == server_down ||
                           kind.fault_class == authentication || kind.kind == "database_missing" ||
                           kind.kind == "file_missing";
  return unreachable ? ErrorCode::unreachable : ErrorCode::incomplete;
}

/// `text` with every run of digits as '#' and every "quoted" or 'quoted' part as '?'. The
/// apostrophe of "tenant's" opens no quote.
std::string normalised(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool after_letter = i > 0 && std::isalpha(static_cast<unsigned char>(text[i - 1])) != 0;
    const std::size_t closing =
        c == '"' || (c == '\'' && !after_letter) ? text.find(c, i + 1) : std::string_view::npos;
    if (closing != std::string_view::npos) {
      result += '?';
      i = closing;
    } else if (std::isdigit(static_cast<unsigned char>(c)) != 0) {
      if (result.empty() || result.back() != '#') {
        result += '#';
      }
    } else {
      result += c;
    }
  }
  return result;
}

}  // namespace

FaultKind fault_kind_of(const SqlError& error) {
  const auto row = std::find_if(kTable.begin(), kTable.end(), [&](const Row& candidate) {
    return !error.sqlstate.empty() && error.sqlstate.starts_with(candidate.sqlstate);
  });
  const bool says_more =
      error.origin == SqlError::Origin::server || error.origin == SqlError::Origin::connection;
  if (row != kTable.end() && says_more) {
    return row->kind;
  }
  return kind_by_origin(error.origin);
}

TenantFault fault_from(const SqlError& error, std::string_view doing) {
  const FaultKind kind = fault_kind_of(error);
  TenantFault fault;
  fault.code = code_of(kind);
  fault.fault_class = kind.fault_class;
  fault.kind = std::string(kind.kind);
  fault.sqlstate = error.sqlstate;
  fault.message =
      doing.empty() ? error.message : fmt::format("{} failed: {}", doing, error.message);
  fault.hint = error.hint.empty() ? std::string(kind.hint)
                                  : fmt::format("{} The server says: {}", kind.hint, error.hint);
  fault.blocker = error.blocker;
  return fault;
}

TenantFault fault_from(const std::exception& thrown) {
  TenantFault fault;
  fault.message = thrown.what();
  if (const auto* const error = dynamic_cast<const Error*>(&thrown)) {
    fault.code = error->code();
    fault.kind = error->kind_name();
    fault.hint = error->hint();
    fault.place = error->place();
    return fault;
  }
  fault.code = ErrorCode::internal;
  fault.kind = "internal_error";
  fault.hint = "This is a bug in Drover; please report it with this message.";
  return fault;
}

std::string fingerprint_of(const TenantFault& fault) {
  return fmt::format(
      "{}:{}:{}:{}", fault.kind, fault.sqlstate, fault.revision, normalised(fault.message));
}

}  // namespace drover::engine

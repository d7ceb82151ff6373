#include "engine/fault.h"

#include <catch2/catch.hpp>

namespace drover::engine {
namespace {

SqlError server_error(std::string sqlstate, std::string message = "no") {
  SqlError error;
  error.sqlstate = std::move(sqlstate);
  error.message = std::move(message);
  return error;
}

SqlError lost(SqlError::Origin origin, std::string sqlstate = "") {
  SqlError error = server_error(std::move(sqlstate));
  error.origin = origin;
  return error;
}

TEST_CASE("a code tells what a fault means for the next attempt") {
  struct Row {
    const char* sqlstate;
    FaultClass fault_class;
    const char* kind;
    ErrorCode code;
  };
  const Row row = GENERATE(values<Row>({
      {"55P03", FaultClass::transient, "lock_timeout", ErrorCode::incomplete},
      {"40P01", FaultClass::transient, "deadlock", ErrorCode::incomplete},
      {"40001", FaultClass::transient, "serialization_failure", ErrorCode::incomplete},
      {"57014", FaultClass::transient, "statement_timeout", ErrorCode::incomplete},
      {"57P01", FaultClass::session_killed, "session_terminated", ErrorCode::incomplete},
      {"25P03", FaultClass::session_killed, "idle_transaction_ended", ErrorCode::incomplete},
      {"57P02", FaultClass::server_down, "server_crashed", ErrorCode::unreachable},
      {"57P03", FaultClass::server_down, "server_not_ready", ErrorCode::unreachable},
      {"53300", FaultClass::server_down, "too_many_connections", ErrorCode::unreachable},
      {"53100", FaultClass::server_down, "disk_full", ErrorCode::unreachable},
      {"53200", FaultClass::transient, "out_of_memory", ErrorCode::incomplete},
      {"58P01", FaultClass::server_suspect, "server_file_missing", ErrorCode::incomplete},
      {"28P01", FaultClass::authentication, "authentication_failed", ErrorCode::unreachable},
      {"28000", FaultClass::authentication, "authentication_failed", ErrorCode::unreachable},
      {"3D000", FaultClass::permanent, "database_missing", ErrorCode::unreachable},
      {"08006", FaultClass::no_connection, "connection_lost", ErrorCode::unreachable},
      {"08P01", FaultClass::permanent, "protocol_violation", ErrorCode::incomplete},
      {"25006", FaultClass::permanent, "read_only", ErrorCode::incomplete},
      {"42601", FaultClass::permanent, "syntax_error", ErrorCode::incomplete},
      {"42P07", FaultClass::permanent, "already_exists", ErrorCode::incomplete},
      {"42703", FaultClass::permanent, "sql_error", ErrorCode::incomplete},
      {"23505", FaultClass::permanent, "constraint_violated", ErrorCode::incomplete},
      {"XX001", FaultClass::fatal, "data_corrupted", ErrorCode::incomplete},
      {"P0001", FaultClass::permanent, "sql_error", ErrorCode::incomplete},
      {"SQLITE_BUSY", FaultClass::transient, "lock_held", ErrorCode::busy},
      {"SQLITE_BUSY_SNAPSHOT", FaultClass::transient, "lock_held", ErrorCode::busy},
      {"SQLITE_CONSTRAINT_UNIQUE",
       FaultClass::permanent,
       "constraint_violated",
       ErrorCode::incomplete},
      {"SQLITE_NOTADB", FaultClass::permanent, "not_a_database", ErrorCode::incomplete},
      {"SQLITE_CANTOPEN", FaultClass::permanent, "file_missing", ErrorCode::unreachable},
      {"SQLITE_FULL", FaultClass::server_down, "disk_full", ErrorCode::unreachable},
  }));
  const TenantFault fault = fault_from(server_error(row.sqlstate), "revision '0004'");
  CAPTURE(row.sqlstate);
  CHECK(fault.fault_class == row.fault_class);
  CHECK(fault.kind == row.kind);
  CHECK(fault.code == row.code);
  CHECK(fault.sqlstate == row.sqlstate);
  CHECK(fault.message == "revision '0004' failed: no");
  CHECK(fault.hint.ends_with("."));
}

TEST_CASE("what we ended ourselves is told by how we did it") {
  CHECK(fault_from(lost(SqlError::Origin::deadline, "57014"), "").kind == "deadline_exceeded");
  CHECK(fault_from(lost(SqlError::Origin::refused), "").kind == "statement_refused");
  CHECK(fault_from(lost(SqlError::Origin::connection), "").fault_class ==
        FaultClass::no_connection);
  CHECK(fault_from(lost(SqlError::Origin::connection, "57P01"), "").fault_class ==
        FaultClass::session_killed);
  const TenantFault stopped = fault_from(lost(SqlError::Origin::stopped), "");
  CHECK(stopped.kind == "interrupted");
  CHECK(stopped.code == ErrorCode::halted);
  CHECK(stopped.message == "no");
}

TEST_CASE("the server's own hint is kept beside ours") {
  SqlError error = server_error("42883");
  error.hint = "No function matches the given name.";
  CHECK(fault_from(error, "").hint ==
        "Mend the statement in the migration file. The server says: No function matches the given "
        "name.");
}

TEST_CASE("equal causes have equal fingerprints, whatever their numbers and names") {
  const auto print = [](const char* sqlstate, const char* message) {
    return fingerprint_of(fault_from(server_error(sqlstate, message), "revision '0004'"));
  };
  CHECK(print("23505", "duplicate key (id)=(17) in \"a_pkey\"") ==
        print("23505", "duplicate key (id)=(4711) in \"b_pkey\""));
  CHECK(print("23505", "duplicate key") != print("23503", "duplicate key"));
  CHECK(print("23505", "duplicate key") != print("23505", "another text"));
}

}  // namespace
}  // namespace drover::engine

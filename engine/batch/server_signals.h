/// What is asked of a PostgreSQL server, and of a tenant's database, on behalf of batches.
///
/// The statements and how their answers are read. When they are asked is server_watch.h's business,
/// what follows from the answers batch_throttle.h's.
///
/// Thread safety: plain functions. Errors: none; an answer has the columns that its statement
/// names.

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/batch_throttle.h"
#include "engine/session.h"

namespace drover::engine::batch {

/// Sessions of others that wait for backends of ours. $1: our pids.
std::string_view blocked_statement(int server_version) noexcept;
std::vector<BlockedReading> blocked_of(const ResultSet& answer);

/// Whether this role sees what other sessions do: true, or false.
inline constexpr std::string_view kRightsStatement =
    "SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')";

/// What is asked once a second.
struct SignalQuestion {
  enum class Needs { nothing, rights };
  enum class Takes { nothing, our_pids };

  BatchSignal signal;
  std::string_view sql;
  Needs needs;
  Takes takes;
  void (*note)(const ResultSet& answer, BatchThrottle& law, SteadyTime now);
};
std::span<const SignalQuestion> signal_questions() noexcept;

/// Rows of a table, and how long ago it was vacuumed. $1: its oid.
extern const std::string_view kTableStatement;
TableReading table_of(const ResultSet& answer);

/// Before a batch's own query, whose names are its tenant's. $1: the schema, quoted.
inline constexpr std::string_view kSchemaStatement =
    "SELECT pg_catalog.set_config('search_path', $1, false)";

/// What a batch's own query says: yes for true and for numbers but zero, no for false, zero, NULL
/// and no row. None: it is something else.
std::optional<bool> query_says_wait(const ResultSet& answer);

/// Segments that are finished and not archived. `last` is the name of the last one that was, in
/// full "000000010000000A000000FE"; 0 for what is not the name of a segment.
std::uint64_t archive_queue(std::string_view last,
                            std::uint64_t written_bytes,
                            std::uint64_t segment_bytes);

/// "{1,2}": a parameter for our pids.
std::string pid_array(const std::vector<std::int64_t>& pids);

}  // namespace drover::engine::batch

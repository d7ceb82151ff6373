/// PostgreSQL's own grammar (libpg_query), guarded.
///
/// libpg_query dies by SIGSEGV on very long expressions (128,000 terms), and no try/catch stops
/// that. So statements over a term cap are not given to it, and it runs on a thread of its own
/// with a big stack. Newer syntax than the linked grammar's is `not_understood`, never an error by
/// itself: the server will judge.
///
/// Thread safety: free functions; any number of threads.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace drover::engine::parse {

struct PgFinding {
  enum class Verdict { fine, not_understood, too_complex };
  Verdict verdict = Verdict::fine;
  std::string message;       ///< The grammar's own words when not understood.
  std::size_t position = 0;  ///< In characters from 1 within the statement; 0: not known.
};

/// Looks at each of `statements`, in order. One guarded thread serves the whole call.
std::vector<PgFinding> look_at(const std::vector<std::string_view>& statements);

/// Whether this build has libpg_query.
bool has_pg_grammar() noexcept;

}  // namespace drover::engine::parse

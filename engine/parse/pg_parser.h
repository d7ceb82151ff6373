/// PostgreSQL's own grammar (libpg_query), guarded.
///
/// Everything of libpg_query that walks a tree recurses as deep as an expression is long, and dies
/// by SIGSEGV; no try/catch stops that. Measured with 1+1+... on version 15-4.0.0: its JSON output
/// dies of 64,000 terms on 1 MB of stack, of 128,000 on 8 MB, of 4,000,000 on 256 MB, and lives
/// with 1,000,000 there. So only its splitter is used, which parses and walks nothing (10,000,000
/// terms on 1 MB went well), and it runs on a thread of its own with 256 MB of stack, of which
/// memory is taken as it is used, and statements above kMostTokens are not given to it.
///
/// Newer syntax than the linked grammar's is `not_understood`, never an error by itself: the server
/// will judge.
///
/// Thread safety: free functions; any number of threads.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace drover::engine::parse {

/// A statement with more tokens is too complex to look at. With two tokens for a term that is an
/// eighth of what was seen to be deadly for any part of libpg_query, and takes about half a second.
inline constexpr std::size_t kMostTokens = 1'000'000;

struct PgFinding {
  enum class Verdict { fine, not_understood, too_complex };
  Verdict verdict = Verdict::fine;
  std::string message;       ///< The grammar's own words when not understood, or why not looked at.
  std::size_t position = 0;  ///< In characters from 1 within the statement; 0: not known.
};

/// Looks at each of `statements`, in order. One guarded thread serves the whole call. In a build
/// without libpg_query everything is fine.
std::vector<PgFinding> look_at(const std::vector<std::string_view>& statements);

/// Whether this build has libpg_query.
bool has_pg_grammar() noexcept;

}  // namespace drover::engine::parse

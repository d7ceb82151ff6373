#include "engine/parse/pg_parser.h"

#ifdef DROVER_HAS_PG_QUERY

#include <exception>
#include <utility>

#include <pg_query.h>
#include <pthread.h>
#include <signal.h>

#include "engine/parse/sql_tokens.h"

namespace drover::engine::parse {
namespace {

using Verdict = PgFinding::Verdict;

constexpr std::size_t kStackBytes = 256ULL << 20U;

/// How the grammar's own limit on depth (10,000, the server's too) shows.
constexpr std::string_view kTooDeep = "memory exhausted";

bool has_too_many_tokens(std::string_view statement) {
  TokenReader tokens(statement, Dialect::postgres);
  std::size_t count = 0;
  while (count <= kMostTokens && tokens.next_code()) {
    ++count;
  }
  return count > kMostTokens;
}

PgFinding finding_of(const PgQueryError& error) {
  PgFinding finding{Verdict::not_understood, error.message == nullptr ? "" : error.message, 0};
  finding.position = error.cursorpos > 0 ? static_cast<std::size_t>(error.cursorpos) : 0;
  if (finding.message.starts_with(kTooDeep)) {
    finding.verdict = Verdict::too_complex;
  }
  return finding;
}

PgFinding finding_of(std::string_view statement) {
  if (has_too_many_tokens(statement)) {
    return {Verdict::too_complex,
            "the statement has more than " + std::to_string(kMostTokens) + " tokens",
            0};
  }
  const std::string copy(statement);  // The grammar wants a NUL behind it.
  const PgQuerySplitResult result = pg_query_split_with_parser(copy.c_str());
  PgFinding finding;
  if (result.error != nullptr) {
    finding = finding_of(*result.error);
  } else if (result.n_stmts > 1) {
    finding = {Verdict::not_understood,
               "the grammar finds " + std::to_string(result.n_stmts) + " statements in this one",
               0};
  }
  pg_query_free_split_result(result);
  return finding;
}

/// What the guarded thread is given, and gives back.
struct Errand {
  const std::vector<std::string_view>& statements;
  std::vector<PgFinding> findings;
  std::exception_ptr failure;
};

extern "C" void* run_errand(void* argument) {
  Errand& errand = *static_cast<Errand*>(argument);
  try {
    for (const std::string_view statement : errand.statements) {
      errand.findings.push_back(finding_of(statement));
    }
  } catch (...) {
    errand.failure = std::current_exception();
  }
  return nullptr;
}

/// Starts the thread with every signal blocked, so that handlers run where the program expects
/// them. False when the system has no room for it.
bool start_guarded(pthread_t& thread, Errand& errand) {
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) {
    return false;
  }
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const bool started = pthread_attr_setstacksize(&attributes, kStackBytes) == 0 &&
                       pthread_create(&thread, &attributes, run_errand, &errand) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  return started;
}

}  // namespace

std::vector<PgFinding> look_at(const std::vector<std::string_view>& statements) {
  if (statements.empty()) {
    return {};
  }
  Errand errand{statements, {}, nullptr};
  pthread_t thread;
  if (!start_guarded(thread, errand)) {
    const PgFinding none{Verdict::too_complex, "no memory for the stack of the parser", 0};
    return std::vector<PgFinding>(statements.size(), none);
  }
  pthread_join(thread, nullptr);
  if (errand.failure) {
    std::rethrow_exception(errand.failure);
  }
  return std::move(errand.findings);
}

bool has_pg_grammar() noexcept {
  return true;
}

}  // namespace drover::engine::parse

#else

namespace drover::engine::parse {

std::vector<PgFinding> look_at(const std::vector<std::string_view>& statements) {
  return std::vector<PgFinding>(statements.size());
}

bool has_pg_grammar() noexcept {
  return false;
}

}  // namespace drover::engine::parse

#endif

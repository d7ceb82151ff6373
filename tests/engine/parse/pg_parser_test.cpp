#include "engine/parse/pg_parser.h"

#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

using namespace drover::engine::parse;

using Verdict = PgFinding::Verdict;

namespace {

std::string repeated(std::string_view piece, std::size_t count) {
  std::string text;
  text.reserve(piece.size() * count);
  for (std::size_t i = 0; i < count; ++i) {
    text += piece;
  }
  return text;
}

PgFinding look_at_one(const std::string& statement) {
  return look_at({statement}).front();
}

}  // namespace

TEST_CASE("each statement gets its own finding, in order", "[engine][parse]") {
  if (!has_pg_grammar()) {
    return;
  }
  const auto findings =
      look_at({"SELECT 1", "SELECT '\303\244' FRM t x", "CREATE TABLE t (a int)"});

  REQUIRE(findings.size() == 3);
  CHECK(findings[0].verdict == Verdict::fine);
  CHECK(findings[1].verdict == Verdict::not_understood);
  CHECK(findings[1].message == "syntax error at or near \"t\"");
  CHECK(findings[1].position == 16);  // in characters: the umlaut is one
  CHECK(findings[2].verdict == Verdict::fine);
  CHECK(look_at({}).empty());
}

TEST_CASE("what would be several statements is told", "[engine][parse]") {
  if (!has_pg_grammar()) {
    return;
  }
  const PgFinding finding = look_at_one("SELECT 1; SELECT 2");

  CHECK(finding.verdict == Verdict::not_understood);
  CHECK(finding.message == "the grammar finds 2 statements in this one");
}

TEST_CASE("expressions that kill libpg_query elsewhere are survived", "[engine][parse]") {
  if (!has_pg_grammar()) {
    return;
  }

  SECTION("128,000 terms, which it dies of on a usual stack") {
    CHECK(look_at_one("SELECT 1" + repeated("+1", 127'999)).verdict == Verdict::fine);
  }
  SECTION("as many as are looked at at all") {
    const std::string widest = "SELECT 1" + repeated("+1", kMostTokens / 2 - 1);
    CHECK(look_at_one(widest).verdict == Verdict::fine);
  }
  SECTION("20,000 parentheses, for which the grammar has a limit of its own") {
    const PgFinding finding =
        look_at_one("SELECT " + repeated("(", 20'000) + "1" + repeated(")", 20'000));
    CHECK(finding.verdict == Verdict::too_complex);
    CHECK(finding.message == "memory exhausted at or near \"(\"");
  }
  SECTION("more tokens than it is given") {
    const PgFinding finding = look_at_one("SELECT 1" + repeated("+1", kMostTokens));
    CHECK(finding.verdict == Verdict::too_complex);
    CHECK(finding.message == "the statement has more than 1000000 tokens");
  }
}

TEST_CASE("one huge literal is one token", "[engine][parse]") {
  CHECK(look_at_one("SELECT '" + std::string(5'000'000, 'x') + "'").verdict == Verdict::fine);
}

TEST_CASE("several threads may look at once", "[engine][parse]") {
  std::vector<std::size_t> fine(4);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < fine.size(); ++i) {
    threads.emplace_back([&fine, i] {
      for (int round = 0; round < 20; ++round) {
        fine[i] += look_at_one("SELECT 1").verdict == Verdict::fine ? 1U : 0U;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }

  CHECK(fine == std::vector<std::size_t>(4, 20));
}

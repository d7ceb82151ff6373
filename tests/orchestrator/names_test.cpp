// Of the small parts that deal in names: nearest.h, glob.h, id_pattern.h and utf8.h.

#include <chrono>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "engine/error.h"
#include "orchestrator/glob.h"
#include "orchestrator/id_pattern.h"
#include "orchestrator/nearest.h"
#include "orchestrator/utf8.h"

using drover::Error;
using drover::orchestrator::characters_in;
using drover::orchestrator::check_glob;
using drover::orchestrator::glob_matches;
using drover::orchestrator::has_glob;
using drover::orchestrator::IdPattern;
using drover::orchestrator::is_utf8;
using drover::orchestrator::nearest;
using drover::orchestrator::nearest_hint;
using drover::orchestrator::valid_utf8_prefix;

namespace {

template <typename Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.kind_name() + ": " + error.what() + " | " + error.hint();
  }
  return "no error";
}

std::string id_pattern_error(const std::string& pattern) {
  return error_of([&pattern] { IdPattern::parse(pattern, {"server", "database"}); });
}

}  // namespace

TEST_CASE("the nearest word is the one with the fewest slips") {
  const std::vector<std::string> verbs = {"status", "upgrade", "downgrade", "validate", "verify"};
  CHECK(nearest("upgrad", verbs) == "upgrade");
  CHECK(nearest("upgarde", verbs) == "upgrade");
  CHECK(nearest("STATUS", verbs) == "status");
  CHECK(nearest("statsu", verbs) == "status");
  CHECK(nearest("veryfi", verbs) == "verify");
  CHECK(nearest("apply", verbs).empty());
  CHECK(nearest("", verbs).empty());
  CHECK(nearest("x", {}).empty());
  CHECK(nearest("cat", {"bat", "rat"}) == "bat");
}

TEST_CASE("a swap of neighbours is one slip") {
  CHECK(nearest("ab", {"ba"}) == "ba");
  CHECK(nearest("abc", {"cba"}).empty());
}

TEST_CASE("a hint names the nearest word or those there are") {
  CHECK(nearest_hint("acne", {"acme", "zeta"}) == "Did you mean 'acme'?");
  CHECK(nearest_hint("something", {"acme", "beta", "zeta"}) == "Known are acme, beta and zeta.");
  CHECK(nearest_hint("something", {"acme"}) == "Known is only acme.");
  CHECK(nearest_hint("something", {}) == "There are none.");
  std::vector<std::string> many;
  for (int i = 0; i < 23; ++i) {
    many.push_back("t" + std::to_string(i));
  }
  CHECK(nearest_hint("something", many) ==
        "Known are t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, t12, t13, t14, t15, t16, t17, "
        "t18, t19 and 3 more.");
}

TEST_CASE("a glob speaks of the whole name") {
  CHECK(glob_matches("tenant_*", "tenant_"));
  CHECK(glob_matches("tenant_*", "tenant_acme"));
  CHECK_FALSE(glob_matches("tenant_*", "my_tenant_acme"));
  CHECK_FALSE(glob_matches("tenant", "tenant_acme"));
  CHECK(glob_matches("*", ""));
  CHECK_FALSE(glob_matches("?", ""));
  CHECK(glob_matches("a*b*c", "a--b--b--c"));
  CHECK_FALSE(glob_matches("a*b*c", "a--b--b--"));
  CHECK(glob_matches("t?", "t\xC3\xA9"));
  CHECK_FALSE(glob_matches("t??", "t\xC3\xA9"));
}

TEST_CASE("a set in a glob holds characters and ranges") {
  CHECK(glob_matches("t[0-9a]", "t7"));
  CHECK(glob_matches("t[0-9a]", "ta"));
  CHECK_FALSE(glob_matches("t[0-9a]", "tb"));
  CHECK(glob_matches("t[!0-9]", "tx"));
  CHECK_FALSE(glob_matches("t[^0-9]", "t7"));
  CHECK(glob_matches("[]x]", "]"));
  CHECK(glob_matches("[a-]", "-"));
  CHECK(glob_matches("[\xC3\xA0-\xC3\xBF]", "\xC3\xA9"));
  CHECK_FALSE(glob_matches("[\xC3\xA0-\xC3\xBF]", "e"));
}

TEST_CASE("what is special elsewhere is itself in a glob") {
  for (const char* const name : {"a.b", "a\\b", "a'b", "a\"b", "a%b", "a{b}", "(a|b)+$", "../x"}) {
    CHECK(glob_matches(name, name));
    CHECK_FALSE(glob_matches(name, "axb"));
  }
  CHECK(has_glob("a*"));
  CHECK_FALSE(has_glob("a.b{c}"));
}

TEST_CASE("a glob that cannot mean anything is refused") {
  const std::string hint = " | Use * for any characters, ? for one, and [a-z] for one of a set.";
  CHECK(error_of([] { check_glob(""); }) == "invalid_glob: the pattern '' is empty" + hint);
  CHECK(error_of([] { check_glob("a[bc"); }) ==
        "invalid_glob: the pattern 'a[bc' has a [ that is never closed" + hint);
  CHECK(error_of([] { check_glob("[z-a]"); }) ==
        "invalid_glob: the pattern '[z-a]' has a range that runs backwards" + hint);
  CHECK(error_of([] { check_glob("[]"); }) ==
        "invalid_glob: the pattern '[]' has a [ that is never closed" + hint);
  CHECK(error_of([] { check_glob("a*[!b-d]?]"); }) == "no error");
}

TEST_CASE("a hostile glob takes no more than pattern times name") {
  std::string pattern;
  for (int i = 0; i < 50; ++i) {
    pattern += "*a";
  }
  const auto started = std::chrono::steady_clock::now();
  CHECK_FALSE(glob_matches(pattern + "b", std::string(2'000, 'a')));
  CHECK(std::chrono::steady_clock::now() - started < std::chrono::seconds(1));
}

TEST_CASE("an id pattern puts names together and takes values as data") {
  const IdPattern pattern = IdPattern::parse("{server}/{database}", {"server", "database"});
  CHECK(pattern.id_for({{"server", "db1:5432"}, {"database", "{server}"}}) == "db1:5432/{server}");
  CHECK(IdPattern::parse("{{{file}}}", {"file"}).id_for({{"file", "acme"}}) == "{acme}");
}

TEST_CASE("an id pattern that cannot work is refused") {
  CHECK(id_pattern_error("{databse}") ==
        "invalid_id_pattern: the id pattern '{databse}' names {databse}, which does not exist here "
        "| Did you mean {database}?");
  CHECK(
      id_pattern_error("{}") ==
      "invalid_id_pattern: the id pattern '{}' names {}, which does not exist here | Use {server} "
      "or {database} here.");
  CHECK(
      id_pattern_error("acme") ==
      "invalid_id_pattern: the id pattern 'acme' gives every tenant the same id | Use {server} or "
      "{database} here.");
  CHECK(id_pattern_error("{server") ==
        "invalid_id_pattern: the id pattern '{server' has a { without its pair | Use {server} or "
        "{database} here.");
  CHECK(id_pattern_error("server}") ==
        "invalid_id_pattern: the id pattern 'server}' has a } without its pair | Use {server} or "
        "{database} here.");
}

TEST_CASE("UTF-8 is told from what only looks like it") {
  for (const char* const text :
       {"", "abc", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x90\x98", "\xF4\x8F\xBF\xBF"}) {
    CHECK(is_utf8(text));
  }
  for (const char* const text : {"\xE9",              // Latin-1
                                 "\xC3",              // cut off
                                 "\xC0\xAF",          // overlong
                                 "\xE0\x80\xAF",      // overlong
                                 "\xED\xA0\x80",      // a surrogate
                                 "\xF4\x90\x80\x80",  // above U+10FFFF
                                 "\xFF\xFE",          // a mark of UTF-16
                                 "\xE2\x82x"}) {
    CHECK_FALSE(is_utf8(text));
  }
  CHECK(valid_utf8_prefix("ab\xE9"
                          "cd") == 2);
  CHECK(characters_in("a\xC3\xA9\xF0\x9F\x90\x98") == 3);
}

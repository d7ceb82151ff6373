#include "engine/files/utf8.h"

#include <catch2/catch.hpp>

using drover::engine::files::bytes_of_first;
using drover::engine::files::is_utf8;

TEST_CASE("UTF-8 is told from what only looks like it", "[engine][files]") {
  CHECK(is_utf8(""));
  CHECK(is_utf8("plain"));
  CHECK(is_utf8("\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x90\x91"));
  CHECK(is_utf8("\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF"));

  CHECK_FALSE(is_utf8("\x80"));              // starts with what continues
  CHECK_FALSE(is_utf8("\xC3"));              // ends too early
  CHECK_FALSE(is_utf8("\xC3("));             // does not go on
  CHECK_FALSE(is_utf8("\xC0\xAF"));          // a slash, overlong
  CHECK_FALSE(is_utf8("\xE0\x80\xAF"));      // the same
  CHECK_FALSE(is_utf8("\xED\xA0\x80"));      // a surrogate
  CHECK_FALSE(is_utf8("\xF4\x90\x80\x80"));  // above the last character
  CHECK_FALSE(is_utf8("\xFF"));
}

TEST_CASE("text is cut between characters", "[engine][files]") {
  CHECK(bytes_of_first("abc", 2) == 2);
  CHECK(bytes_of_first("abc", 5) == 3);
  CHECK(bytes_of_first("\xC3\xA9\xC3\xA9", 1) == 2);
  CHECK(bytes_of_first("\xC3\xA9\xC3\xA9", 2) == 4);
  CHECK(bytes_of_first("abc", 0) == 0);
}

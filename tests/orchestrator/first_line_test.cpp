#include "orchestrator/first_line.h"

#include <string>

#include <catch2/catch.hpp>

using drover::orchestrator::first_line;

TEST_CASE("the first line that says something is kept, without blanks and full stops") {
  CHECK(first_line("lag is 40 s\nmore\n") == "lag is 40 s");
  CHECK(first_line("\n \r\n  The end...  \r\nmore") == "The end");
  CHECK(first_line("").empty());
  CHECK(first_line(" \n\t\n").empty());
  CHECK(first_line("...").empty());
}

TEST_CASE("what a terminal would obey becomes a blank") {
  CHECK(first_line("a\x1B[31mb\tc\x7F") == "a [31mb c");
  CHECK(first_line("a\xC2\x9B"
                   "b\xE2\x80\xAE"
                   "c") == "a b c");
  CHECK(first_line("gr\xC3\xBC\xC3\x9F"
                   "e \xE6\x97\xA5") ==
        "gr\xC3\xBC\xC3\x9F"
        "e \xE6\x97\xA5");
}

TEST_CASE("a byte that is not UTF-8 is replaced, also at the end") {
  CHECK(first_line("a\xFF"
                   "b\xE6\x97") ==
        "a\xEF\xBF\xBD"
        "b\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST_CASE("a long line is cut to 200 characters, whatever their bytes") {
  CHECK(first_line(std::string(200, 'x')) == std::string(200, 'x'));
  CHECK(first_line(std::string(100'000, 'x')) == std::string(199, 'x') + "\xE2\x80\xA6");
  std::string wide;
  std::string cut;
  for (int i = 0; i < 201; ++i) {
    wide += "\xF0\x9F\x98\x80";
    cut += i < 199 ? "\xF0\x9F\x98\x80" : "";
  }
  CHECK(first_line(wide) == cut + "\xE2\x80\xA6");
}

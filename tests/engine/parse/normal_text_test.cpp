#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/engine/parse/migration_files.h"

using namespace std::string_literals;

namespace drover::engine::parse {

TEST_CASE("bytes that are no clean UTF-8 are refused", "[engine][parse]") {
  check_refused(
      "utf16",
      "Save the file as UTF-8.",
      {
          {"UTF-16", "\377\376-\000"s, "1:1", "the file is not UTF-8 but UTF-16 or UTF-32"},
          {"UTF-16, the other way round",
           "\376\377\000-"s,
           "1:1",
           "the file is not UTF-8 but UTF-16 or UTF-32"},
      });
  check_refused("nul_byte",
                "Remove it; SQL text cannot hold one.",
                {
                    {"a NUL", up("SELECT 'a\000b';"s), "4:10", "the file holds a NUL byte"},
                });
  check_refused(
      "not_utf8",
      "Save the file as UTF-8.",
      {
          {"a byte that is no UTF-8",
           up("SELECT '\377';"),
           "4:9",
           "the text is not valid UTF-8 here"},
          {"an overlong character",
           up("SELECT '\300\257';"),
           "4:9",
           "the text is not valid UTF-8 here"},
          {"half of a surrogate pair",
           up("SELECT '\355\240\200';"),
           "4:9",
           "the text is not valid UTF-8 here"},
          {"a character cut short", up("SELECT '\303"), "4:9", "the text is not valid UTF-8 here"},
      });
  check_refused("lone_cr",
                "End lines with LF or CRLF; inside a string write chr(13).",
                {
                    {"a lone carriage return",
                     up("SELECT 1;\rSELECT 2;"),
                     "4:10",
                     "a carriage return stands without a line feed"},
                });
}

TEST_CASE("a BOM goes, CRLF becomes LF, and other text stays as it is", "[engine][parse]") {
  const std::string plain = up("INSERT INTO t VALUES ('\303\244\342\202\254\360\237\220\221');");
  std::string windows = "\xEF\xBB\xBF";
  for (const char c : plain) {
    windows += c == '\n' ? "\r\n"s : std::string(1, c);
  }

  CHECK(*parsed(plain).text == plain);
  CHECK(*parsed(windows).text == plain);
  CHECK(parsed(windows).checksums == parsed(plain).checksums);
}

TEST_CASE("places count characters, and lines as they are in the file", "[engine][parse]") {
  const std::string text =
      "\xEF\xBB\xBF" + kHeader + "-- drover: up\r\nSELECT '\303\244\303\266'; COMMIT;\n";

  CHECK(to_string(error_of(text).place()) == "migrations/0004_add_hash.sql:4:14");
}

}  // namespace drover::engine::parse

// What people read: text made safe, and columns that line up.

#include <catch2/catch.hpp>

#include <stdexcept>

#include "orchestrator/report/table.h"
#include "orchestrator/report/text.h"

using namespace drover::orchestrator::report;

TEST_CASE("what a terminal would obey becomes blanks", "[report]") {
  struct Case {
    std::string text;
    std::string shown;
  };
  const Case cases[] = {
      {"plain", "plain"},
      {"\x1b[31mred\x1b[0m", " [31mred [0m"},
      {"bell\a back\b nul" + std::string(1, '\0') + "del\x7f", "bell  back  nul del "},
      {"one\r\ntwo\tthree", "one  two three"},
      {"c1 \xC2\x9B[31m", "c1  [31m"},  // U+009B starts an escape, too
      {"abc\xE2\x80\xAE"
       "cba",
       "abc cba"},                                      // U+202E turns the direction
      {"line\xE2\x80\xA8separator", "line separator"},  // U+2028
      {"M\xC3\xBCller \xE6\x9D\xB1\xE4\xBA\xAC", "M\xC3\xBCller \xE6\x9D\xB1\xE4\xBA\xAC"},
      {"broken \xFF\xC3(", "broken \xEF\xBF\xBD\xEF\xBF\xBD("},
      {"", ""}};
  for (const Case& one : cases) {
    CAPTURE(one.text);
    CHECK(printable(one.text) == one.shown);
  }
  CHECK(printable("a\nb\x1b", LineBreaks::keep) == "a\nb ");
}

TEST_CASE("width counts cells of a terminal, not bytes", "[report]") {
  CHECK(cells_of("abc") == 3);
  CHECK(cells_of("M\xC3\xBCller") == 6);
  CHECK(cells_of("\xE6\x9D\xB1\xE4\xBA\xAC") == 4);  // two wide characters
  CHECK(cells_of("e\xCC\x81") == 1);                 // e and a combining accent
  CHECK(cells_of("\xF0\x9F\x98\x80") == 2);          // an emoji
  CHECK(cells_of("") == 0);
}

TEST_CASE("a text is cut between characters and ends in an ellipsis", "[report]") {
  CHECK(cut_to("tenant_0001", 20) == "tenant_0001");
  CHECK(cut_to("tenant_0001", 6) == "tenan\xE2\x80\xA6");
  CHECK(cut_to("\xE6\x9D\xB1\xE4\xBA\xAC", 3) == "\xE6\x9D\xB1\xE2\x80\xA6");
  CHECK(cut_to("\xE6\x9D\xB1\xE4\xBA\xAC", 2) == "\xE2\x80\xA6");  // a wide one has no room
  CHECK(cut_to("abc", 0).empty());
}

TEST_CASE("columns line up and no line ends in blanks", "[report]") {
  Table table({{"TENANT"}, {"PENDING", Column::Align::right}, {"NOTE"}});
  table.add({"acme", "3"});
  table.add({"M\xC3\xBCller", "12", "lock_timeout"});
  table.add({"\xE6\x9D\xB1\xE4\xBA\xAC", "0", ""});
  CHECK(table.written(std::nullopt) ==
        "TENANT  PENDING  NOTE\n"
        "acme          3\n"
        "M\xC3\xBCller       12  lock_timeout\n"
        "\xE6\x9D\xB1\xE4\xBA\xAC          0\n");
}

TEST_CASE("a table is cut only where a width is known, the widest column first", "[report]") {
  Table table({{"TENANT"}, {"MESSAGE"}});
  table.add({"acme", "relation \"files\" does not exist"});
  CHECK(table.written(24) ==
        "TENANT  MESSAGE\n"
        "acme    relation \"files\xE2\x80\xA6\n");
  CHECK(table.written(200) == table.written(std::nullopt));
  CHECK(table.written(1) ==
        "TENANT  MESSA\xE2\x80\xA6\n"
        "acme    relat\xE2\x80\xA6\n");
}

TEST_CASE("a cell cannot break its line", "[report]") {
  Table table({{"TENANT"}, {"NOTE"}});
  table.add({"a\nb", "\x1b[2Jgone"});
  CHECK(table.written(std::nullopt) == "TENANT  NOTE\na b      [2Jgone\n");
}

TEST_CASE("a table without rows is empty, and one with too many cells is a bug", "[report]") {
  Table table({{"TENANT"}});
  CHECK(table.empty());
  CHECK(table.written(80).empty());
  CHECK_THROWS_AS(table.add({"one", "two"}), std::logic_error);
}

TEST_CASE("one of a thing has no plural", "[report]") {
  CHECK(count_of(0, "tenant") == "0 tenants");
  CHECK(count_of(1, "tenant") == "1 tenant");
  CHECK(count_of(37, "tenant") == "37 tenants");
}

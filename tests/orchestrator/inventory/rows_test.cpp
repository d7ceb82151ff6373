// Of what files and commands deliver, before it is a fleet: csv_rows.h, json_rows.h, source_row.h,
// connection_words.h.

#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "engine/error.h"
#include "orchestrator/inventory/connection_words.h"
#include "orchestrator/inventory/csv_rows.h"
#include "orchestrator/inventory/json_rows.h"
#include "orchestrator/inventory/source_row.h"

using drover::Error;
using drover::Place;
using drover::orchestrator::inventory::first_line;
using drover::orchestrator::inventory::names_database;
using drover::orchestrator::inventory::parse_csv;
using drover::orchestrator::inventory::parse_json_lines;
using drover::orchestrator::inventory::parse_json_list;
using drover::orchestrator::inventory::SourceRow;
using drover::orchestrator::inventory::with_database;

namespace {

/// "id=acme target=x tier=NULL" for each row.
std::vector<std::string> shown(const std::vector<SourceRow>& rows) {
  std::vector<std::string> lines;
  for (const SourceRow& row : rows) {
    std::string line;
    for (const auto& [name, value] : row.values) {
      line += (line.empty() ? "" : " ") + name + "=" + value.value_or("NULL");
    }
    lines.push_back(line);
  }
  return lines;
}

template <typename Parse>
std::string error_of(Parse parse) {
  try {
    parse();
  } catch (const Error& error) {
    return to_string(error.place()) + ": " + error.what();
  }
  return "no error";
}

std::string csv_error(const std::string& text) {
  return error_of([&text] { parse_csv(text, "t.csv"); });
}
std::string list_error(const std::string& text) {
  return error_of([&text] { parse_json_list(text, "t.json"); });
}
std::string lines_error(const std::string& text) {
  return error_of([&text] { parse_json_lines(text, {"drover.yaml", 4, 9}); });
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a CSV file has a header and a tenant per line") {
  CHECK(shown(parse_csv("id,target\nacme,x\nbeta,y\n", "t.csv")) ==
        Lines{"id=acme target=x", "id=beta target=y"});
  CHECK(shown(parse_csv("id\r\nacme\r\n\r\nbeta", "t.csv")) == Lines{"id=acme", "id=beta"});
  CHECK(parse_csv("", "t.csv").empty());
  CHECK(parse_csv("id,target\n", "t.csv").empty());
}

TEST_CASE("quotes in CSV keep commas, line breaks and quotes") {
  const std::vector<SourceRow> rows =
      parse_csv("id,note\n\"a,b\",\"two\nlines\"\n\"say \"\"x\"\"\",\"\"\nlast,z\n", "t.csv");
  CHECK(shown(rows) == Lines{"id=a,b note=two\nlines", "id=say \"x\" note=NULL", "id=last note=z"});
  CHECK(rows[0].at.to_string() == "t.csv:2");
  CHECK(rows[1].at.to_string() == "t.csv:4");
  CHECK(rows[2].at.to_string() == "t.csv:5");
}

TEST_CASE("blanks and single quotes are data in CSV") {
  CHECK(shown(parse_csv("id,x\n a ,it's\n", "t.csv")) == Lines{"id= a  x=it's"});
}

TEST_CASE("CSV that is not right is refused at its line") {
  CHECK(csv_error("id,target\na,b,c\n") == "t.csv:2: the line has 3 fields and the header 2");
  CHECK(csv_error("id,target\na\n") == "t.csv:2: the line has 1 fields and the header 2");
  CHECK(csv_error("id,id\na,b\n") == "t.csv:1: column 'id' is in the header twice");
  CHECK(csv_error("id,,x\n") == "t.csv:1: a column of the header has no name");
  CHECK(csv_error("id\nok\n\"never\nclosed\n") ==
        "t.csv:3: a quote is opened in this line and never closed");
  CHECK(csv_error("id\na\"b\n") ==
        "t.csv:2: a quote stands inside a field that does not start with one");
  CHECK(csv_error("id\n\"a\"b\n") ==
        "t.csv:2: something stands between a closing quote and the next comma");
}

TEST_CASE("JSON rows are flat objects whose values become text") {
  const std::string text =
      R"([{"id": 42, "target": "x", "big": 18446744073709551615, "neg": -7, "yes": true, "no": null}])";
  CHECK(shown(parse_json_list(text, "t.json")) ==
        Lines{"id=42 target=x big=18446744073709551615 neg=-7 yes=true no=NULL"});
  CHECK(parse_json_list("[]", "t.json").empty());
  CHECK(parse_json_list(text, "t.json")[0].at.to_string() == "t.json, row 1");
}

TEST_CASE("a command's output is an object per line") {
  const std::vector<SourceRow> rows = parse_json_lines(
      "{\"id\":\"a\"}\n\n  {\"id\":\"b\\u00e9\"}\r\n{\"id\":\"c\"}", {"drover.yaml", 4, 9});
  CHECK(shown(rows) == Lines{"id=a", "id=b\xC3\xA9", "id=c"});
  CHECK(rows[1].at.to_string() == "drover.yaml:4, line 3 of the output");
  CHECK(parse_json_lines(" \n", {}).empty());
}

TEST_CASE("what is not a list of flat objects is refused") {
  CHECK(list_error("") == "t.json:1: this is not JSON: something is wrong at byte 1");
  CHECK(list_error("[\n{\"id\": 1},\n]") ==
        "t.json:3: this is not JSON: something is wrong at byte 14");
  CHECK(list_error("<!DOCTYPE html>\n<html>") == "t.json: this is HTML or XML, not JSON");
  CHECK(list_error("{\"id\": 1}") == "t.json: the file holds object, not a list");
  CHECK(list_error("[1]") == "t.json: row 1: this is number, not an object");
  CHECK(list_error("[{\"id\": 1}, {\"id\": [2]}]") ==
        "t.json: row 2: key 'id' holds a list, not a single value");
  CHECK(list_error("[{\"id\": {}}]") ==
        "t.json: row 1: key 'id' holds an object, not a single value");
  CHECK(list_error("[{\"id\": 1.5}]") ==
        "t.json: row 1: key 'id' holds a fraction, or a number beyond 64 bits");
  CHECK(list_error("[{\"id\": 99999999999999999999}]") ==
        "t.json: row 1: key 'id' holds a fraction, or a number beyond 64 bits");
  CHECK(list_error("[{\"id\": 1, \"id\": 2}]") == "t.json: key 'id' is there twice in one object");
  CHECK(list_error(std::string(100'000, '[')) == "t.json: the JSON is nested too deep");
  CHECK(list_error("[{\"id\": \"caf\xE9\"}]") ==
        "t.json:1: this is not JSON: something is wrong at byte 14");
}

TEST_CASE("a bad line of a command's output is named") {
  CHECK(lines_error("{\"id\": 1}\nWarning: slow\n") ==
        "drover.yaml:4:9: line 2 of the output: this is not JSON: something is wrong at byte 1");
  CHECK(lines_error("<html>") ==
        "drover.yaml:4:9: line 1 of the output: this is HTML or XML, not JSON");
  CHECK(lines_error("[{\"id\": 1}]") ==
        "drover.yaml:4:9: line 1 of the output: this is array, not an object");
  CHECK(lines_error("{\"id\": 1, \"id\": 1}") ==
        "drover.yaml:4:9: line 1 of the output: key 'id' is there twice in one object");
}

TEST_CASE("a database is put into connection words in the place of another") {
  CHECK(with_database("host=db1 dbname=x port=5432", "acme") == "host=db1 port=5432 dbname='acme'");
  CHECK(with_database("host=db1", "it's a \\") == "host=db1 dbname='it\\'s a \\\\'");
  CHECK(with_database("user='dbname=y' dbname = 'a \\' b' options=a\\ b", "acme") ==
        "user='dbname=y' options=a\\ b dbname='acme'");
  CHECK(with_database("", "acme") == "dbname='acme'");
}

TEST_CASE("a server says which database to ask, or not") {
  for (const char* const server : {"host=db dbname=x",
                                   "postgres://u@db/x",
                                   "postgres://db/x?a=b",
                                   "postgres://db?dbname=x",
                                   "service=main"}) {
    CHECK(names_database(server));
  }
  for (const char* const server : {"host=db",
                                   "host=/run/postgresql",
                                   "postgres://u@db",
                                   "postgres://u@db/",
                                   "postgres://db/?a=b"}) {
    CHECK_FALSE(names_database(server));
  }
}

TEST_CASE("what other programs say is cut to one clean line") {
  CHECK(first_line("\n  ERROR: no\nmore") == "ERROR: no");
  CHECK(first_line("\x1B[31mred\x07\n") == "[31mred");
  CHECK(first_line(std::string(299, 'x') + "\xC3\xA9") == std::string(299, 'x'));
  CHECK(first_line("").empty());
}

#include "orchestrator/settings/yaml_document.h"

#include <chrono>
#include <string>

#include <catch2/catch.hpp>

#include "engine/error.h"

using drover::Error;
using drover::Place;
using drover::orchestrator::settings::kMostYamlBytes;
using drover::orchestrator::settings::kMostYamlDepth;
using drover::orchestrator::settings::parse_yaml;
using drover::orchestrator::settings::YamlNode;
using Kind = YamlNode::Kind;
using Style = YamlNode::Style;

namespace {

YamlNode parse(const std::string& text) {
  return parse_yaml(text, "x.yaml");
}

std::string error_of(const std::string& text) {
  try {
    parse(text);
  } catch (const Error& error) {
    return to_string(error.place()) + ": " + error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("a document is mappings, lists and texts with their places") {
  const YamlNode root = parse("a: one\nb:\n  - 'two'\n  - {c: three}\n");
  REQUIRE(root.kind == Kind::mapping);
  REQUIRE(root.entries.size() == 2);
  CHECK(root.entries[0].key == "a");
  CHECK(root.entries[0].key_place == Place{"x.yaml", 1, 1});
  CHECK(root.entries[0].value.text == "one");
  CHECK(root.entries[0].value.style == Style::plain);
  CHECK(root.entries[0].value.place == Place{"x.yaml", 1, 4});
  const YamlNode& list = root.entries[1].value;
  REQUIRE(list.kind == Kind::list);
  REQUIRE(list.items.size() == 2);
  CHECK(list.items[0].text == "two");
  CHECK(list.items[0].style == Style::quoted);
  CHECK(list.items[0].place == Place{"x.yaml", 3, 5});
  CHECK(list.items[1].entries.front().value.text == "three");
}

TEST_CASE("no text is given a type") {
  for (const std::string text : {"no",
                                 "yes",
                                 "on",
                                 "012",
                                 "1e3",
                                 ".inf",
                                 "0x1F",
                                 "1_000",
                                 "12:30",
                                 "2026-01-01",
                                 "true",
                                 "3.0"}) {
    const YamlNode root = parse("a: " + text + "\n");
    CHECK(root.entries[0].value.kind == Kind::text);
    CHECK(root.entries[0].value.text == text);
  }
}

TEST_CASE("nothing is nothing, and has the place of its key") {
  for (const std::string nothing : {"", " ~", " null", "  # comment"}) {
    const YamlNode root = parse("a: b\nkey:" + nothing + "\n");
    CHECK(root.entries[1].value.kind == Kind::nothing);
    CHECK(root.entries[1].value.place == Place{"x.yaml", 2, 1});
  }
  CHECK(parse("").kind == Kind::nothing);
  CHECK(parse("'': x\n").entries[0].key.empty());
}

TEST_CASE("a quoted word for nothing is a text") {
  CHECK(parse("a: 'null'\n").entries[0].value.kind == Kind::text);
  CHECK(parse("a: ''\n").entries[0].value.kind == Kind::text);
}

TEST_CASE("columns count characters, behind a BOM and wide ones too") {
  const YamlNode root = parse("\xEF\xBB\xBF\"\xC3\xA9\xF0\x9F\x90\x98\": x\n");
  CHECK(root.entries[0].key_place == Place{"x.yaml", 1, 1});
  CHECK(root.entries[0].value.place == Place{"x.yaml", 1, 7});
}

TEST_CASE("CRLF means what LF means, in block texts too") {
  const YamlNode root = parse("a: |\r\n  one\r\n  two\r\nb: c\r\n");
  CHECK(root.entries[0].value.text == "one\ntwo\n");
  CHECK(root.entries[1].value.text == "c");
  CHECK(root.entries[1].value.place == Place{"x.yaml", 4, 4});
}

TEST_CASE("a tab is fine where it indents nothing") {
  CHECK(parse("a: b\t# comment\nsql: \"x\ty\"\n").entries[1].value.text == "x\ty");
}

TEST_CASE("quotes that close are taken for closed") {
  const YamlNode root = parse("a: 'it''s'\nb: \"say \\\"x\\\\\"\nc: 'over\n  lines'\nd: \"\"\n");
  CHECK(root.entries[0].value.text == "it's");
  CHECK(root.entries[1].value.text == "say \"x\\");
  CHECK(root.entries[2].value.text == "over lines");
  CHECK(root.entries[3].value.text.empty());
}

TEST_CASE("a document may start with a mark and end with one") {
  CHECK(parse("%YAML 1.2\n---\na: b\n...\n").entries[0].value.text == "b");
}

TEST_CASE("the deepest nesting allowed is allowed") {
  const std::string open(kMostYamlDepth, '[');
  const std::string close(kMostYamlDepth, ']');
  CHECK(error_of(open + close) == "no error");
  CHECK(error_of("[" + open + close + "]") ==
        "x.yaml:1:33: the values are nested more than 32 deep");
}

TEST_CASE("a hostile file is refused in a moment") {
  const auto started = std::chrono::steady_clock::now();
  CHECK(error_of(std::string(kMostYamlBytes + 1, 'x')) ==
        "x.yaml: the file is 4194305 bytes long, more than 4194304");
  CHECK(error_of(std::string(10'000, '[') + std::string(10'000, ']')) ==
        "x.yaml:1:33: the values are nested more than 32 deep");
  std::string block;
  for (int depth = 0; depth < 200; ++depth) {
    block += std::string(static_cast<std::size_t>(depth), ' ') + "a:\n";
  }
  CHECK(error_of(block) == "x.yaml:33:33: the values are nested more than 32 deep");
  CHECK(error_of("a: &a [x, x]\nb: &b [*a, *a, *a, *a]\n") ==
        "x.yaml:1:4: an anchor (&name) stands here");
  CHECK(std::chrono::steady_clock::now() - started < std::chrono::seconds(5));
}

TEST_CASE("a file of too many values is refused") {
  std::string text = "[";
  for (int i = 0; i < 200'000; ++i) {
    text += "a,";
  }
  CHECK(error_of(text + "a]") == "x.yaml:1:400000: the file has more than 200000 values");
}

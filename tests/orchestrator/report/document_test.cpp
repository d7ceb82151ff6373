// What machines read. Every format is read back by somebody else's parser: nlohmann-json, yaml-cpp,
// and for CSV a reader of RFC 4180 written here.

#include <catch2/catch.hpp>

#include <random>
#include <sstream>

#include <yaml-cpp/yaml.h>
#include <nlohmann/json.hpp>

#include "orchestrator/report/document.h"
#include "orchestrator/report/text.h"

using namespace drover::orchestrator::report;
using nlohmann::ordered_json;

namespace {

Document example() {
  Value first = Value::object();
  first.set("id", "acme").set("pending", Value::list().add("0004").add("0005")).set("error", {});
  Value error = Value::object();
  error.set("kind", "lock_timeout").set("message", "says \"no\", twice\nand more");
  Value second = Value::object();
  second.set("id", "M\xC3\xBCller, Sons").set("pending", Value::list()).set("error", error);
  Value value = Value::object();
  value.set("format", 1).set("tenants", Value::list().add(first).add(second)).set("ok", true);
  return {value, "tenants", {"id", "pending", "error.kind", "error.message"}};
}

ordered_json as_nlohmann(const Value& value) {
  if (const auto* items = value.items()) {
    ordered_json list = ordered_json::array();
    for (const Value& item : *items) {
      list.push_back(as_nlohmann(item));
    }
    return list;
  }
  if (const auto* members = value.members()) {
    ordered_json object = ordered_json::object();
    for (const Member& member : *members) {
      object[valid_utf8(member.key)] = as_nlohmann(member.value);
    }
    return object;
  }
  if (const auto* text = value.text()) {
    return valid_utf8(*text);
  }
  if (const auto* truth = value.truth()) {
    return *truth;
  }
  if (const auto* integer = value.integer()) {
    return *integer;
  }
  return value.number() != nullptr ? ordered_json(*value.number()) : ordered_json(nullptr);
}

/// Whether `node`, as yaml-cpp read it, says the same as `value`. A quoted scalar has the tag "!".
void check_same(const YAML::Node& node, const Value& value) {
  if (const auto* items = value.items()) {
    REQUIRE(node.IsSequence());
    REQUIRE(node.size() == items->size());
    for (std::size_t i = 0; i < items->size(); ++i) {
      check_same(node[i], (*items)[i]);
    }
  } else if (const auto* members = value.members()) {
    REQUIRE(node.IsMap());
    REQUIRE(node.size() == members->size());
    for (const Member& member : *members) {
      REQUIRE(node[valid_utf8(member.key)].IsDefined());
      check_same(node[valid_utf8(member.key)], member.value);
    }
  } else if (const auto* text = value.text()) {
    REQUIRE(node.IsScalar());
    CHECK(node.Scalar() == valid_utf8(*text));
    if (node.Tag() != "!") {  // plain: nothing but text may be read in it
      bool truth = false;
      double number = 0;
      CHECK_FALSE(YAML::convert<bool>::decode(node, truth));
      CHECK_FALSE(YAML::convert<double>::decode(node, number));
    }
  } else if (value.is_null()) {
    CHECK(node.IsNull());
  } else {
    CHECK(node.Tag() != "!");
  }
}

std::vector<std::vector<std::string>> read_csv(const std::string& text) {
  std::vector<std::vector<std::string>> lines;
  std::vector<std::string> cells{""};
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
        cells.back() += text[++i];
      } else if (c == '"') {
        quoted = false;
      } else {
        cells.back() += c;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == ',') {
      cells.emplace_back();
    } else if (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n') {
      ++i;
      lines.push_back(cells);
      cells = {""};
    } else {
      cells.back() += c;
    }
  }
  REQUIRE_FALSE(quoted);
  REQUIRE(cells == std::vector<std::string>{""});  // the last line is ended
  return lines;
}

std::string random_text(std::mt19937& random) {
  static const std::vector<std::string> kParts = {"a",
                                                  "B",
                                                  "0",
                                                  "12",
                                                  "1e3",
                                                  "0x1F",
                                                  "yes",
                                                  "No",
                                                  "null",
                                                  "~",
                                                  "true",
                                                  ".5",
                                                  "-",
                                                  "- ",
                                                  ": ",
                                                  " #",
                                                  "#",
                                                  "'",
                                                  "\"",
                                                  "\\",
                                                  "\n",
                                                  "\r",
                                                  "\t",
                                                  "\x1b",
                                                  "\x01",
                                                  "\x7f",
                                                  "{",
                                                  "}",
                                                  "[",
                                                  "]",
                                                  ",",
                                                  "&",
                                                  "*",
                                                  "!",
                                                  "|",
                                                  ">",
                                                  "%",
                                                  "@",
                                                  "`",
                                                  "?",
                                                  " ",
                                                  "\xC3\xBC",
                                                  "\xE6\x9D\xB1",
                                                  "\xF0\x9F\x98\x80",
                                                  "\xE2\x80\xA8",
                                                  "\xC2\x85",
                                                  "\xFF",
                                                  "\xC3",
                                                  "<<",
                                                  "="};
  std::string text;
  const auto parts = std::uniform_int_distribution<std::size_t>(0, 6)(random);
  for (std::size_t i = 0; i < parts; ++i) {
    text += kParts[std::uniform_int_distribution<std::size_t>(0, kParts.size() - 1)(random)];
  }
  return text;
}

Value random_value(std::mt19937& random, int depth) {
  switch (std::uniform_int_distribution<int>(depth > 3 ? 2 : 0, 6)(random)) {
    case 0: {
      Value list = Value::list();
      for (int i = std::uniform_int_distribution<int>(0, 4)(random); i > 0; --i) {
        list.add(random_value(random, depth + 1));
      }
      return list;
    }
    case 1: {
      Value object = Value::object();
      for (int i = std::uniform_int_distribution<int>(0, 4)(random); i > 0; --i) {
        object.set(valid_utf8(random_text(random)) + std::to_string(i),
                   random_value(random, depth + 1));
      }
      return object;
    }
    case 2:
      return std::uniform_int_distribution<std::int64_t>(-1'000'000, 1'000'000)(random);
    case 3:
      return std::uniform_int_distribution<int>(0, 1)(random) == 1;
    case 4:
      return {};
    default:
      return random_text(random);
  }
}

}  // namespace

TEST_CASE("JSON is indented by two and keeps the order of keys", "[report]") {
  Document document = example();
  CHECK(written(document, DataFormat::json) == R"json({
  "format": 1,
  "tenants": [
    {
      "id": "acme",
      "pending": [
        "0004",
        "0005"
      ],
      "error": null
    },
    {
      "id": "Müller, Sons",
      "pending": [],
      "error": {
        "kind": "lock_timeout",
        "message": "says \"no\", twice\nand more"
      }
    }
  ],
  "ok": true
}
)json");
}

TEST_CASE("NDJSON is the head of the document, then one row a line", "[report]") {
  std::istringstream lines(written(example(), DataFormat::ndjson));
  std::vector<ordered_json> parsed;
  for (std::string line; std::getline(lines, line);) {
    parsed.push_back(ordered_json::parse(line));
  }
  REQUIRE(parsed.size() == 3);
  CHECK(parsed[0] == ordered_json{{"format", 1}, {"ok", true}});
  CHECK(parsed[1]["id"] == "acme");
  CHECK(parsed[2]["error"]["kind"] == "lock_timeout");
}

TEST_CASE("YAML quotes what could be read as something else than text", "[report]") {
  CHECK(written(example(), DataFormat::yaml) == R"yaml(format: 1
tenants:
  - id: acme
    pending:
      - "0004"
      - "0005"
    error: null
  - id: "Müller, Sons"
    pending: []
    error:
      kind: lock_timeout
      message: "says \"no\", twice\nand more"
ok: true
)yaml");
}

TEST_CASE("CSV has a header, joins lists and follows paths", "[report]") {
  const auto lines = read_csv(written(example(), DataFormat::csv));
  const std::vector<std::vector<std::string>> expected = {
      {"id", "pending", "error.kind", "error.message"},
      {"acme", "0004,0005", "", ""},
      {"M\xC3\xBCller, Sons", "", "lock_timeout", "says \"no\", twice\nand more"}};
  CHECK(lines == expected);
}

TEST_CASE("a document without rows is one line of CSV", "[report]") {
  Value value = Value::object();
  value.set("version", "0.1.0").set("labels", Value::object().set("tier", "free").set("n", 2));
  CHECK(written({value, "", {}}, DataFormat::csv) ==
        "version,labels\r\n0.1.0,\"tier=free,n=2\"\r\n");
}

TEST_CASE("CSV shows no control character to a terminal", "[report]") {
  Value value = Value::object();
  value.set("id", "\x1b[2Jgone\xFF");
  CHECK(written({value, "", {"id"}}, DataFormat::csv) == "id\r\n\" [2Jgone\xEF\xBF\xBD\"\r\n");
}

TEST_CASE("numbers are what they were, and what JSON lacks is null", "[report]") {
  Value value = Value::list();
  value.add(0.1).add(-7).add(1e300).add(std::numeric_limits<double>::infinity());
  value.add(std::numeric_limits<std::int64_t>::min()).add(std::size_t{42});
  CHECK(json_line(value) == "[0.1, -7, 1e+300, null, -9223372036854775808, 42]");
}

TEST_CASE("times are RFC 3339 in UTC with milliseconds, before 1970 too", "[report]") {
  using std::chrono::milliseconds;
  CHECK(rfc3339(WallTime(milliseconds(1'795'354'512'250))) == "2026-11-22T13:35:12.250Z");
  CHECK(rfc3339(WallTime(milliseconds(0))) == "1970-01-01T00:00:00.000Z");
  CHECK(rfc3339(WallTime(milliseconds(-1))) == "1969-12-31T23:59:59.999Z");
}

TEST_CASE("a document opens with format, environment and times", "[report]") {
  const WallTime start{std::chrono::milliseconds(1'795'354'512'250)};
  CHECK(json_line(opening({"production", start, start + std::chrono::seconds(2)})) ==
        R"({"format": 1, "environment": "production", "started": "2026-11-22T13:35:12.250Z", )"
        R"("finished": "2026-11-22T13:35:14.250Z"})");
  CHECK(opening({"", start, start}).find("environment")->is_null());
}

TEST_CASE("a value of the wrong kind is a bug", "[report]") {
  CHECK_THROWS_AS(Value("text").set("key", 1), std::logic_error);
  CHECK_THROWS_AS(Value::object().add(1), std::logic_error);
  CHECK(Value("text").find("key") == nullptr);
  CHECK(Value::object().set("a", 1).set("a", 2).members()->size() == 1);
}

TEST_CASE("whatever is written, other parsers read the same", "[report]") {
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 400; ++i) {
    Value value = Value::object();
    value.set("value", random_value(random, 0));
    const Document document{value, "", {}};
    const std::string json = written(document, DataFormat::json);
    INFO(json);
    CHECK(ordered_json::parse(json) == as_nlohmann(value));
    CHECK(ordered_json::parse(json_line(value)) == as_nlohmann(value));
    const std::string yaml = written(document, DataFormat::yaml);
    INFO(yaml);
    check_same(YAML::Load(yaml), value);
  }
}

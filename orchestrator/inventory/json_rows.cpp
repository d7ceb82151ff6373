#include "orchestrator/inventory/json_rows.h"

#include <algorithm>
#include <cstddef>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace drover::orchestrator::inventory {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kDeepest =
    3;  ///< A list of objects of values, and one more to complain about.

[[noreturn]] void refuse(const RowPlace& at, const std::string& message, std::string hint) {
  refuse_row(at, "source_malformed", message, std::move(hint));
}

/// Watches the parser, which by itself keeps the last of two equal keys and goes to any depth.
class Guard {
 public:
  explicit Guard(const RowPlace& at) : at_(at) {}

  bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
    if (event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start) {
      if (static_cast<std::size_t>(depth) >= kDeepest) {
        refuse(at_, "the JSON is nested too deep", "Give flat objects: a value per key.");
      }
      keys_.clear();
    }
    if (event == Json::parse_event_t::key && !keys_.insert(parsed.get<std::string>()).second) {
      refuse(at_,
             fmt::format("key '{}' is there twice in one object", parsed.get<std::string>()),
             "Keep one of them.");
    }
    return true;
  }

 private:
  const RowPlace& at_;
  std::set<std::string> keys_;  ///< Of the object under way; rows are flat, so one set is enough.
};

void refuse_markup(std::string_view text, const RowPlace& at) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && text[first] == '<') {
    refuse(at, "this is HTML or XML, not JSON", "Look at the text: it may be an error page.");
  }
}

Json parse(std::string_view text, const RowPlace& at) {
  refuse_markup(text, at);
  try {
    return Json::parse(text.begin(), text.end(), Guard(at));
  } catch (const Json::parse_error& error) {
    RowPlace there = at;
    const std::string_view before = text.substr(0, error.byte == 0 ? 0 : error.byte - 1);
    if (at.row.empty()) {
      there.place.line =
          1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
    }
    refuse(there,
           fmt::format("this is not JSON: something is wrong at byte {}", error.byte),
           "Look for a missing quote, comma or bracket just before it.");
  }
}

SourceRow::Value text_of(const Json& value, const std::string& key, const RowPlace& at) {
  switch (value.type()) {
    case Json::value_t::null:
      return std::nullopt;
    case Json::value_t::string:
      return value.get<std::string>();
    case Json::value_t::boolean:
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
      return value.dump();
    case Json::value_t::number_float:
      refuse(at,
             fmt::format("key '{}' holds a fraction, or a number beyond 64 bits", key),
             "Put it in quotes.");
    default:
      refuse(at,
             fmt::format("key '{}' holds {}, not a single value",
                         key,
                         value.is_array() ? "a list" : "an object"),
             "Give flat objects: a value per key.");
  }
}

SourceRow row_of(const Json& object, RowPlace at) {
  if (!object.is_object()) {
    refuse(at,
           fmt::format("this is {}, not an object", object.type_name()),
           "Give {\"id\": ..., \"target\": ...}.");
  }
  SourceRow row;
  for (const auto& [key, value] : object.items()) {
    row.values.emplace_back(key, text_of(value, key, at));
  }
  row.at = std::move(at);
  return row;
}

}  // namespace

std::vector<SourceRow> parse_json_list(std::string_view text, const std::string& file) {
  const RowPlace whole{{file, 0, 0}, ""};
  const Json list = parse(text, whole);
  if (!list.is_array()) {
    refuse(whole,
           fmt::format("the file holds {}, not a list", list.type_name()),
           "Give a list of objects: [{\"id\": ..., \"target\": ...}].");
  }
  std::vector<SourceRow> rows;
  for (const Json& object : list) {
    rows.push_back(row_of(object, {whole.place, fmt::format("row {}", rows.size() + 1)}));
  }
  return rows;
}

std::vector<SourceRow> parse_json_lines(std::string_view text, const Place& source) {
  std::vector<SourceRow> rows;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
      continue;
    }
    const RowPlace at{source, fmt::format("line {} of the output", number)};
    rows.push_back(row_of(parse(line, at), at));
  }
  return rows;
}

}  // namespace drover::orchestrator::inventory

/// YAML as Drover reads it: one document of mappings, sequences and texts, with the place of each.
///
/// What people trip over is refused here, at line and column: aliases, anchors, tags, merge keys,
/// duplicate keys, more than one document, tabs as indentation, other encodings than UTF-8, and
/// anything too big or too deep. Nothing is given a type; what a text means is decided by who reads
/// it (given.h), so `no` stays "no" until someone asks for true or false.
///
/// Thread safety: values and a pure function.
/// Errors: Error usage, kind invalid_yaml, with the place.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/error.h"

namespace drover::orchestrator::settings {

constexpr std::size_t kMostYamlBytes = std::size_t{4} * 1024 * 1024;
constexpr std::size_t kMostYamlNodes = 200'000;
constexpr std::size_t kMostYamlDepth = 32;

struct YamlEntry;

struct YamlNode {
  enum class Kind { nothing, text, list, mapping };
  enum class Style { plain, quoted };  ///< Quoted: '', "", | or >.

  Kind kind = Kind::nothing;
  Style style = Style::plain;
  std::string text;                ///< Of a text; "" or "~" or "null" for nothing.
  std::vector<YamlNode> items;     ///< Of a list.
  std::vector<YamlEntry> entries;  ///< Of a mapping, in the file's order.
  Place place;
};

struct YamlEntry {
  std::string key;
  Place key_place;
  YamlNode value;
};

/// Parses `text`; `file` is only for places. A BOM at the start and CRLF are fine.
YamlNode parse_yaml(std::string_view text, const std::string& file);

/// "a mapping", "a list", "a text" or "nothing".
std::string_view describe(YamlNode::Kind kind) noexcept;

}  // namespace drover::orchestrator::settings

#include "orchestrator/settings/section.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "orchestrator/nearest.h"

namespace drover::orchestrator::settings {
namespace {

std::string subject(const std::string& name) {
  return name.empty() ? "the file" : name;
}

[[noreturn]] void wrong_kind(const YamlNode& node,
                             const std::string& name,
                             std::string_view wanted,
                             std::string hint) {
  throw Error(ErrorCode::usage,
              "invalid_setting",
              fmt::format("{} holds {}, not {}", subject(name), describe(node.kind), wanted),
              std::move(hint),
              node.place);
}

}  // namespace

Given given_of(const YamlNode& node, const std::string& name) {
  if (node.kind == YamlNode::Kind::nothing) {
    wrong_kind(node, name, "a value", "Give it a value, or remove the key.");
  }
  if (node.kind != YamlNode::Kind::text) {
    wrong_kind(node, name, "a single value", "Give it one value.");
  }
  const auto style =
      node.style == YamlNode::Style::quoted ? Given::Style::quoted : Given::Style::plain;
  return {name, node.text, node.place, style};
}

const std::vector<YamlNode>& items_of(const YamlNode& node, const std::string& name) {
  if (node.kind != YamlNode::Kind::list) {
    wrong_kind(node, name, "a list", "Write a list: each item on a line of its own after '- '.");
  }
  if (node.items.empty()) {
    refuse_setting(
        {name, "", node.place}, "is an empty list", "Give it an item, or remove the key.");
  }
  return node.items;
}

std::vector<std::string> texts_of(const YamlNode& node, const std::string& name) {
  std::vector<std::string> texts;
  for (const YamlNode& item : items_of(node, name)) {
    texts.push_back(to_text(given_of(item, fmt::format("{}[{}]", name, texts.size()))));
  }
  return texts;
}

Section::Section(const YamlNode& node, std::string name) : node_(&node), name_(std::move(name)) {
  if (node.kind != YamlNode::Kind::mapping) {
    wrong_kind(node, name_, "a mapping", "Write keys and values: `key: value`.");
  }
}

Section::Section(const YamlNode& node, std::string name, const std::vector<std::string>& known)
    : Section(node, std::move(name)) {
  for (const YamlEntry& entry : entries()) {
    if (std::find(known.begin(), known.end(), entry.key) == known.end()) {
      throw Error(ErrorCode::usage,
                  "unknown_key",
                  fmt::format("{} has no key '{}'", subject(name_), entry.key),
                  nearest_hint(entry.key, known),
                  entry.key_place);
    }
  }
}

Section Section::of_names(const YamlNode& node, std::string name) {
  Section section(node, std::move(name));
  for (const YamlEntry& entry : section.entries()) {
    if (entry.key.empty()) {
      refuse_setting({section.name_, "", entry.key_place}, "has an empty name", "Give it a name.");
    }
  }
  return section;
}

const YamlEntry* Section::find(const std::string& key) const noexcept {
  const auto found = std::find_if(entries().begin(),
                                  entries().end(),
                                  [&key](const YamlEntry& entry) { return entry.key == key; });
  return found == entries().end() ? nullptr : &*found;
}

const YamlNode* Section::value(const std::string& key) const noexcept {
  const YamlEntry* const entry = find(key);
  return entry == nullptr ? nullptr : &entry->value;
}

std::optional<Given> Section::given(const std::string& key) const {
  const YamlNode* const node = value(key);
  if (node == nullptr) {
    return std::nullopt;
  }
  return given_of(*node, name_of(key));
}

const YamlNode& Section::required_value(const std::string& key) const {
  const YamlNode* const node = value(key);
  if (node == nullptr) {
    refuse_setting({subject(name_), "", place()},
                   fmt::format("lacks the key '{}'", key),
                   fmt::format("Add `{}: ...`.", key));
  }
  return *node;
}

Given Section::required(const std::string& key) const {
  return given_of(required_value(key), name_of(key));
}

std::string Section::name_of(const std::string& key) const {
  return name_.empty() ? key : name_ + "." + key;
}

}  // namespace drover::orchestrator::settings

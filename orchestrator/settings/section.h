/// A mapping of the file, read key by key with the place of everything at hand.
///
/// Thread safety: immutable; lives no longer than the YamlNode it was made of.
/// Errors: Error usage: unknown_key (with the nearest key), invalid_setting.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "orchestrator/settings/given.h"
#include "orchestrator/settings/yaml_document.h"

namespace drover::orchestrator::settings {

/// `node`, which is called `name` in messages, as a text. Refuses lists, mappings and nothing.
Given given_of(const YamlNode& node, const std::string& name);

/// The items of `node`, which must be a list of at least one.
const std::vector<YamlNode>& items_of(const YamlNode& node, const std::string& name);

/// The items of `node` as texts that are not empty.
std::vector<std::string> texts_of(const YamlNode& node, const std::string& name);

class Section {
 public:
  /// `node` must be a mapping that has no other keys than `known`. An empty `name` is the file.
  Section(const YamlNode& node, std::string name, const std::vector<std::string>& known);

  /// A mapping whose keys are names that people choose: environments, labels, secrets.
  static Section of_names(const YamlNode& node, std::string name);

  const Place& place() const noexcept { return node_->place; }
  const std::string& name() const noexcept { return name_; }
  const std::vector<YamlEntry>& entries() const noexcept { return node_->entries; }

  const YamlEntry* find(const std::string& key) const noexcept;
  const YamlNode* value(const std::string& key) const noexcept;  ///< Null: not given.
  std::optional<Given> given(const std::string& key) const;
  Given required(const std::string& key) const;
  const YamlNode& required_value(const std::string& key) const;

  /// "limits.in_flight" for key "in_flight" of section "limits".
  std::string name_of(const std::string& key) const;

 private:
  Section(const YamlNode& node, std::string name);

  const YamlNode* node_;
  std::string name_;
};

}  // namespace drover::orchestrator::settings

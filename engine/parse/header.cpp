#include "engine/parse/header.h"

#include <algorithm>
#include <array>
#include <vector>

#include "engine/parse/file_name.h"
#include "engine/parse/migration_text.h"
#include "engine/parse/text_error.h"
#include "engine/parse/value_rules.h"
#include "engine/revision_id.h"

namespace drover::engine::parse {
namespace {

constexpr std::array<std::string_view, 8> kHeaderWords = {
    "revision", "parents", "message", "labels", "depends", "irreversible", "requires-fleet", "set"};

bool is_timeout(std::string_view value) {
  return duration_in(value).has_value();
}

bool is_switch(std::string_view value) {
  return value == "on" || value == "off";
}

/// A setting that the header may hold, and what its value must be.
struct SettingRule {
  std::string_view name;
  bool (*allows)(std::string_view value);
  std::string_view wanted;
};

constexpr std::array<SettingRule, 5> kSettings = {{
    {"lock_timeout", is_timeout, "a number with a unit (ms, s, min or h), as in 5s"},
    {"statement_timeout", is_timeout, "a number with a unit (ms, s, min or h), as in 5min"},
    {"role", is_name, "the name of one role"},
    {"search_path", is_list_of_names, "names of schemas with commas between them"},
    {"foreign_keys", is_switch, "on or off"},
}};

std::string list_of_settings() {
  std::vector<std::string_view> names;
  names.reserve(kSettings.size());
  for (const SettingRule& rule : kSettings) {
    names.push_back(rule.name);
  }
  return listed(names);
}

/// The ids or labels in `value`; `noun` names them in messages.
std::vector<std::string> list_in(const Migration& file,
                                 std::string_view value,
                                 std::string_view noun) {
  std::vector<std::string> result;
  std::set<std::string_view> seen;
  for (const std::string_view part : parts_between_commas(value)) {
    const auto defect = name_defect(part);
    if (defect) {
      refuse(file,
             part.data(),
             "bad_id",
             std::string(noun) + " " + shown(part) + " " + defect->what,
             "Divide them by commas; none may hold a blank, '@', '-', '+' or ':', or be head, "
             "heads, base, current or none.");
    }
    if (!seen.insert(part).second) {
      refuse(file,
             part.data(),
             "duplicate_id",
             std::string(noun) + " " + shown(part) + " is listed twice",
             "Name it once.");
    }
    result.emplace_back(part);
  }
  return result;
}

std::vector<RevisionId> ids_in(const Migration& file,
                               std::string_view value,
                               std::string_view noun) {
  std::vector<RevisionId> ids;
  for (std::string& id : list_in(file, value, noun)) {
    ids.push_back({std::move(id)});
  }
  return ids;
}

RevisionId id_in(const Migration& file, std::string_view value, std::string_view noun) {
  const auto defect = name_defect(value);
  if (defect) {
    refuse(file,
           value.data(),
           "bad_id",
           std::string(noun) + " " + shown(value) + " " + defect->what,
           "Ids hold letters, digits and '_'; head, heads, base, current and none have a meaning "
           "of their own.");
  }
  return {std::string(value)};
}

}  // namespace

bool is_header_word(std::string_view word) noexcept {
  return std::find(kHeaderWords.begin(), kHeaderWords.end(), word) != kHeaderWords.end();
}

void HeaderReader::take(const Directive& directive) {
  const std::string_view word = directive.word;
  const std::string_view value = directive.value;
  if (value.empty()) {
    refuse(file_,
           directive.line.data(),
           "missing_value",
           "the directive " + shown(word) + " has no value",
           "Write '-- drover: " + std::string(word) + " ...', or remove the line.");
  }
  if (word == "set") {
    return read_set(directive);
  }
  if (!seen_.emplace(word).second) {
    refuse(file_,
           directive.line.data(),
           "duplicate_header",
           "the header says " + shown(word) + " twice",
           "Keep one of the lines.");
  }
  if (word == "revision") {
    file_.id = id_in(file_, value, "revision");
    revision_ = value;
  } else if (word == "parents") {
    file_.parents = value == "none" ? std::vector<RevisionId>() : ids_in(file_, value, "parent");
  } else if (word == "message") {
    file_.message = value;
  } else if (word == "labels") {
    file_.labels = list_in(file_, value, "label");
  } else if (word == "depends") {
    file_.depends = ids_in(file_, value, "dependency");
  } else if (word == "irreversible") {
    file_.irreversible = value;
  } else {
    file_.requires_fleet = id_in(file_, value, "requires-fleet");
  }
}

void HeaderReader::read_set(const Directive& directive) {
  const std::size_t cut = std::min(directive.value.find('='), directive.value.size());
  const std::string_view name = trimmed(directive.value.substr(0, cut));
  const std::string_view value =
      cut < directive.value.size() ? trimmed(directive.value.substr(cut + 1)) : "";
  const auto* const rule = std::find_if(kSettings.begin(),
                                        kSettings.end(),
                                        [&](const SettingRule& each) { return each.name == name; });
  if (rule == kSettings.end()) {
    refuse(file_,
           directive.value.data(),
           "unknown_setting",
           shown(name) + " is not a setting that a header may change",
           "Use " + list_of_settings() + ", as in '-- drover: set lock_timeout=5s'.");
  }
  if (!rule->allows(value)) {
    refuse(file_,
           directive.value.data(),
           "bad_setting",
           std::string(name) + " is " + shown(value) + ", which it cannot be",
           "Give it " + std::string(rule->wanted) + ".");
  }
  if (!seen_.insert("set " + std::string(name)).second) {
    refuse(file_,
           directive.line.data(),
           "duplicate_header",
           "the header sets " + shown(name) + " twice",
           "Keep one of the lines.");
  }
  file_.settings.push_back({std::string(name), std::string(value)});
}

void HeaderReader::finish() {
  if (revision_) {
    require_agreement_with_file_name();
  } else {
    take_id_from_file_name();
  }
  if (!seen_.contains("message")) {
    file_.message = message_behind(stem_of(file_.source), file_.id.value.size());
  }
  if (!seen_.contains("parents")) {
    refuse(file_,
           file_.text->data(),
           "missing_parents",
           "revision " + shown(file_.id.value) + " does not say which revision it follows",
           "Add the line '-- drover: parents ID', or '-- drover: parents none' for a first "
           "revision.");
  }
}

void HeaderReader::take_id_from_file_name() {
  file_.id.value = parts_of_file_name(file_.source).id;
  const auto defect = name_defect(file_.id.value);
  if (defect) {
    refuse(file_,
           file_.text->data(),
           "bad_id",
           "the id " + shown(file_.id.value) + " that the file's name gives " + defect->what,
           "Name the file ID_what_it_does.sql, as in 0004_add_content_hash.sql.");
  }
}

void HeaderReader::require_agreement_with_file_name() const {
  const std::string stem = stem_of(file_.source);
  if (stem != *revision_ && !stem.starts_with(std::string(*revision_) + "_")) {
    refuse(file_,
           revision_->data(),
           "id_mismatch",
           "the file says revision " + shown(*revision_) + ", but its name says " +
               shown(parts_of_file_name(file_.source).id),
           "Rename the file or correct the line, so that both give one id.");
  }
}

}  // namespace drover::engine::parse

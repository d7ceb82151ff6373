#include "orchestrator/settings/section_reader.h"

#include <string_view>

#include <fmt/format.h>

#include "orchestrator/settings/section.h"

namespace drover::orchestrator::settings {
namespace {

constexpr std::string_view kSqlitePrefix = "sqlite:";

}  // namespace

std::string SectionReader::text(const Given& given) const {
  to_text(given);
  if (references_ == References::expand) {
    Given expanded = given;
    expanded.text = secrets_->expand(given);
    return to_text(expanded);
  }
  if (references_ == References::check) {
    secrets_->check(given);
  }
  return given.text;
}

engine::Secret SectionReader::secret(const Given& given) const {
  return engine::Secret(text(given));
}

std::filesystem::path SectionReader::path(const Given& given) const {
  return absolute_path(directory_, text(given));
}

engine::Secret SectionReader::target(const Given& given) const {
  std::string target = text(given);
  if (target.compare(0, kSqlitePrefix.size(), kSqlitePrefix) != 0) {
    return engine::Secret(std::move(target));
  }
  const std::string path = target.substr(kSqlitePrefix.size());
  if (path.empty()) {
    refuse_setting(given, "names no file behind 'sqlite:'", "Write sqlite:PATH.");
  }
  return engine::Secret(std::string(kSqlitePrefix) + absolute_path(directory_, path).string());
}

Labels SectionReader::labels(const Section& section) const {
  Labels labels;
  const YamlNode* const node = section.value("labels");
  if (node == nullptr) {
    return labels;
  }
  const Section given = Section::of_names(*node, section.name_of("labels"));
  for (const YamlEntry& entry : given.entries()) {
    labels.emplace(entry.key, text(given_of(entry.value, given.name_of(entry.key))));
  }
  return labels;
}

std::filesystem::path absolute_path(const std::filesystem::path& directory,
                                    const std::string& path) {
  std::filesystem::path absolute = (directory / path).lexically_normal();
  return absolute.has_filename() ? absolute : absolute.parent_path();
}

}  // namespace drover::orchestrator::settings

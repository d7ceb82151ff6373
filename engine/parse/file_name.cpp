#include "engine/parse/file_name.h"

#include <algorithm>

#include "engine/parse/migration_text.h"
#include "engine/parse/sql_tokens.h"

namespace drover::engine::parse {
namespace {

constexpr std::string_view kExtension = ".sql";

}  // namespace

std::string stem_of(const std::filesystem::path& source) {
  const std::string name = source.filename().string();
  const std::size_t size = name.size() - std::min(name.size(), kExtension.size());
  const bool is_sql = equals_ignoring_case(std::string_view(name).substr(size), kExtension);
  return is_sql ? name.substr(0, size) : name;
}

std::string message_behind(std::string_view stem, std::size_t id_size) {
  std::string message(stem.substr(std::min(id_size + 1, stem.size())));
  std::replace(message.begin(), message.end(), '_', ' ');
  return message;
}

NameParts parts_of_file_name(const std::filesystem::path& source) {
  const std::string stem = stem_of(source);
  const std::string id = stem.substr(0, stem.find('_'));
  return {id, message_behind(stem, id.size())};
}

}  // namespace drover::engine::parse

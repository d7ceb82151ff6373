#include "orchestrator/settings/origins.h"

#include "orchestrator/settings/secrets.h"

namespace drover::orchestrator::settings {

void Origins::set(const std::string& key, const std::string& value, const std::string& from) {
  const auto [known, is_new] = index_.emplace(key, origins_.size());
  if (is_new) {
    origins_.push_back({key, value, from});
  } else {
    origins_[known->second] = {key, value, from};
  }
}

void Origins::set(const std::string& key, const std::string& value, const Given& given) {
  set(key, value, origin_of(given));
}

void Origins::copy(const std::string& from_prefix, const std::string& to_prefix) {
  std::vector<Origin> found;
  for (auto known = index_.lower_bound(from_prefix);
       known != index_.end() && known->first.compare(0, from_prefix.size(), from_prefix) == 0;
       ++known) {
    found.push_back(origins_[known->second]);
  }
  for (const Origin& origin : found) {
    set(to_prefix + origin.key.substr(from_prefix.size()), origin.value, origin.from);
  }
}

std::string origin_of(const Given& given) {
  return given.place.file.empty() ? given.name : to_string(given.place);
}

std::string printable(const Given& given) {
  return Secrets::refers(given.text) ? "(secret)" : given.text;
}

std::string printable_path(const Given& given, const std::filesystem::path& path) {
  return Secrets::refers(given.text) ? "(secret)" : path.string();
}

}  // namespace drover::orchestrator::settings

/// Where each value came from, collected while settings are read.
///
/// Thread safety: one thread at a time.

#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "orchestrator/options.h"
#include "orchestrator/settings/given.h"

namespace drover::orchestrator::settings {

class Origins {
 public:
  /// Notes that `key` is now `value`; what was noted for it before is replaced.
  void set(const std::string& key, const std::string& value, const std::string& from);
  void set(const std::string& key, const std::string& value, const Given& given);

  /// Notes for every key under `from_prefix` the same under `to_prefix`: an environment starts with
  /// what holds for all.
  void copy(const std::string& from_prefix, const std::string& to_prefix);

  std::vector<Origin> take() { return std::move(origins_); }

 private:
  std::vector<Origin> origins_;               ///< In the order of their first mention.
  std::map<std::string, std::size_t> index_;  ///< Key -> where it is in origins_.
};

/// "drover.yaml:3:14", or the name of the variable or flag.
std::string origin_of(const Given& given);

/// What may be shown of a value: a text with a reference in it is "(secret)".
std::string printable(const Given& given);
std::string printable_path(const Given& given, const std::filesystem::path& path);

}  // namespace drover::orchestrator::settings

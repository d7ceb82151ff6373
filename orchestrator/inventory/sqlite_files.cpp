#include "orchestrator/inventory/sqlite_files.h"

#include <algorithm>
#include <array>
#include <system_error>

#include <fmt/format.h>

#include "engine/error.h"
#include "orchestrator/glob.h"

namespace drover::orchestrator::inventory {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "sqlite:";
constexpr std::array<std::string_view, 3> kSideFiles = {"-wal", "-shm", "-journal"};

[[noreturn]] void refuse(const std::string& kind, const std::string& message, std::string hint) {
  throw Error(ErrorCode::usage, kind, message, std::move(hint));
}

bool ends_with(std::string_view text, std::string_view end) noexcept {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

bool is_under(const fs::path& root, const fs::path& path) {
  const auto [in_root, in_path] = std::mismatch(root.begin(), root.end(), path.begin(), path.end());
  return in_root == root.end() && in_path != path.end();
}

fs::path resolved(const fs::path& path) {
  std::error_code problem;
  fs::path result = fs::weakly_canonical(path, problem);
  if (problem) {
    refuse("invalid_target",
           fmt::format("the path {} cannot be followed: {}", path.string(), problem.message()),
           "Check its folders and links.");
  }
  return result;
}

}  // namespace

std::string_view sqlite_path_in(std::string_view target) noexcept {
  return target.substr(0, kPrefix.size()) == kPrefix ? target.substr(kPrefix.size())
                                                     : std::string_view();
}

engine::Target sqlite_target(const fs::path& path) {
  const fs::path file = resolved(path);
  engine::Target target;
  target.dialect = engine::Dialect::sqlite;
  target.connection = file.string();
  target.schema.clear();
  target.server = file.parent_path().string();
  target.database = file.filename().string();
  return target;
}

engine::Target sqlite_target_under(const fs::path& root, const std::string& path) {
  if (root.empty()) {
    refuse("invalid_target",
           fmt::format("the target is the SQLite file '{}', and the source has no root", path),
           "Give the source the folder of its files as `root`.");
  }
  const fs::path given(path);
  if (std::find(given.begin(), given.end(), "..") != given.end()) {
    refuse("invalid_target",
           fmt::format("the target's path '{}' has a '..'", path),
           fmt::format("Name files under {} without going up.", root.string()));
  }
  const fs::path real_root = resolved(root);
  engine::Target target = sqlite_target(root / given);
  if (!is_under(real_root, target.connection)) {
    refuse("invalid_target",
           fmt::format("the target's path '{}' leads out of the source's root", path),
           fmt::format("Keep the files under {}.", root.string()));
  }
  return target;
}

std::vector<fs::path> sqlite_files(const fs::path& pattern) {
  const std::string wanted = pattern.filename().string();
  if (!has_glob(wanted)) {
    return {pattern};
  }
  std::error_code problem;
  std::vector<fs::path> files;
  for (fs::directory_iterator entry(pattern.parent_path(), problem), end; !problem && entry != end;
       entry.increment(problem)) {
    const std::string name = entry->path().filename().string();
    const bool is_hidden = name.front() == '.' && wanted.front() != '.';
    const bool is_side_file =
        std::any_of(kSideFiles.begin(), kSideFiles.end(), [&name](std::string_view end_of_name) {
          return ends_with(name, end_of_name);
        });
    std::error_code ignored;  // a dangling link is no file
    if (!is_hidden && !is_side_file && glob_matches(wanted, name) &&
        entry->is_regular_file(ignored)) {
      files.push_back(entry->path());
    }
  }
  if (problem) {
    refuse("source_failed",
           fmt::format("the folder {} cannot be listed: {}",
                       pattern.parent_path().string(),
                       problem.message()),
           "Create the folder, or correct the path.");
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace drover::orchestrator::inventory

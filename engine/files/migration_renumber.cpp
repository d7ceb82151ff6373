#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <system_error>

#include "engine/files/exclusive_file.h"
#include "engine/files/file_descriptor.h"
#include "engine/files/migration_writer.h"

namespace drover::engine::files {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDirective = "-- drover: ";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::array<std::string_view, 4> kSections = {"up", "down", "batch", "verify"};

const Migration& migration_in(const fs::path& file, std::span<const Migration> existing) {
  const auto found = std::find_if(existing.begin(), existing.end(), [&](const Migration& m) {
    std::error_code ignored;  // of a file that is gone: then it is another one
    return m.source.filename() == file.filename() && fs::equivalent(m.source, file, ignored);
  });
  if (found == existing.end()) {
    throw Error(ErrorCode::usage,
                "not_a_migration",
                "the file is not one of the migrations",
                "Name a file of the migrations directory.",
                place_of(file));
  }
  return *found;
}

bool names(const Migration& migration, const RevisionId& id) {
  const auto holds = [&](const std::vector<RevisionId>& list) {
    return std::find(list.begin(), list.end(), id) != list.end();
  };
  return holds(migration.parents) || holds(migration.depends) || migration.requires_fleet == id;
}

void check_unreferenced(const Migration& renumbered, std::span<const Migration> existing) {
  std::vector<std::string> files;
  for (const Migration& migration : existing) {
    if (names(migration, renumbered.id)) {
      files.push_back(migration.source.generic_string());
    }
  }
  if (!files.empty()) {
    throw Error(
        ErrorCode::usage,
        "still_referenced",
        fmt::format("revision {} is named by {}", in_quotes(renumbered.id), fmt::join(files, ", ")),
        "Let these name another revision first, or renumber the other file with this id.",
        place_of(renumbered.source));
  }
}

std::string content_of(const fs::path& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) {
    throw read_error(path, errno);
  }
  return read_to_end(file, 0, path);
}

/// Puts `fresh` in the place of `old` in the header's `revision` line, if there is one. Leaves all
/// other bytes as they are, line ends included.
std::string with_id(std::string bytes, const RevisionId& old, const RevisionId& fresh) {
  std::size_t line = bytes.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  while (line < bytes.size()) {
    const std::size_t end = std::min(bytes.find('\n', line), bytes.size());
    const std::string_view text = std::string_view(bytes).substr(line, end - line);
    if (text.starts_with(kDirective)) {
      const std::size_t start =
          std::min(text.find_first_not_of(' ', kDirective.size()), text.size());
      const std::string_view word = text.substr(start, text.find_first_of(" \t\r", start) - start);
      if (std::find(kSections.begin(), kSections.end(), word) != kSections.end()) {
        break;
      }
      const std::size_t at = text.find(old.value, start + word.size());
      if (word == "revision" && at != std::string_view::npos) {
        return bytes.replace(line + at, old.value.size(), fresh.value);
      }
    }
    line = end + 1;
  }
  return bytes;
}

}  // namespace

Renumbered renumber(const fs::path& file, std::span<const Migration> existing) {
  const Migration& migration = migration_in(file, existing);
  check_unreferenced(migration, existing);

  std::vector<RevisionId> taken;
  std::transform(existing.begin(), existing.end(), std::back_inserter(taken), [](const auto& m) {
    return m.id;
  });
  const RevisionId fresh = next_id(taken, IdStyle::number);
  const std::string bytes = with_id(content_of(file), migration.id, fresh);

  std::string name = file.filename().string();
  if (name.starts_with(migration.id.value)) {
    name.replace(0, migration.id.value.size(), fresh.value);
  }
  fs::path renamed = file.parent_path() / name;
  write_new_file(renamed, bytes);
  if (::unlink(file.c_str()) != 0) {
    throw write_error(file, errno);
  }
  sync_directory(file.parent_path());
  return {fresh, std::move(renamed)};
}

}  // namespace drover::engine::files

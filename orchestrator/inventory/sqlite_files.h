/// SQLite files as targets: found by a pattern, or named by a row of a source that must not leave
/// its root.
///
/// Paths come out canonical, so that two names of one file are one target. Nothing is opened.
///
/// Thread safety: pure but for the file system. Errors: Error usage, without a place:
/// invalid_target, source_failed.

#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "engine/target.h"

namespace drover::orchestrator::inventory {

/// The path behind "sqlite:", or an empty view when `target` is something else.
std::string_view sqlite_path_in(std::string_view target) noexcept;

/// The file at `path`, which is absolute; it need not exist.
engine::Target sqlite_target(const std::filesystem::path& path);

/// The file at `path` as data names it: relative to `root`, or absolute and under it. `..` and a
/// link that leads out are refused, and everything when `root` is empty.
engine::Target sqlite_target_under(const std::filesystem::path& root, const std::string& path);

/// The files that `pattern` (absolute, with a glob in its last part) matches, by name. Folders and
/// SQLite's own -wal, -shm and -journal files are none; names with a leading dot need one in the
/// pattern. A pattern without a glob is that one file, there or not.
std::vector<std::filesystem::path> sqlite_files(const std::filesystem::path& pattern);

}  // namespace drover::orchestrator::inventory

/// The Target of an SQLite file.
///
/// Thread safety: free functions. The file need not exist.

#pragma once

#include <filesystem>

#include "engine/target.h"

namespace drover::engine::sqlite {

/// The file at `path`: absolute, links in its folder followed (a link that is the file itself
/// stays), so that equal files have equal Targets. The server is the folder, the database the
/// file's name.
///
/// Throws drover::Error: invalid_target for an empty path or one with a NUL in it.
Target sqlite_target(const std::filesystem::path& path);

}  // namespace drover::engine::sqlite

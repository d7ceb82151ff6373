/// Writes a file that must not be there yet, whole or not at all.
///
/// Thread safety: free functions without state; of two processes that write one name, one fails.

#pragma once

#include <filesystem>
#include <string_view>

namespace drover::engine::files {

/// Makes the file `path` with `bytes`. Its content is on disk before its name appears, so a crash
/// leaves no half of it; an existing file is never touched.
///
/// Throws Error: file_exists, file_not_writable.
void write_new_file(const std::filesystem::path& path, std::string_view bytes);

/// Writes the names in `directory` to disk: what was made or removed there survives a crash.
///
/// Throws Error: file_not_writable.
void sync_directory(const std::filesystem::path& directory);

}  // namespace drover::engine::files

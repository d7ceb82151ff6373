/// Looks at a file before SQLite does, and opens it.
///
/// Thread safety: free functions without state.

#pragma once

#include <optional>
#include <string>

#include "engine/session.h"
#include "engine/sqlite/sqlite_handles.h"

namespace drover::engine::sqlite {

enum class FileState { sound, to_be_made };

struct FileCheck {
  FileState state = FileState::sound;
  std::optional<SqlError> error;  ///< Why the file must not be opened.
};

/// Whether `path` may be opened under `options`, as far as stat() can tell. The file is not opened:
/// closing it again would take the locks away that this process holds on it through SQLite.
FileCheck check_file(const std::string& path, const OpenOptions& options);

struct Opened {
  Database database;
  std::optional<SqlError> error;
};

/// Opens `path` as a file, whatever it is called, or makes it; read-only where the file cannot be
/// written.
Opened open_file(const std::string& path, FileState state);

/// Opens a file that nobody writes, to read it: nothing is locked, and no file is made beside it.
Opened open_stored(const std::string& path);

}  // namespace drover::engine::sqlite

#include "engine/sqlite/sqlite_target.h"

#include <string>
#include <system_error>

#include "engine/error.h"

namespace drover::engine::sqlite {

Target sqlite_target(const std::filesystem::path& path) {
  if (!path.has_filename() || path.native().find('\0') != std::string::npos) {
    throw Error(ErrorCode::usage,
                "invalid_target",
                "a target names no SQLite file",
                "Write sqlite: and the path of the file.");
  }
  const std::filesystem::path absolute = std::filesystem::absolute(path).lexically_normal();
  std::error_code unreadable;  // then the folder stays as it is written
  std::filesystem::path folder =
      std::filesystem::weakly_canonical(absolute.parent_path(), unreadable);
  if (unreadable) {
    folder = absolute.parent_path();
  }
  Target target;
  target.dialect = Dialect::sqlite;
  target.connection = folder / absolute.filename();
  target.schema = "";
  target.server = folder;
  target.database = absolute.filename();
  return target;
}

}  // namespace drover::engine::sqlite

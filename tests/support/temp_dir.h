/// A directory of a test's own, gone with all it holds when the object goes.
///
/// Thread safety: distinct objects are independent. Errors: std::runtime_error, which fails a test.

#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace drover::test {

class TempDir {
 public:
  /// Makes a fresh directory under TMPDIR, or `where`; its name starts with `prefix`.
  explicit TempDir(std::string_view prefix = "drover-test",
                   const std::filesystem::path& where = std::filesystem::temp_directory_path());
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir();

  const std::filesystem::path& path() const noexcept { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

  /// Writes `text` to the file `name`, making folders on the way, and returns its path.
  std::filesystem::path write(std::string_view name, std::string_view text) const;

  /// All of the file `name`.
  std::string read(std::string_view name) const;

 private:
  std::filesystem::path path_;
};

}  // namespace drover::test

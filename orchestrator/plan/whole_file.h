/// Files that are written once and read whole: plans, keys.
///
/// Thread safety: free functions without state; of two processes that make one name, one is told
/// that it exists.

#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <unistd.h>

#include "engine/error.h"

namespace drover::orchestrator::plan {

/// A file descriptor that is closed with its owner.
class OpenFile {
 public:
  explicit OpenFile(int descriptor) : descriptor_(descriptor) {}
  OpenFile(OpenFile&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  OpenFile& operator=(OpenFile&&) = delete;
  ~OpenFile() {
    if (is_open()) {
      ::close(descriptor_);
    }
  }

  int get() const noexcept { return descriptor_; }
  bool is_open() const noexcept { return descriptor_ >= 0; }

 private:
  int descriptor_;
};

/// Error storage, file_not_readable and file_not_writable, for the number that errno had.
Error read_error(const std::filesystem::path& file, int error_number);
Error write_error(const std::filesystem::path& file, int error_number);

enum class Written { yes, exists_already };

/// Makes `file` with `bytes`, for its owner only (0600): its content is on disk before its name
/// appears, and an existing file is never touched.
///
/// Throws Error storage: file_not_writable.
Written write_new_file(const std::filesystem::path& file, std::string_view bytes);

/// Writes all of `bytes`; false, with errno set, when that did not work.
bool write_all(const OpenFile& file, std::string_view bytes) noexcept;

/// What is left to read in `file`; nullopt when that is more than `limit` bytes. `path` is for
/// places.
///
/// Throws Error storage: file_not_readable.
std::optional<std::string> read_rest(const OpenFile& file,
                                     std::size_t limit,
                                     const std::filesystem::path& path);

/// Opens a regular file to read; a folder, a pipe or a device is refused.
///
/// Throws Error storage: file_not_readable.
OpenFile open_regular(const std::filesystem::path& file);

/// All of a regular file; nullopt when it is longer than `limit`.
///
/// Throws Error storage: file_not_readable.
std::optional<std::string> read_whole_file(const std::filesystem::path& file, std::size_t limit);

}  // namespace drover::orchestrator::plan

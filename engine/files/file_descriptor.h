/// Owns an open file descriptor, and tells of failed calls in our words.
///
/// Thread safety: one owner at a time.

#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "engine/error.h"

namespace drover::engine::files {

/// Closes what it owns. -1 stands for nothing.
class FileDescriptor {
 public:
  explicit FileDescriptor(int descriptor) noexcept : descriptor_(descriptor) {}
  FileDescriptor(FileDescriptor&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  FileDescriptor& operator=(FileDescriptor&&) = delete;
  ~FileDescriptor();

  int get() const noexcept { return descriptor_; }
  bool is_open() const noexcept { return descriptor_ >= 0; }

  /// Gives the descriptor away.
  int release() noexcept { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

/// A file as the place of an error.
Place place_of(const std::filesystem::path& file);

/// What to throw when `action` ("read", "create") failed on `path` with `error_number`: code
/// storage, kind "file_not_readable" or "file_not_writable", place() the path.
Error read_error(const std::filesystem::path& path, int error_number);
Error write_error(const std::filesystem::path& path, int error_number);

/// All bytes of the open `file`. `path` is for messages. Throws Error file_not_readable.
std::string read_to_end(const FileDescriptor& file,
                        std::size_t expected_size,
                        const std::filesystem::path& path);

}  // namespace drover::engine::files

#include "engine/files/file_descriptor.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace drover::engine::files {
namespace {

std::string reason(int error_number) {
  return std::generic_category().message(error_number);
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (is_open()) {
    ::close(descriptor_);
  }
}

Place place_of(const std::filesystem::path& file) {
  return {file.generic_string(), 0, 0};
}

Error read_error(const std::filesystem::path& path, int error_number) {
  return {ErrorCode::storage,
          "file_not_readable",
          fmt::format("cannot read the file: {}", reason(error_number)),
          "Check that the file exists and that you may read it.",
          place_of(path)};
}

Error write_error(const std::filesystem::path& path, int error_number) {
  return {ErrorCode::storage,
          "file_not_writable",
          fmt::format("cannot write the file: {}", reason(error_number)),
          "Check that you may write to the directory, and that the disk is not full.",
          place_of(path)};
}

std::string read_to_end(const FileDescriptor& file,
                        std::size_t expected_size,
                        const std::filesystem::path& path) {
  // One byte more than expected, so that the end is seen by the read that fills the rest.
  std::string bytes(expected_size + 1, '\0');
  std::size_t filled = 0;
  for (;;) {
    const ssize_t count = ::read(file.get(), bytes.data() + filled, bytes.size() - filled);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      throw read_error(path, errno);
    }
    if (count == 0) {
      bytes.resize(filled);
      return bytes;
    }
    filled += static_cast<std::size_t>(count);
    if (filled == bytes.size()) {
      bytes.resize(bytes.size() * 2);
    }
  }
}

}  // namespace drover::engine::files

#include "engine/files/exclusive_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <random>
#include <string>

#include "engine/error.h"
#include "engine/files/file_descriptor.h"

namespace drover::engine::files {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kMode = 0666;  // less the umask of whoever runs us

Error exists_error(const fs::path& path) {
  return {ErrorCode::usage,
          "file_exists",
          "the file exists already",
          "Choose another message, or remove the file.",
          {path.generic_string(), 0, 0}};
}

/// A hidden file beside the one that it will become. Removed when it still has its own name.
class HiddenFile {
 public:
  explicit HiddenFile(const fs::path& path)
      : path_(path),
        hidden_(path.parent_path() /
                fmt::format(".{}.{:08x}", path.filename().string(), std::random_device{}())),
        file_(::open(hidden_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kMode)) {
    if (!file_.is_open()) {
      throw write_error(path_, errno);
    }
  }
  HiddenFile(const HiddenFile&) = delete;
  HiddenFile& operator=(const HiddenFile&) = delete;
  ~HiddenFile() { ::unlink(hidden_.c_str()); }

  void write(std::string_view bytes);

  /// Gives it the name it was made for, unless that is taken.
  void publish();

 private:
  fs::path path_;
  fs::path hidden_;
  FileDescriptor file_;
};

void HiddenFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file_.get(), bytes.data(), bytes.size());
    if (count < 0 && errno != EINTR) {
      throw write_error(path_, errno);
    }
    bytes.remove_prefix(count < 0 ? 0 : static_cast<std::size_t>(count));
  }
  if (::fsync(file_.get()) != 0) {
    throw write_error(path_, errno);
  }
}

void HiddenFile::publish() {
  if (::link(hidden_.c_str(), path_.c_str()) == 0) {
    return;
  }
  // File systems without hard links (vfat, some network mounts) can still rename without replacing.
  if (errno != EEXIST &&
      ::renameat2(AT_FDCWD, hidden_.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE) == 0) {
    return;
  }
  throw errno == EEXIST ? exists_error(path_) : write_error(path_, errno);
}

}  // namespace

void write_new_file(const fs::path& path, std::string_view bytes) {
  HiddenFile file(path);
  file.write(bytes);
  file.publish();
  sync_directory(path.parent_path());
}

void sync_directory(const fs::path& directory) {
  const fs::path name = directory.empty() ? fs::path(".") : directory;
  const FileDescriptor opened(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened.is_open() || ::fsync(opened.get()) != 0) {
    throw write_error(name, errno);
  }
}

}  // namespace drover::engine::files

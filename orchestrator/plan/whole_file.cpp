#include "orchestrator/plan/whole_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <random>
#include <system_error>

#include <fmt/format.h>

namespace drover::orchestrator::plan {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kOwnerOnly = 0600;

std::string reason(int error_number) {
  return std::generic_category().message(error_number);
}

fs::path hidden_beside(const fs::path& file) {
  return file.parent_path() /
         fmt::format(".{}.{:08x}", file.filename().string(), std::random_device{}());
}

/// Removes a name at the end of its scope; the file lives on under its other name.
class HiddenName {
 public:
  explicit HiddenName(fs::path path) : path_(std::move(path)) {}
  HiddenName(const HiddenName&) = delete;
  HiddenName& operator=(const HiddenName&) = delete;
  ~HiddenName() { ::unlink(path_.c_str()); }

  const char* c_str() const noexcept { return path_.c_str(); }

 private:
  fs::path path_;
};

Written publish(const HiddenName& hidden, const fs::path& file) {
  if (::link(hidden.c_str(), file.c_str()) == 0) {
    return Written::yes;
  }
  // File systems without hard links (vfat, some network mounts) can still rename without replacing.
  if (errno != EEXIST &&
      ::renameat2(AT_FDCWD, hidden.c_str(), AT_FDCWD, file.c_str(), RENAME_NOREPLACE) == 0) {
    return Written::yes;
  }
  if (errno == EEXIST) {
    return Written::exists_already;
  }
  throw write_error(file, errno);
}

void sync_folder_of(const fs::path& file) {
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  const OpenFile opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened.is_open() || ::fsync(opened.get()) != 0) {
    throw write_error(file, errno);
  }
}

}  // namespace

Error read_error(const fs::path& file, int error_number) {
  return {ErrorCode::storage,
          "file_not_readable",
          fmt::format("cannot read the file: {}", reason(error_number)),
          "Check that the file exists and that you may read it.",
          {file.generic_string(), 0, 0}};
}

Error write_error(const fs::path& file, int error_number) {
  return {ErrorCode::storage,
          "file_not_writable",
          fmt::format("cannot write the file: {}", reason(error_number)),
          "Check that you may write to the folder, and that the disk is not full.",
          {file.generic_string(), 0, 0}};
}

bool write_all(const OpenFile& file, std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file.get(), bytes.data(), bytes.size());
    if (count < 0 && errno != EINTR) {
      return false;
    }
    bytes.remove_prefix(count < 0 ? 0 : static_cast<std::size_t>(count));
  }
  return true;
}

Written write_new_file(const fs::path& file, std::string_view bytes) {
  const fs::path beside = hidden_beside(file);
  const OpenFile opened(
      ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kOwnerOnly));
  if (!opened.is_open()) {
    throw write_error(file, errno);
  }
  const HiddenName hidden(beside);
  if (!write_all(opened, bytes) || ::fsync(opened.get()) != 0) {
    throw write_error(file, errno);
  }
  const Written written = publish(hidden, file);
  sync_folder_of(file);
  return written;
}

std::optional<std::string> read_rest(const OpenFile& file,
                                     std::size_t limit,
                                     const fs::path& path) {
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) {
    throw read_error(path, errno);
  }
  const auto size = static_cast<std::size_t>(std::max<off_t>(facts.st_size, 0));
  if (size > limit) {
    return std::nullopt;
  }
  // One byte more than expected, so that the end is seen by the read that fills the rest.
  std::string bytes(size + 1, '\0');
  std::size_t filled = 0;
  for (;;) {
    const ssize_t count = ::read(file.get(), bytes.data() + filled, bytes.size() - filled);
    if (count < 0 && errno != EINTR) {
      throw read_error(path, errno);
    }
    if (count == 0) {
      bytes.resize(filled);
      return bytes;
    }
    filled += count < 0 ? 0 : static_cast<std::size_t>(count);
    if (filled > limit) {
      return std::nullopt;
    }
    if (filled == bytes.size()) {
      bytes.resize(std::min(bytes.size() * 2, limit + 1));
    }
  }
}

OpenFile open_regular(const fs::path& file) {
  // Without O_NONBLOCK, a pipe would keep us waiting for its other end.
  OpenFile opened(::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat facts {};
  if (!opened.is_open() || ::fstat(opened.get(), &facts) != 0) {
    throw read_error(file, errno);
  }
  if (!S_ISREG(facts.st_mode)) {
    throw read_error(file, S_ISDIR(facts.st_mode) ? EISDIR : EINVAL);
  }
  return opened;
}

std::optional<std::string> read_whole_file(const fs::path& file, std::size_t limit) {
  return read_rest(open_regular(file), limit, file);
}

}  // namespace drover::orchestrator::plan

#include "orchestrator/store/state_file.h"

#include <cerrno>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/error.h"

namespace drover::orchestrator::store {
namespace {

namespace fs = std::filesystem;

Error failed(const fs::path& path, const std::string& doing, int error_number) {
  return {ErrorCode::storage,
          "journal_failed",
          fmt::format("'{}' cannot be {}: {}",
                      path.string(),
                      doing,
                      std::generic_category().message(error_number)),
          "Make the folder writable for this user, or name another store."};
}

Error unsafe(const fs::path& path, const std::string& why, std::string hint) {
  return {ErrorCode::storage,
          "journal_unsafe",
          fmt::format("'{}' {}", path.string(), why),
          std::move(hint)};
}

/// Makes the missing folders above `path`, the outermost first.
void make_folders(const fs::path& folder) {
  std::error_code ignored;
  if (folder.empty() || fs::exists(folder, ignored)) {
    return;
  }
  make_folders(folder.parent_path());
  if (::mkdir(folder.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
    throw failed(folder, "made", errno);
  }
}

void refuse_open_folder(const fs::path& folder) {
  struct stat facts {};
  if (::stat(folder.c_str(), &facts) != 0) {
    throw failed(folder, "read", errno);
  }
  if (!S_ISDIR(facts.st_mode)) {
    throw failed(folder, "used as a folder", ENOTDIR);
  }
  if ((facts.st_mode & S_IWOTH) != 0U && (facts.st_mode & S_ISVTX) == 0U) {
    throw unsafe(folder,
                 "may be written to by every user of this machine",
                 "Take that right away with chmod o-w, or name another store.");
  }
}

void make_file(const fs::path& path) {
  const int file =
      ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file < 0 && errno == ELOOP) {
    throw unsafe(
        path, "is a symbolic link", "Name the file that it leads to, if that is the one you mean.");
  }
  if (file < 0) {
    throw failed(path, "opened", errno);
  }
  struct stat facts {};
  const bool plain = ::fstat(file, &facts) == 0 && S_ISREG(facts.st_mode);
  ::close(file);
  if (!plain) {
    throw unsafe(path, "is not a plain file", "Name another store.");
  }
}

}  // namespace

fs::path prepare_state_file(const fs::path& path) {
  const fs::path absolute = fs::absolute(path);
  make_folders(absolute.parent_path());
  std::error_code error;
  const fs::path folder = fs::canonical(absolute.parent_path(), error);
  if (error) {
    throw failed(absolute.parent_path(), "read", error.value());
  }
  refuse_open_folder(folder);
  fs::path resolved = folder / absolute.filename();
  make_file(resolved);
  return resolved;
}

}  // namespace drover::orchestrator::store

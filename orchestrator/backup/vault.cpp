#include "orchestrator/backup/vault.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <random>
#include <system_error>
#include <tuple>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "engine/base/sha256.h"
#include "engine/error.h"
#include "orchestrator/backup/manifest.h"

namespace drover::orchestrator::backup {
namespace {

namespace fs = std::filesystem;
using engine::base::Sha256;

constexpr std::string_view kPart = ".part";
constexpr std::string_view kLine = ".json";
constexpr mode_t kFolderMode = 0700;
constexpr mode_t kFileMode = 0600;

[[noreturn]] void fail(const std::string& kind, const std::string& what, const fs::path& path) {
  const int number = errno;
  throw Error(ErrorCode::storage,
              kind,
              fmt::format("{}: {}", what, std::generic_category().message(number)),
              "Look at the disk and at who may write there.",
              {path.generic_string(), 0, 0});
}

/// A file descriptor that is closed with its owner.
class Open {
 public:
  Open(const fs::path& path, int flags)
      : descriptor_(open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, kFileMode)) {}
  Open(const Open&) = delete;
  Open& operator=(const Open&) = delete;
  ~Open() {
    if (descriptor_ >= 0) {
      close(descriptor_);
    }
  }

  int get() const noexcept { return descriptor_; }
  bool is_open() const noexcept { return descriptor_ >= 0; }

 private:
  int descriptor_;
};

void sync(const fs::path& path, int flags) {
  const Open file(path, O_RDONLY | flags);
  if (!file.is_open() || fsync(file.get()) != 0) {
    fail("file_not_writable", "cannot be brought to disk", path);
  }
}

void sync_file(const fs::path& path) {
  sync(path, 0);
}
void sync_folder(const fs::path& path) {
  sync(path, O_DIRECTORY);
}

/// The files of a folder, by name.
std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

Content content_of_file(const fs::path& path) {
  const Open file(path, O_RDONLY);
  if (!file.is_open()) {
    fail("file_not_readable", "cannot be opened", path);
  }
  Sha256 sha;
  Content content;
  std::vector<char> buffer(std::size_t{1} << 20U);
  ssize_t count = 0;
  while ((count = ::read(file.get(), buffer.data(), buffer.size())) != 0) {
    if (count < 0 && errno != EINTR) {
      fail("file_not_readable", "cannot be read", path);
    }
    const auto size = static_cast<std::size_t>(std::max<ssize_t>(count, 0));
    sha.add({buffer.data(), size});
    content.bytes += size;
  }
  content.sha256 = engine::base::to_hex(sha.finish());
  return content;
}

/// Nobody but us may put files there, or put another folder in its place.
void check_root(const fs::path& root) {
  struct stat found = {};
  if (lstat(root.c_str(), &found) != 0) {
    fail("backup_root_unsafe", "the folder for backups cannot be looked at", root);
  }
  const auto refuse = [&](const fs::path& which, const std::string& why) {
    throw Error(
        ErrorCode::storage,
        "backup_root_unsafe",
        fmt::format("{} {}, so backups there cannot be trusted", which.generic_string(), why),
        "Name a folder that only the user of Drover may write to.",
        {root.generic_string(), 0, 0});
  };
  if (!S_ISDIR(found.st_mode)) {
    refuse(root, "is no folder");
  }
  if (found.st_uid != geteuid()) {
    refuse(root, "belongs to another user");
  }
  if ((found.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    refuse(root, "may be written by others");
  }
  for (fs::path above = fs::absolute(root).parent_path();; above = above.parent_path()) {
    const bool open_to_all = stat(above.c_str(), &found) == 0 && (found.st_mode & S_IWOTH) != 0 &&
                             (found.st_mode & S_ISVTX) == 0;
    if (open_to_all) {
      refuse(above, "may be written by everybody");
    }
    if (above == above.parent_path()) {
      return;
    }
  }
}

void make_folder(const fs::path& folder) {
  if (mkdir(folder.c_str(), kFolderMode) != 0 && errno != EEXIST) {
    fail("file_not_writable", "cannot be made", folder);
  }
}

std::uint32_t random_number() {
  static thread_local std::random_device device;
  return device();
}

/// `line` as a whole file, on disk before its name is there.
void write_line(const fs::path& file, const std::string& line) {
  const fs::path part = file.string() + std::string(kPart);
  {
    const Open open(part, O_WRONLY | O_CREAT | O_TRUNC);
    if (!open.is_open() ||
        write(open.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()) ||
        fsync(open.get()) != 0) {
      const int number = errno;
      unlink(part.c_str());
      errno = number;
      fail("file_not_writable", "cannot be written", file);
    }
  }
  if (rename(part.c_str(), file.c_str()) != 0) {
    fail("file_not_writable", "cannot be named", file);
  }
}

std::optional<std::string> text_in(const fs::path& file) {
  const Open open(file, O_RDONLY);
  std::string text;
  std::array<char, 8192> buffer;
  ssize_t count = open.is_open() ? 1 : -1;
  while (count > 0) {
    count = ::read(open.get(), buffer.data(), buffer.size());
    text.append(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  }
  return count == 0 ? std::optional(std::move(text)) : std::nullopt;
}

std::string folder_name(const std::string& uid,
                        const std::string& server,
                        const std::string& database,
                        const std::string& schema) {
  if (uid.empty()) {
    const std::string where = fmt::format("{}{}{}{}{}", server, '\0', database, '\0', schema);
    return "new-" + engine::base::sha256_hex(where).substr(0, 32);
  }
  std::string hex;
  for (const char c : uid) {
    hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  }
  return hex;
}

constexpr std::string_view kHexDigits = "0123456789abcdef";

bool is_hex(std::string_view text) {
  return !text.empty() && text.find_first_not_of(kHexDigits) == std::string_view::npos;
}

/// What folder_name() may have made. Another folder that stands in the root is not ours to touch.
bool is_tenant_folder(const fs::path& folder) {
  constexpr std::string_view kNew = "new-";
  const std::string name = folder.filename().string();
  return is_hex(name.starts_with(kNew) ? std::string_view(name).substr(kNew.size()) : name);
}

std::vector<fs::path> tenant_folders_in(const fs::path& root) {
  std::vector<fs::path> folders = files_in(root);
  std::erase_if(folders, [](const fs::path& folder) { return !is_tenant_folder(folder); });
  return folders;
}

/// "20261122T221403-4f2a9c01", as make_backup_id() makes them, out of the name of a file that
/// begins so and goes on with a dot; empty for every other name.
std::string id_in(const fs::path& file) {
  constexpr std::string_view kShape = "00000000T000000-xxxxxxxx";
  const std::string name = file.filename().string();
  std::string id = name.substr(0, name.find('.'));
  if (id.size() == name.size() || id.size() != kShape.size()) {
    return "";
  }
  for (std::size_t i = 0; i < id.size(); ++i) {
    const bool fits = kShape[i] == '0'   ? id[i] >= '0' && id[i] <= '9'
                      : kShape[i] == 'x' ? kHexDigits.find(id[i]) != std::string_view::npos
                                         : id[i] == kShape[i];
    if (!fits) {
      return "";
    }
  }
  return id;
}

/// Whether the line in `file` is of the backup that the names say: one that stands elsewhere was
/// copied there, and its backup's file is never to be looked for by a path.
bool belongs(const Backup& backup, const fs::path& file) {
  const std::string id = id_in(file);
  const bool file_is_beside = backup.file.empty() || (id_in(backup.file) == id &&
                                                      backup.file.find('/') == std::string::npos);
  return backup.id.value == id && file_is_beside &&
         folder_of(backup) == file.parent_path().filename().string();
}

/// What the line in `file` tells; nullopt when it is damaged, or cannot be read at all.
std::optional<Backup> backup_in(const fs::path& file) {
  const std::optional<std::string> text = text_in(file);
  try {
    std::optional<Backup> backup;
    if (text) {
      backup = from_line(*text, file.generic_string());
    }
    return backup && belongs(*backup, file) ? backup : std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// The lines of a folder: as Backups, and as paths those that are damaged.
void read_lines(const fs::path& folder, std::vector<Backup>* backups, std::vector<fs::path>* bad) {
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator(folder, gone)) {
    const fs::path& file = entry.path();
    if (file.extension() != kLine || id_in(file).empty()) {
      continue;
    }
    std::optional<Backup> backup = backup_in(file);
    if (backup && backups != nullptr) {
      backups->push_back(std::move(*backup));
    } else if (!backup && bad != nullptr) {
      bad->push_back(file);
    }
  }
}

std::vector<Backup> by_time(std::vector<Backup> backups) {
  std::sort(backups.begin(), backups.end(), [](const Backup& a, const Backup& b) {
    return std::tie(a.started, a.id) < std::tie(b.started, b.id);
  });
  return backups;
}

bool is_part(const fs::path& path) {
  return path.extension() == kPart;
}

}  // namespace

BackupId make_backup_id(WallTime now, std::uint32_t random) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  return BackupId{fmt::format("{:%Y%m%dT%H%M%S}-{:08x}", fmt::gmtime(seconds), random)};
}

std::string folder_of(const BackupSubject& subject) {
  const engine::Target& target = subject.tenant.target;
  return folder_name(subject.uid,
                     target.server,
                     target.database,
                     subject.extent == Extent::schema ? target.schema : "");
}

std::string folder_of(const Backup& backup) {
  return folder_name(backup.uid, backup.server, backup.database, backup.schema);
}

Content content_of(const fs::path& path) {
  if (!fs::is_directory(fs::symlink_status(path))) {
    return content_of_file(path);
  }
  Sha256 listing;
  Content whole;
  for (const fs::path& file : files_in(path)) {
    const Content one = content_of_file(file);
    listing.add(fmt::format("{} {} {}\n", file.filename().string(), one.bytes, one.sha256));
    whole.bytes += one.bytes;
  }
  whole.sha256 = engine::base::to_hex(listing.finish());
  return whole;
}

Vault::Draft::Draft(int folder, fs::path path, BackupId id, std::string extension)
    : folder_(folder),
      path_(std::move(path)),
      id_(std::move(id)),
      extension_(std::move(extension)) {}

Vault::Draft::Draft(Draft&& other) noexcept
    : folder_(std::exchange(other.folder_, -1)),
      path_(std::move(other.path_)),
      id_(std::move(other.id_)),
      extension_(std::move(other.extension_)) {}

Vault::Draft::~Draft() {
  if (folder_ >= 0) {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
    close(folder_);  // and its lock
  }
}

Vault::Vault(const fs::path& root) : root_(fs::absolute(root)) {
  std::error_code failed;
  fs::create_directories(root_.parent_path(), failed);
  make_folder(root_);
  check_root(root_);
}

Vault::Draft Vault::begin(const std::string& folder, const std::string& extension) const {
  const fs::path place = root_ / folder;
  make_folder(place);
  const int descriptor = open(place.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  // Shared among those who make backups of the tenant; whoever sweeps wants it alone.
  if (descriptor < 0 || flock(descriptor, LOCK_SH) != 0) {
    fail("file_not_writable", "cannot be locked", place);
  }
  BackupId id = make_backup_id(std::chrono::system_clock::now(), random_number());
  const fs::path path = place / fmt::format("{}.{}{}", id.value, extension, kPart);
  return {descriptor, path, std::move(id), extension};
}

Backup Vault::keep(Draft draft, Backup backup) const {
  const fs::path place = draft.path_.parent_path();
  backup.id = draft.id_;
  if (fs::exists(fs::symlink_status(draft.path_))) {
    const bool is_folder = fs::is_directory(fs::symlink_status(draft.path_));
    for (const fs::path& file : is_folder ? files_in(draft.path_) : std::vector{draft.path_}) {
      chmod(file.c_str(), kFileMode);
      sync_file(file);
    }
    if (is_folder) {
      chmod(draft.path_.c_str(), kFolderMode);
      sync_folder(draft.path_);
    }
    const Content content = content_of(draft.path_);
    backup.bytes = content.bytes;
    backup.sha256 = content.sha256;
    backup.file = fmt::format("{}.{}", draft.id_.value, draft.extension_);
    if (rename(draft.path_.c_str(), (place / backup.file).c_str()) != 0) {
      fail("file_not_writable", "cannot be named", place / backup.file);
    }
    draft.path_ = place / backup.file;  // goes with the draft until its line is there
    sync_folder(place);
  }
  backup.finished = std::chrono::system_clock::now();
  write_line(place / (draft.id_.value + std::string(kLine)), to_line(backup));
  draft.path_.clear();
  sync_folder(place);
  sync_folder(root_);
  return backup;
}

std::size_t Vault::sweep() const {
  std::size_t swept = 0;
  for (const fs::path& folder : tenant_folders_in(root_)) {
    const Open open(folder, O_RDONLY | O_DIRECTORY);
    if (!open.is_open() || flock(open.get(), LOCK_EX | LOCK_NB) != 0) {
      continue;  // somebody is making one there
    }
    for (const fs::path& file : files_in(folder)) {
      const std::string id = id_in(file);
      if (id.empty()) {
        continue;  // not a name of ours
      }
      const bool has_no_line =
          file.extension() != kLine && !fs::exists(folder / (id + std::string(kLine)));
      if (is_part(file) || has_no_line) {
        std::error_code ignored;
        fs::remove_all(file, ignored);
        ++swept;
      }
    }
  }
  return swept;
}

std::vector<Backup> Vault::all() const {
  std::vector<Backup> backups;
  for (const fs::path& folder : tenant_folders_in(root_)) {
    read_lines(folder, &backups, nullptr);
  }
  return by_time(std::move(backups));
}

std::vector<Backup> Vault::of_folder(const std::string& folder) const {
  std::vector<Backup> backups;
  read_lines(root_ / folder, &backups, nullptr);
  return by_time(std::move(backups));
}

std::vector<fs::path> Vault::damaged_lines() const {
  std::vector<fs::path> bad;
  for (const fs::path& folder : tenant_folders_in(root_)) {
    read_lines(folder, nullptr, &bad);
  }
  std::sort(bad.begin(), bad.end());
  return bad;
}

Backup Vault::find(const std::string& id) const {
  std::vector<Backup> fitting = all();
  std::erase_if(fitting, [&](const Backup& one) { return !one.id.value.starts_with(id); });
  if (fitting.empty() || id.empty()) {
    throw Error(ErrorCode::usage,
                "unknown_backup",
                fmt::format("there is no backup '{}'", id),
                "See drover backups list for what there is.");
  }
  if (fitting.size() > 1) {
    throw Error(ErrorCode::usage,
                "ambiguous_backup",
                fmt::format("'{}' may be {} or {}", id, fitting[0].id.value, fitting[1].id.value),
                "Give more of its characters.");
  }
  return fitting.front();
}

fs::path Vault::path_of(const Backup& backup) const {
  return backup.file.empty() ? fs::path() : root_ / folder_of(backup) / backup.file;
}

void Vault::remove(const Backup& backup) const {
  const fs::path folder = root_ / folder_of(backup);
  const fs::path line = folder / (backup.id.value + std::string(kLine));
  if (unlink(line.c_str()) != 0 && errno != ENOENT) {
    fail("file_not_writable", "cannot be removed", line);
  }
  sync_folder(folder);
  if (!backup.file.empty()) {
    std::error_code failed;
    fs::remove_all(folder / backup.file, failed);
    if (failed) {
      errno = failed.value();
      fail("file_not_writable", "cannot be removed", folder / backup.file);
    }
  }
}

}  // namespace drover::orchestrator::backup

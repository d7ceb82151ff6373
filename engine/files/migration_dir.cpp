#include "engine/files/migration_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "engine/files/file_descriptor.h"
#include "engine/files/utf8.h"

namespace drover::engine::files {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".sql";

/// Below this many files, starting threads costs more than it saves.
constexpr std::size_t kFewFiles = 64;
constexpr std::size_t kFilesAtOnce = 16;

/// O_NONBLOCK, because opening a pipe would otherwise wait for its writer.
constexpr int kOpenFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;

/// `name` with the bytes that are not ASCII written as \xff, for messages.
std::string escaped(std::string_view name) {
  std::string result;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    result += byte < 0x80U ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  return result;
}

/// An open directory: the files are opened relative to it, which is quicker and means the same
/// directory to the end.
class Directory {
 public:
  explicit Directory(const fs::path& path);

  /// The names of the migration files, sorted.
  std::vector<std::string> names() const;

  /// The content of the file called `name`.
  std::string read(const std::string& name) const;

  fs::path path_of(const std::string& name) const { return path_ / name; }

 private:
  FileDescriptor opened(const std::string& name) const;
  FileDescriptor opened_link(const std::string& name) const;

  fs::path path_;
  FileDescriptor descriptor_;
};

Error directory_error(const fs::path& path, int error_number) {
  if (error_number == ENOENT) {
    return {ErrorCode::usage,
            "migrations_dir_missing",
            fmt::format("there is no migrations directory '{}'", path.generic_string()),
            "Make it with init, or name the right one in the configuration."};
  }
  return {ErrorCode::usage,
          "migrations_dir_not_readable",
          fmt::format("cannot read the migrations directory '{}': {}",
                      path.generic_string(),
                      std::generic_category().message(error_number)),
          "Name a directory that you may read."};
}

Directory::Directory(const fs::path& path)
    : path_(path), descriptor_(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (!descriptor_.is_open()) {
    throw directory_error(path, errno);
  }
}

std::vector<std::string> Directory::names() const {
  FileDescriptor own(::openat(descriptor_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(
      own.is_open() ? ::fdopendir(own.get()) : nullptr, &::closedir);
  if (!listing) {
    throw directory_error(path_, errno);
  }
  own.release();

  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(listing.get())) {  // NOLINT: a stream of our own
    const std::string_view name = entry->d_name;
    if (name.ends_with(kSuffix) && !name.starts_with('.')) {
      names.emplace_back(name);
    }
    errno = 0;
  }
  if (errno != 0) {
    throw directory_error(path_, errno);
  }
  std::sort(names.begin(), names.end());
  return names;
}

FileDescriptor Directory::opened_link(const std::string& name) const {
  std::error_code failed;
  const fs::path target = fs::canonical(path_of(name), failed);
  if (failed) {
    throw read_error(path_of(name), failed.value());
  }
  const fs::path root = fs::canonical(path_);
  const auto [root_end, target_part] =
      std::mismatch(root.begin(), root.end(), target.begin(), target.end());
  if (root_end != root.end()) {
    throw Error(ErrorCode::usage,
                "link_out_of_directory",
                fmt::format("the link leads out of the migrations directory, to '{}'",
                            target.generic_string()),
                "Put the file itself into the directory.",
                place_of(path_of(name)));
  }
  return FileDescriptor(::open(target.c_str(), kOpenFlags | O_NOFOLLOW));
}

FileDescriptor Directory::opened(const std::string& name) const {
  FileDescriptor file(::openat(descriptor_.get(), name.c_str(), kOpenFlags | O_NOFOLLOW));
  if (!file.is_open() && errno == ELOOP) {
    return opened_link(name);
  }
  return file;
}

std::string Directory::read(const std::string& name) const {
  if (!is_utf8(name)) {
    throw Error(ErrorCode::usage,
                "file_name_not_utf8",
                "the name of the file is not UTF-8",
                "Rename the file.",
                place_of(path_of(escaped(name))));
  }
  const FileDescriptor file = opened(name);
  struct stat facts = {};
  // ENXIO is what opening a socket says.
  const bool is_socket = !file.is_open() && errno == ENXIO;
  if (!is_socket && (!file.is_open() || ::fstat(file.get(), &facts) != 0)) {
    throw read_error(path_of(name), errno);
  }
  if (is_socket || !S_ISREG(facts.st_mode)) {
    throw Error(ErrorCode::usage,
                "file_not_regular",
                "a migration must be a regular file",
                "Give it another name, or take it out of the migrations directory.",
                place_of(path_of(name)));
  }
  return read_to_end(file, static_cast<std::size_t>(facts.st_size), path_of(name));
}

/// Calls `work(i)` for every i below `count`, on all cores where that pays.
template <typename Work>
void for_each_file(std::size_t count, Work work) {
  if (count < kFewFiles) {
    for (std::size_t i = 0; i < count; ++i) {
      work(i);
    }
    return;
  }
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, count, kFilesAtOnce),
                    [&](const tbb::blocked_range<std::size_t>& part) {
                      for (std::size_t i = part.begin(); i != part.end(); ++i) {
                        work(i);
                      }
                    });
}

template <typename Result>
struct Outcomes {
  std::vector<Result> results;  ///< By file name.
  std::vector<Error> errors;    ///< By file name.
};

/// Makes something of each file of `directory` with `make(path, bytes)`. An Error becomes part of
/// the result, whichever type was thrown: code, kind, message, hint and place are all there is.
template <typename Result, typename Make>
Outcomes<Result> made_of_files(const fs::path& directory, Make make) {
  const Directory source(directory);
  const std::vector<std::string> names = source.names();
  std::vector<std::optional<Result>> results(names.size());
  std::vector<std::optional<Error>> errors(names.size());
  for_each_file(names.size(), [&](std::size_t i) {
    try {
      results[i] = make(source.path_of(names[i]), source.read(names[i]));
    } catch (const Error& error) {
      errors[i] = error;
    }
  });

  Outcomes<Result> outcomes;
  outcomes.results.reserve(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (errors[i]) {
      outcomes.errors.push_back(*std::move(errors[i]));
    } else {
      outcomes.results.push_back(*std::move(results[i]));
    }
  }
  return outcomes;
}

}  // namespace

std::vector<SourceFile> read_migration_dir(const fs::path& directory) {
  auto [files, errors] = made_of_files<SourceFile>(directory, [](fs::path path, std::string bytes) {
    return SourceFile{std::move(path), std::move(bytes)};
  });
  if (!errors.empty()) {
    throw errors.front();
  }
  return std::move(files);
}

LoadedMigrations load_all(const fs::path& directory, const Parser& parser) {
  auto [migrations, errors] = made_of_files<Migration>(
      directory,
      [&](const fs::path& path, std::string bytes) { return parser(std::move(bytes), path); });
  return {std::move(migrations), std::move(errors)};
}

std::vector<Migration> load(const fs::path& directory, const Parser& parser) {
  LoadedMigrations loaded = load_all(directory, parser);
  if (loaded.errors.empty()) {
    return std::move(loaded.migrations);
  }
  const Error& first = loaded.errors.front();
  const std::size_t others = loaded.errors.size() - 1;
  if (others == 0) {
    throw first;
  }
  throw Error(
      first.code(),
      first.kind_name(),
      fmt::format(
          "{}; {} more file{} cannot be used", first.what(), others, others == 1 ? "" : "s"),
      first.hint(),
      first.place());
}

}  // namespace drover::engine::files

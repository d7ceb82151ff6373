/// Reads a directory of migration files.
///
/// A migration is a regular file `*.sql` directly in the directory. Hidden files, other names and
/// subdirectories of other names are left alone. A link is followed only where it leads to a file
/// below the directory, so that what is deployed is what was reviewed. The text is the business of
/// the parser that the caller brings (parse/migration_text.h), the history that of
/// migration_set.h.
///
/// Thread safety: free functions without state. They read and parse on all cores; the parser must
/// allow that.
///
/// Errors: drover::Error. The directory itself: migrations_dir_missing,
/// migrations_dir_not_readable. A file: file_not_readable, file_not_regular, link_out_of_directory,
/// file_name_not_utf8; place() is the file, as `directory` was given. The same directory gives the
/// same errors every time.

#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "engine/error.h"
#include "engine/migration.h"

namespace drover::engine::files {

struct SourceFile {
  std::filesystem::path path;  ///< `directory` as given, and the file's name.
  std::string bytes;
};

/// Makes a migration of a file's bytes; the path names it in messages. Throws Error.
using Parser = std::function<Migration(std::string bytes, const std::filesystem::path& path)>;

/// What could be loaded, and what could not.
struct LoadedMigrations {
  std::vector<Migration> migrations;  ///< By file name.
  std::vector<Error> errors;          ///< By file name, at most one for each file.
};

/// Every migration file of `directory`, by name. Throws Error for the first that cannot be read.
std::vector<SourceFile> read_migration_dir(const std::filesystem::path& directory);

/// Every migration file of `directory` read and parsed, with all errors of files. Throws Error only
/// for the directory itself.
LoadedMigrations load_all(const std::filesystem::path& directory, const Parser& parser);

/// The same for those who need all of them: throws the first error by file name, and says in its
/// message how many other files have one.
std::vector<Migration> load(const std::filesystem::path& directory, const Parser& parser);

}  // namespace drover::engine::files

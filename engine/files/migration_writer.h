/// Writes new migration files, and gives a file another number.
///
/// This is the file side of `create` and `merge`: which id comes next, how the file is called, what
/// it holds before a person fills it in. Which revisions the new one follows is the caller's
/// choice, and whether a tenant has applied a file is not known here.
///
/// Thread safety: free functions without state.
///
/// Errors: drover::Error of the kinds said below.

#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/migration.h"

namespace drover::engine::files {

enum class IdStyle {
  number,  ///< One more than the largest number, as wide as the widest, at least four digits.
  random,  ///< Twelve hex digits, at least one of them a letter.
};

/// An id that is not among `taken`. With IdStyle::number two people may get the same one; the graph
/// then names both files, and renumber() puts it right.
///
/// Throws Error: no_next_number.
RevisionId next_id(std::span<const RevisionId> taken, IdStyle style);

/// What a new file holds.
enum class Template {
  normal,  ///< up and down, each with a line that says what to write there.
  empty,   ///< up and down, and nothing in them.
  data,    ///< A batch with its verify, and down.
  merge,   ///< Joins several branches; has nothing to do itself.
};

struct NewMigration {
  RevisionId id;
  std::vector<RevisionId> parents;  ///< Empty for a first revision.
  std::string message;              ///< One line; may be empty.
  Template kind = Template::normal;
  std::vector<std::string> labels{};
  std::vector<RevisionId> depends{};
};

/// `message` as the part of a file name: lower case, words joined by underscores, at most 40
/// characters and cut between words. Letters that are not ASCII stay as they are.
std::string slug_of(std::string_view message);

/// "0004_add_content_hash.sql", or "0004.sql" where the message has no word.
std::string file_name_of(const RevisionId& id, std::string_view message);

/// The text of the file, in the grammar of MIGRATIONS §1.
///
/// Throws Error: invalid_id, invalid_label, invalid_message, merge_needs_parents.
std::string text_of(const NewMigration& migration);

/// Writes the file into `directory` and returns its path. Never over an existing file, and never
/// half of it.
///
/// Throws Error: as text_of(), and file_exists, file_not_writable.
std::filesystem::path create_migration(const std::filesystem::path& directory,
                                       const NewMigration& migration);

struct Renumbered {
  RevisionId id;
  std::filesystem::path file;
};

/// Gives `file`, which no tenant may have applied, the next number: in its `revision` line, where
/// it has one, and in its name. `existing` are all migrations of the directory; two of them may
/// have the same id, since that is what this is for. A file that others name as parent or
/// dependency is refused, because it cannot be told which of two equal ids they mean.
///
/// The new file is complete before the old one goes, so a crash in between leaves both.
///
/// Throws Error: not_a_migration, still_referenced, no_next_number, file_exists, file_not_readable,
/// file_not_writable.
Renumbered renumber(const std::filesystem::path& file, std::span<const Migration> existing);

}  // namespace drover::engine::files

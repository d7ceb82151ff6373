/// Reads the text of one migration file.
///
/// The grammar: a directive starts in column 1 with "-- drover: ", outside every quote, dollar
/// quote and comment. Header directives stand before the first section, each at most once (but
/// `set`): revision, parents, message, labels, depends, irreversible, requires-fleet, set.
/// Sections: up, down, batch, verify. Anything that looks like a directive and is not one is
/// refused, so that a mistyped `down` never becomes part of `up`.
///
/// Checks all that can be known without a database: grammar, statements that may not stand where
/// they stand, batch keys, a verify that is not one SELECT. Checksums `up` and `down` are filled
/// in; `chain` is not (MigrationSet does). It reads no file and knows no other revision.
///
/// What it promises to those who run the result: names in `role`, `search_path`, `table` and `key`
/// are valid SQL identifiers as they stand, quoted where the author quoted them, and so may be put
/// into a statement; durations and sizes are as PostgreSQL reads them.
///
/// Thread safety: free functions without state.

#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "engine/error.h"
#include "engine/migration.h"

namespace drover::engine::parse {

/// A migration file that cannot be used. place() is always set.
class MigrationTextError : public Error {
 public:
  using Error::Error;
};

/// Parses `bytes`, the content of `source`, whose name gives the id and the message where the text
/// does not ("0004_add_content_hash.sql"). CRLF and a BOM are accepted and normalised.
///
/// Throws MigrationTextError. A missing `parents` line is reported by load (which knows the heads):
/// here it throws kind "missing_parents".
Migration parse_migration(std::string bytes, const std::filesystem::path& source);

/// The id and message that a file name stands for: {"0004", "add content hash"}. Whether the id is
/// a good one, parse_migration() says.
struct NameParts {
  std::string id;
  std::string message;
};
NameParts parts_of_file_name(const std::filesystem::path& source);

}  // namespace drover::engine::parse

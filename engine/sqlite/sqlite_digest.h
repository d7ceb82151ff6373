/// What an SQLite database holds, as digests of its tables, and which tenant it is.
///
/// A flipped byte inside a row is no damage to SQLite (integrity_check says ok, tried), so a copy
/// is compared by its content. A row is written down as its columns in order, each as its type, its
/// length and its bytes. The schema counts as a table, "sqlite_schema", with application_id and
/// user_version; of a virtual table its shadow tables count.
///
/// Thread safety: free functions; each call has a connection of its own. Errors: as values.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/content_digest.h"
#include "engine/session.h"

struct sqlite3;

namespace drover::engine::sqlite {

struct FileContent {
  std::vector<TableDigest> tables;     ///< By name.
  std::string uid;                     ///< Of the tenant; empty: it has no history.
  std::vector<std::string> revisions;  ///< Applied ones, sorted.
  std::optional<SqlError> error;  ///< Why it could not be read; also what integrity_check says.
};

/// Whether somebody may be writing the file.
enum class FileUse {
  live,    ///< Read in one read transaction.
  stored,  ///< Nobody writes it: nothing is locked, and no file made beside it.
};

/// Reads all of the database `path`, and checks its integrity.
FileContent read_content(const std::string& path,
                         FileUse use,
                         Milliseconds lock_timeout,
                         const Patience& patience);

/// The same over a connection that is open; for this room only. Whether its owner's patience is
/// over shows as SQLITE_INTERRUPT.
FileContent read_content(sqlite3* database);

}  // namespace drover::engine::sqlite

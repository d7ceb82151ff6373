/// Sessions with SQLite files.
///
/// Files are opened without CREATE, unless a change session is asked for with
/// OpenOptions::create_file; then a missing or empty file becomes a database, and gets Drover's
/// application_id if it has none. A directory, a pipe or a file that is not SQLite is refused
/// always: what is wrong travels as SQLITE_CANTOPEN, SQLITE_EMPTY (zero bytes) or SQLITE_NOTADB.
///
/// A read session sets query_only. It does not open the file read-only, because SQLite could then
/// neither roll back what a dead writer left nor clear away the -wal and -shm files that reading a
/// file in WAL mode makes.
///
/// OpenOptions::lock_timeout bounds the wait for a locked file; statement_timeout is the caller's
/// to keep, by Patience::deadline. drover_setting(name) gives the tenant's facts, NULL for an
/// unknown one. Of a migration's statement the first kKeptRows rows are kept; all are stepped
/// through. A ROLLBACK of ours where SQLite has rolled back already succeeds.
///
/// Thread safety and errors: see engine/session.h; std::bad_alloc.

#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/session.h"

namespace drover::engine::sqlite {

/// Rows of a migration's own statement that are worth keeping: nobody looks at more.
inline constexpr std::size_t kKeptRows = 100;

/// The application_id of files that Drover made: "DRVR".
inline constexpr std::int32_t kApplicationId = 0x44525652;

class SqliteSessionFactory final : public SessionFactory {
 public:
  OpenResult open(const Target& target,
                  const OpenOptions& options,
                  const Patience& patience) override;
};

}  // namespace drover::engine::sqlite

/// Copies whole SQLite databases by the online backup API, while applications use them.
///
/// The source is read in one read transaction, so the copy is one moment of it: in WAL mode nobody
/// waits, in the rollback modes writers wait until the copy is made. A copy into a live file is one
/// transaction of that file: whoever reads it sees the old content or the new, and a crash leaves
/// the old one. Renaming a file over one that has a WAL would let SQLite put the old rows back into
/// the new file, which is why nothing here renames.
///
/// Thread safety: free functions; each call has connections of its own.
/// Errors: as values, with the codes of sqlite_session.h; deadline and stop as in a Session.

#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/session.h"
#include "engine/sqlite/sqlite_digest.h"

namespace drover::engine::sqlite {

/// Copies the database `from` to the file `to`, which is made, for its owner only, and must not be
/// there. What is written is not synced to disk. A `to` that could not be finished is left behind
/// for the caller to remove.
std::optional<SqlError> copy_to_new_file(const std::string& from,
                                         const std::string& to,
                                         Milliseconds lock_timeout,
                                         const Patience& patience);

/// A live database that nobody else reads or writes as long as this is there, so that what is saved
/// of it is what is replaced. In WAL mode that takes everybody to have closed it; in the rollback
/// modes it takes only that nobody is in a transaction.
///
/// Thread safety: one thread at a time.
class LiveFile {
 public:
  /// Waits up to `lock_timeout` for the others to be out. `patience` is heeded as long as this is
  /// there.
  LiveFile(const std::string& path, Milliseconds lock_timeout, const Patience& patience);
  LiveFile(const LiveFile&) = delete;
  LiveFile& operator=(const LiveFile&) = delete;
  ~LiveFile();

  /// Why it could not be had; nullopt: it is ours.
  const std::optional<SqlError>& refusal() const noexcept { return refusal_; }

  /// As copy_to_new_file() above.
  std::optional<SqlError> copy_to(const std::string& to);

  /// Puts the content of `from`, which nobody may be writing, in place of its own, in one
  /// transaction.
  std::optional<SqlError> replace_by(const std::string& from);

  /// What it holds now.
  FileContent content();

 private:
  struct State;
  std::optional<SqlError> refusal_;
  std::unique_ptr<State> state_;  ///< Null where it was refused.
};

}  // namespace drover::engine::sqlite

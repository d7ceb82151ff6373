#include "engine/sqlite/sqlite_copy.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "engine/sqlite/sqlite_handles.h"
#include "engine/sqlite/sqlite_open.h"
#include "engine/sqlite/sqlite_watch.h"

namespace drover::engine::sqlite {
namespace {

/// Between two looks at the caller's patience: 4 MiB of pages of the usual size.
constexpr int kPagesAtATime = 1024;

struct BackupDeleter {
  void operator()(sqlite3_backup* backup) const noexcept { sqlite3_backup_finish(backup); }
};
using Copying = std::unique_ptr<sqlite3_backup, BackupDeleter>;

/// A database with somebody who heeds the caller's patience.
class Watched {
 public:
  Watched(Database database, Milliseconds lock_timeout, const Patience& patience)
      : database_(std::move(database)), watch_(database_.get(), lock_timeout) {
    watch_.heed(patience);
  }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;
  ~Watched() { watch_.release(); }

  sqlite3* get() const noexcept { return database_.get(); }

  std::optional<SqlError> run(const char* sql) {
    if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) {
      return std::nullopt;
    }
    return why(sql);
  }

  std::optional<SqlError> impatience() const { return watch_.impatience(); }

  SqlError why(std::string_view sql) const {
    std::optional<SqlError> over = impatience();
    return over ? std::move(*over) : error_of(database_.get(), sql);
  }

 private:
  Database database_;
  Watch watch_;
};

/// All of `from` to `to`. The caller's patience is looked at between the pages.
std::optional<SqlError> copy_pages(Watched& from, Watched& to) {
  const Copying copying(sqlite3_backup_init(to.get(), "main", from.get(), "main"));
  if (copying == nullptr) {
    return to.why("");
  }
  int code = SQLITE_OK;
  std::optional<SqlError> over;
  while (code == SQLITE_OK && !(over = to.impatience())) {
    code = sqlite3_backup_step(copying.get(), kPagesAtATime);
  }
  if (over || code == SQLITE_DONE) {
    return over;
  }
  return error_with(
      SqlError::Origin::server,
      code,
      fmt::format("the copy ended early: {}", sqlite3_errstr(code)),
      code == SQLITE_READONLY ? "The page sizes differ, and the live file is in WAL mode." : "");
}

/// Makes the empty file, for its owner only; SQLite takes an empty file for a database.
std::optional<SqlError> make_file(const std::string& path) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) {
    return error_with(
        SqlError::Origin::connection,
        SQLITE_CANTOPEN,
        fmt::format("cannot make '{}': {}", path, std::generic_category().message(errno)),
        "");
  }
  close(file);
  return std::nullopt;
}

/// `path`, opened after the usual look at it.
Opened open_checked(const std::string& path) {
  FileCheck check = check_file(path, {});
  return check.error ? Opened{nullptr, std::move(check.error)} : open_file(path, check.state);
}

/// One moment of `from`, whoever else uses it, to a new file.
std::optional<SqlError> copy_moment(Watched& from,
                                    const std::string& to,
                                    const Patience& patience) {
  if (std::optional<SqlError> error = make_file(to)) {
    return error;
  }
  Opened copy = open_file(to, FileState::sound);
  if (copy.error) {
    return std::move(copy.error);
  }
  Watched writing(std::move(copy.database), Milliseconds(0), patience);
  // Nobody needs a half-made copy, so it needs no journal. The read transaction makes it one
  // moment, and keeps others from making it begin anew.
  std::optional<SqlError> error =
      writing.run("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF");
  error = error ? std::move(error) : from.run("BEGIN; SELECT count(*) FROM sqlite_schema");
  error = error ? std::move(error) : copy_pages(from, writing);
  std::optional<SqlError> end = from.run("ROLLBACK");
  return error ? std::move(error) : std::move(end);
}

}  // namespace

std::optional<SqlError> copy_to_new_file(const std::string& from,
                                         const std::string& to,
                                         Milliseconds lock_timeout,
                                         const Patience& patience) {
  Opened source = open_checked(from);
  if (source.error) {
    return std::move(source.error);
  }
  Watched reading(std::move(source.database), lock_timeout, patience);
  return copy_moment(reading, to, patience);
}

struct LiveFile::State {
  State(Database file, Milliseconds lock_timeout, const Patience& how_long)
      : database(std::move(file), lock_timeout, how_long), patience(how_long) {}

  Watched database;
  Patience patience;
};

LiveFile::LiveFile(const std::string& path, Milliseconds lock_timeout, const Patience& patience) {
  Opened opened = open_checked(path);
  if (opened.error) {
    refusal_ = std::move(opened.error);
    return;
  }
  state_ = std::make_unique<State>(std::move(opened.database), lock_timeout, patience);
  // In this mode the lock outlives the COMMIT. The backup API refuses a database that is in a
  // transaction.
  refusal_ = state_->database.run("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT");
  if (refusal_ && refusal_->sqlstate.starts_with("SQLITE_BUSY")) {
    refusal_->message = fmt::format("somebody else has '{}' open", path);
    refusal_->hint = "Stop the application that uses it; one that only has it open counts too.";
  }
  if (refusal_) {
    state_.reset();
  }
}

LiveFile::~LiveFile() = default;

std::optional<SqlError> LiveFile::copy_to(const std::string& to) {
  return copy_moment(state_->database, to, state_->patience);
}

std::optional<SqlError> LiveFile::replace_by(const std::string& from) {
  Opened source = open_stored(from);
  if (source.error) {
    return std::move(source.error);
  }
  Watched reading(std::move(source.database), Milliseconds(0), state_->patience);
  return copy_pages(reading, state_->database);
}

FileContent LiveFile::content() {
  return read_content(state_->database.get());
}

}  // namespace drover::engine::sqlite

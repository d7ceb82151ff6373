/// Ends what SQLite is doing when the caller's patience does, also while it waits for a lock.
///
/// Thread safety: one Watch per database, made and used by the session's thread; interrupt() from
/// any thread.

#pragma once

#include <sqlite3.h>

#include <optional>
#include <stop_token>

#include "engine/session.h"

namespace drover::engine::sqlite {

class Watch {
 public:
  /// Installs itself in `database`, which must outlive the Watch. A statement that finds the file
  /// locked waits up to `lock_timeout`.
  Watch(sqlite3* database, Milliseconds lock_timeout);
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch();

  /// Starts to heed `patience`, until release(). A stop interrupts SQLite at once, a deadline
  /// within some thousand steps of its virtual machine.
  void heed(const Patience& patience);
  void release();

  /// Why the work was ended, or must end now; nullopt while patience lasts.
  std::optional<SqlError> impatience() const;

 private:
  struct Interrupt {
    sqlite3* database;
    void operator()() const noexcept { sqlite3_interrupt(database); }
  };

  static int on_progress(void* self) noexcept;
  static int on_busy(void* self, int calls) noexcept;
  bool wait_for_lock(int calls);

  sqlite3* database_;
  Milliseconds lock_timeout_;
  Patience patience_ = {};
  SteadyTime busy_since_ = {};
  std::optional<std::stop_callback<Interrupt>> on_stop_;
};

}  // namespace drover::engine::sqlite

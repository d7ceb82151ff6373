/// The second look at a migration's statement: SQLite asks this guard about each thing that a
/// statement would do, while it is prepared and while it runs.
///
/// The loader has refused the same already, with file and line. Statements of ours pass.
///
/// Thread safety: one thread at a time.

#pragma once

#include <sqlite3.h>

#include <optional>
#include <string>
#include <string_view>

#include "engine/session.h"

namespace drover::engine::sqlite {

/// The first word of `sql` in upper case, behind blanks and comments.
std::string first_word(std::string_view sql);

class Guard {
 public:
  /// Installs itself in `database`, which must outlive the Guard.
  explicit Guard(sqlite3* database);
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  ~Guard();

  /// From now on `sql` is prepared and run, until release().
  void watch(Author author, std::string_view sql);
  void release() { author_ = Author::drover; }

  /// What was refused since watch(), if anything.
  std::optional<SqlError> refused() const;

 private:
  static int on_action(void* self,
                       int action,
                       const char* first,
                       const char* second,
                       const char* database,
                       const char* trigger) noexcept;
  bool allows(int action, std::string_view first, std::string_view second);

  sqlite3* database_;
  Author author_ = Author::drover;
  bool is_vacuum_ = false;
  std::string refused_;  // what it was, in a few words
};

}  // namespace drover::engine::sqlite

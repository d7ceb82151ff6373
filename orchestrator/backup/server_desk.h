/// A session in the maintenance database, from where other databases are made, closed, renamed and
/// dropped; and the lock that lets one process at a time do so with one of them.
///
/// A database that we make or close bears a mark in its comment (marked_comment.h) that says what
/// for. So a closed database that a dead process of ours left behind is told from one that a person
/// closed, and what may be dropped from what may not.
///
/// Thread safety: one thread at a time. Errors: RestoreFailure (desk.h).

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "orchestrator/backup/database_properties.h"
#include "orchestrator/backup/desk.h"
#include "orchestrator/backup/marked_comment.h"

namespace drover::orchestrator::backup {

/// What the catalog says of a database now.
struct DatabaseState {
  bool allows_connections = true;
  MarkedComment comment;
};

class ServerDesk {
 public:
  /// Connects to the maintenance database of `target`'s server and takes the lock of `target`'s
  /// database there. `means` and `patience` must outlive the object.
  ServerDesk(const RestoreMeans& means,
             const engine::Target& target,
             const engine::Patience& patience);

  /// Nullopt: there is no such database.
  std::optional<DatabaseState> state_of(std::string_view database);
  std::optional<DatabaseProperties> properties_of(std::string_view database);

  /// Names of databases that begin so, sorted.
  std::vector<std::string> databases_with_prefix(std::string_view prefix);

  /// One statement that says `doing`: "creating database 'acme'".
  void run(const std::string& sql, const std::string& doing);

  /// The same for several, all of which happen or none.
  void run_together(const std::vector<std::string>& statements, const std::string& doing);

  /// Marks it as made for `purpose`.
  void mark(std::string_view database, std::string_view purpose);

  /// No new sessions, and a mark that says why. Those that are there stay.
  void close(std::string_view database, std::string_view purpose);

  /// New sessions again, and no mark.
  void open(std::string_view database);

  /// Ends every session with `database` but that of `keep`, and waits until they are gone.
  void end_sessions(std::string_view database, std::int64_t keep = 0);

  /// Throws restore_refused when a session of `database` is one that our role may not end.
  void check_sessions_can_end(std::string_view database);

  void rename(std::string_view from, std::string_view to);

  /// Ends its sessions and drops it; nothing when it is not there. Throws restore_refused when it
  /// is not marked with `purpose`.
  void drop(std::string_view database, std::string_view purpose);

  /// Steps that must not be cut short by a stop once they have begun have a minute each.
  void finish_what_is_begun() { brief_ = true; }

  /// Connects and takes the lock again if the session is lost.
  void come_back();

  int server_version() const noexcept { return desk_.server_version(); }

 private:
  engine::Patience patience() const;
  engine::ResultSet ask_as_login(const engine::OwnedStatement& statement, const std::string& doing);
  void settle();

  const RestoreMeans& means_;
  const engine::Target target_;
  const engine::Patience& patience_;
  Desk desk_;
  bool brief_ = false;
};

/// SQL that closes or opens, for run_together().
std::vector<std::string> closing_statements(std::string_view database,
                                            const MarkedComment& comment);
std::vector<std::string> opening_statements(std::string_view database, const std::string& comment);
std::string rename_statement(std::string_view from, std::string_view to);

/// Throws restore_refused when `state` is of a database that is there and not marked with
/// `purpose`.
void check_ours(const std::optional<DatabaseState>& state,
                std::string_view database,
                std::string_view purpose);

}  // namespace drover::orchestrator::backup

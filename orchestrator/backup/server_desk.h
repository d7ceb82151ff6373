/// A session in the maintenance database, from where other databases are made, closed, renamed and
/// dropped; and the lock that lets one process at a time do so with one of them.
///
/// The comment of a database that we close says first what for. So a closed database that a dead
/// process of ours left behind is told from one that a person closed.
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

namespace drover::orchestrator::backup {

/// What the catalog says of a database now.
struct DatabaseState {
  bool allows_connections = true;
  std::string closed_for;  ///< What we closed it for: "restore 4f2a9c"; empty: we did not.
  std::string comment;     ///< The rest of its comment.
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

  /// No new sessions. Those that are there stay.
  void close(std::string_view database, std::string_view closed_for);

  /// New sessions again, and no word of why there were none.
  void open(std::string_view database);

  /// Ends every session with `database` but that of `keep`, and waits until they are gone.
  void end_sessions(std::string_view database, std::int64_t keep = 0);

  /// Throws restore_refused when a session of `database` is one that our role may not end.
  void check_sessions_can_end(std::string_view database);

  void rename(std::string_view from, std::string_view to);

  /// Ends its sessions and drops it; nothing when it is not there.
  void drop(std::string_view database);

  /// Steps that must not be cut short by a stop once they have begun have a minute each.
  void finish_what_is_begun() { brief_ = true; }

  /// Connects and takes the lock again if the session is lost.
  void come_back();

  int server_version() const noexcept { return desk_.server_version(); }

 private:
  engine::Patience patience() const;
  void comment(std::string_view database, const MarkedComment& comment, const std::string& doing);
  void settle();

  const RestoreMeans& means_;
  const engine::Target target_;
  const engine::Patience& patience_;
  Desk desk_;
  bool brief_ = false;
};

}  // namespace drover::orchestrator::backup

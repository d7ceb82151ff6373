/// A conversation with one tenant database, whatever its kind.
///
/// A Session sends statements and reports what came back; it knows nothing of migrations. What to
/// send and what an answer means is decided by executor.h, history.h and fault.h. Implementations:
/// engine/postgres/pg_session.h, engine/sqlite/sqlite_session.h and tests/support/fake_session.h.
/// All of them pass tests/conformance/session_conformance.h.
///
/// Thread safety: one thread at a time, but for cancel(), which any thread may call at any moment.
/// Errors: nothing here throws for what a server or a network does; that is a value (SqlError).

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/clock.h"
#include "engine/dialect.h"
#include "engine/target.h"

namespace drover::engine {

using SqlValue = std::optional<std::string>;  ///< nullopt is NULL; everything else is its text.

/// Who wrote a statement. A migration's statements are guarded at run time as well: transaction
/// control, ATTACH and their like are refused although the loader has already looked for them.
enum class Author { drover, migration };

/// One statement to send. `sql` must outlive the call and hold exactly one statement; $1, $2 ...
/// take `params` by their number, as text (SQLite: ?1, ?2 ... as well).
struct Statement {
  std::string_view sql;
  std::vector<SqlValue> params = {};
  Author author = Author::drover;
};

struct ResultSet {
  std::vector<std::string> columns;
  std::vector<std::vector<SqlValue>> rows;
  std::uint64_t affected = 0;  ///< Rows that an INSERT, UPDATE, DELETE or MERGE changed.
};

struct Notice {
  std::string severity;  ///< "NOTICE", "WARNING" ...
  std::string sqlstate;
  std::string message;
};

/// A session that stands in the way of one of ours.
struct Blocker {
  std::int64_t pid = 0;
  std::string application;  ///< Empty: not known (an unprivileged role sees NULL).
  std::string user;         ///< As above.
  std::string state;        ///< "active", "idle in transaction" ...; empty: not known.
  std::string age;          ///< How long its transaction is open, as the server prints it.

  bool operator==(const Blocker&) const = default;
};

/// Why a statement or a connection attempt did not succeed.
struct SqlError {
  enum class Origin {
    server,      ///< The database refused or aborted it; sqlstate says why.
    connection,  ///< The connection is gone (or never came to be); what ran is not known.
    deadline,    ///< Patience::deadline passed. The statement was cancelled, the session closed.
    stopped,     ///< Patience::stop was requested. As above.
    refused,     ///< We refused to send or to go on: COPY, stray transaction control, a NUL.
  };

  Origin origin = Origin::server;
  std::string sqlstate;  ///< Five characters; empty when the server gave none. SQLite: see below.
  std::string message;   ///< The server's own first line.
  std::string detail;
  std::string hint;
  std::string context;
  std::size_t position = 0;  ///< In characters from 1 within the statement; 0: not known.
  std::optional<Blocker> blocker = {};
};
// SQLite result codes travel as sqlstate "SQLITE_BUSY", "SQLITE_CONSTRAINT_UNIQUE" and so on, so
// that one table in fault.h classifies both.

/// What came back from one exchange. Statements run in order up to the first error; results.size()
/// is then the index of the statement that failed, or was under way.
struct Exchange {
  std::vector<ResultSet> results;
  std::optional<SqlError> error;
  std::vector<Notice> notices;

  bool ok() const noexcept { return !error.has_value(); }
};

/// A setting that a session works under, for example search_path. SQLite has none.
struct SessionSetting {
  std::string name;
  std::string value;
  int since = 0;  ///< The first server_version that knows it.

  bool operator==(const SessionSetting&) const = default;
};

/// Facts of the other side that are known once the session is open.
struct SessionInfo {
  int server_version = 0;                     ///< PostgreSQL: 150020; SQLite: 3040001.
  std::int64_t backend_pid = 0;               ///< As the handshake told it. A pooler invents one.
  std::vector<SessionSetting> settings = {};  ///< In force from the start, also after RESET ALL.
};

class Session {
 public:
  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  virtual ~Session() = default;

  virtual Dialect dialect() const noexcept = 0;
  virtual const SessionInfo& info() const noexcept = 0;

  /// Sends `statements` as one message (PostgreSQL: one pipeline with one Sync at its end; one
  /// statement travels by itself) and collects every result. Outside an explicit transaction the
  /// statements of one message are one implicit transaction on PostgreSQL; on SQLite each is its
  /// own. After an error in an explicit transaction the caller sends ROLLBACK.
  ///
  /// COPY FROM STDIN and TO STDOUT end the exchange with Origin::refused.
  /// A deadline or a stop cancels the statement on the server (best effort) and closes the session.
  virtual Exchange exchange(std::span<const Statement> statements, const Patience& patience) = 0;

  /// False after Origin::connection, deadline or stopped: the session can only be destroyed.
  virtual bool alive() const noexcept = 0;

  /// True while an explicit transaction is open, also a failed one.
  virtual bool in_transaction() const noexcept = 0;

  /// Asks the server to cancel what runs now. Any thread; harmless when nothing runs.
  virtual void cancel() noexcept = 0;
};

/// How a session is to be opened.
struct OpenOptions {
  enum class Purpose {
    change,  ///< Direct address, all session settings.
    read,    ///< May use the target's pooled address, and then sends no startup options.
  };

  Purpose purpose = Purpose::change;
  Milliseconds lock_timeout{1000};
  Milliseconds statement_timeout{300000};
  bool create_file = false;  ///< SQLite: make a missing or empty file. PostgreSQL: ignored.
  std::string application_name = "drover";
  TenantFacts facts = {};                     ///< SQLite; on PostgreSQL they are settings.
  std::vector<SessionSetting> settings = {};  ///< Those that can be are given at the start.
};

struct OpenResult {
  std::unique_ptr<Session> session;  ///< Null exactly when there is an error.
  std::optional<SqlError> error;
};

/// Opens sessions. Thread safe.
class SessionFactory {
 public:
  SessionFactory() = default;
  SessionFactory(const SessionFactory&) = delete;
  SessionFactory& operator=(const SessionFactory&) = delete;
  virtual ~SessionFactory() = default;

  virtual OpenResult open(const Target& target,
                          const OpenOptions& options,
                          const Patience& patience) = 0;
};

}  // namespace drover::engine

/// One tenant's session with its lock and its history: made, lost and made again.
///
/// Knows how a tenant is approached (settings, lock and history in one message) and what must be
/// true before anything is changed there: no pooler, no standby, the right environment, a history
/// in a format that we know. What to do there is the executor's business.
///
/// Thread safety: one thread at a time. Errors: what goes wrong is a TenantFault.

#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/clock.h"
#include "engine/fault.h"
#include "engine/history.h"
#include "engine/session.h"
#include "engine/target.h"
#include "engine/tenant_lock.h"

namespace drover::engine {

/// What a message may take beyond its statements' own timeouts: the network, and a busy server.
constexpr Milliseconds kMessageGrace{30'000};

/// How tenants are approached; the same for all tenants of a run.
struct ApproachOptions {
  std::string environment;     ///< Compared with the tenant's marker; empty: not compared.
  bool production = false;     ///< What a new marker says.
  std::string history_schema;  ///< Empty: the target's own schema.
  Milliseconds connect_timeout{10'000};
  Milliseconds lock_timeout{1'000};
  Milliseconds statement_timeout{300'000};
  Milliseconds lock_wait{10'000};  ///< How long the tenant's lock is polled before giving up.
  bool create_files = false;       ///< SQLite: make missing files.
};

/// An open session that served one schema of a database and may serve the next one.
struct KeptSession {
  std::unique_ptr<Session> session;
  std::string connection;  ///< Target::connection that it was opened for.
  std::optional<std::int64_t> lock_key;
};

class TenantSession {
 public:
  /// All references must outlive the object.
  TenantSession(SessionFactory& factory,
                Clock& clock,
                const Target& target,
                const TenantFacts& facts,
                const ApproachOptions& options);

  /// Connects (or takes `kept` when it fits), takes the lock if it is free, and reads the history;
  /// all after connecting in one message. Does not fail when the lock is taken: see locked().
  std::optional<TenantFault> approach(KeptSession* kept, const Patience& patience);

  /// Polls for the lock until `options.lock_wait` is over, then reads the history again.
  std::optional<TenantFault> lock(const Patience& patience);

  /// Throws the session away, connects again (trying for as long as connecting may take: a server
  /// that crashed is soon back), and waits for the lock as long as a statement may take: an orphan
  /// of ours holds it until it is gone. Then reads the history.
  std::optional<TenantFault> come_back(const Patience& patience);

  /// Closes the session, and with it gives the lock back; come_back() opens another.
  void leave();

  /// Reads tenant row, revisions and, when something is in progress, steps again.
  std::optional<TenantFault> reread(const Patience& patience);

  /// Reads only, for status: no lock, no settings, the pooled address if there is one. An empty
  /// SQLite file counts as a tenant without a history where files may be made.
  std::optional<TenantFault> look(const Patience& patience);

  bool locked() const noexcept { return locked_; }
  bool alive() const noexcept { return session_ != nullptr && session_->alive(); }
  Session& session() noexcept { return *session_; }
  const History& history() const noexcept { return history_; }
  const HistoryTables& tables() const noexcept { return tables_; }
  const Target& target() const noexcept { return target_; }
  const TenantFacts& facts() const noexcept { return facts_; }
  const ApproachOptions& options() const noexcept { return options_; }

  /// The schema of Drover's tables; empty on SQLite.
  const std::string& tables_schema() const;
  Clock& clock() noexcept { return clock_; }

  /// Settings of this session, for the start of a message that follows a reset or a failure.
  std::vector<OwnedStatement> settings() const;

  /// True when the settings were sent and have not been rolled back or reset.
  bool settled() const noexcept { return settled_; }
  void set_settled(bool settled) noexcept { settled_ = settled; }

  /// Notes that a migration's statements ran and may have left something behind.
  void set_needs_reset(bool needs_reset) noexcept { needs_reset_ = needs_reset; }
  bool needs_reset() const noexcept { return needs_reset_; }

  /// It is marked for another environment than the one that we work for, or is not the tenant that
  /// Target::uid says.
  std::optional<TenantFault> identity_fault() const;

  /// Sends one message within `patience`, and within what its statements may take by themselves.
  Exchange exchange(std::span<const Statement> statements, const Patience& patience);
  Exchange exchange(const std::vector<OwnedStatement>& statements, const Patience& patience);

  /// Ends an open transaction, best effort.
  void roll_back();

  /// When a statement that begins now has had all the time that statement_timeout gives, and some
  /// for the network.
  SteadyTime statement_deadline() const;

  /// Hands the session over for the next tenant of the same database; empty when it is not fit.
  KeptSession keep();

 private:
  std::optional<TenantFault> open(OpenOptions::Purpose purpose, const Patience& patience);
  std::optional<TenantFault> open_and_greet(const Patience& patience);
  std::optional<TenantFault> greet(TakeLock take, const Patience& patience);
  std::optional<TenantFault> check_contact(const Contact& contact) const;
  std::optional<TenantFault> take_history(const Exchange& answer,
                                          std::size_t at,
                                          const Patience& patience);
  std::optional<TenantFault> explain_unreadable(const SqlError& error, const Patience& patience);
  std::optional<TenantFault> read_steps(const Patience& patience);
  std::optional<TenantFault> poll_lock(SteadyTime until, const Patience& patience);
  TenantFault unopened(const SqlError& error) const;
  TenantFault pooler_in_between() const;
  TenantFault newer_format(std::int64_t format) const;
  TenantFault lock_held(const Patience& patience);
  OwnedStatement contact(TakeLock take) const;

  SessionFactory& factory_;
  Clock& clock_;
  const Target& target_;
  const TenantFacts& facts_;
  const ApproachOptions& options_;
  HistoryTables tables_;
  std::int64_t lock_key_;
  std::unique_ptr<Session> session_;
  std::optional<std::int64_t> foreign_lock_;  ///< Of the tenant that the session served before.
  bool locked_ = false;
  bool settled_ = false;
  bool needs_reset_ = false;
  History history_;
};

/// A fault that is not the database's words but our own finding.
TenantFault found(ErrorCode code, std::string kind, std::string message, std::string hint);

/// The same about the revision `id`.
TenantFault found(
    const RevisionId& id, ErrorCode code, std::string kind, std::string message, std::string hint);

}  // namespace drover::engine

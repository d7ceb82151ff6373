#include "engine/tenant_session.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "engine/session_hygiene.h"
#include "engine/sql_value.h"

namespace drover::engine {
namespace {

constexpr int kOldestPostgres = 130000;

/// Between two looks at a lock that someone else holds, or at a server that is away; `jitter` keeps
/// two that wait from marching in step.
Milliseconds pause_before(int round, std::int64_t jitter) {
  constexpr std::int64_t kSpread = 60;
  return Milliseconds(std::min(40 + round * 20, 400) +
                      std::abs(jitter + std::int64_t{37} * round) % kSpread);
}

/// Faults that connecting again may cure.
bool may_pass(const TenantFault& fault) {
  return fault.fault_class == FaultClass::server_down ||
         fault.fault_class == FaultClass::no_connection ||
         fault.fault_class == FaultClass::session_killed;
}

std::string history_schema_of(const Target& target, const ApproachOptions& options) {
  if (target.dialect == Dialect::sqlite) {
    return {};
  }
  return options.history_schema.empty() ? target.schema : options.history_schema;
}

Patience no_later_than(const Patience& patience, SteadyTime limit) {
  return {std::min(patience.deadline, limit), patience.stop};
}

}  // namespace

TenantFault found(ErrorCode code, std::string kind, std::string message, std::string hint) {
  TenantFault fault;
  fault.code = code;
  fault.kind = std::move(kind);
  fault.message = std::move(message);
  fault.hint = std::move(hint);
  return fault;
}

TenantFault found(
    const RevisionId& id, ErrorCode code, std::string kind, std::string message, std::string hint) {
  TenantFault fault = found(code, std::move(kind), std::move(message), std::move(hint));
  fault.revision = id.value;
  return fault;
}

TenantSession::TenantSession(SessionFactory& factory,
                             Clock& clock,
                             const Target& target,
                             const TenantFacts& facts,
                             const ApproachOptions& options)
    : factory_(factory),
      clock_(clock),
      target_(target),
      facts_(facts),
      options_(options),
      tables_(target.dialect, history_schema_of(target, options)),
      lock_key_(tenant_lock_key(target.database, target.schema)) {}

std::optional<TenantFault> TenantSession::approach(KeptSession* kept, const Patience& patience) {
  if (kept != nullptr && kept->session && kept->connection == target_.connection) {
    session_ = std::move(kept->session);
    foreign_lock_ = kept->lock_key;
    needs_reset_ = true;  // of the other tenant's facts, if of nothing else
    auto fault = greet(TakeLock::yes, patience);
    if (alive()) {
      return fault;
    }
  }
  return open_and_greet(patience);
}

std::optional<TenantFault> TenantSession::open_and_greet(const Patience& patience) {
  if (auto fault = open(OpenOptions::Purpose::change, patience)) {
    return fault;
  }
  return greet(TakeLock::yes, patience);
}

std::optional<TenantFault> TenantSession::open(OpenOptions::Purpose purpose,
                                               const Patience& patience) {
  session_.reset();
  foreign_lock_.reset();
  locked_ = false;
  settled_ = false;
  needs_reset_ = false;
  OpenOptions open;
  open.purpose = purpose;
  open.lock_timeout = options_.lock_timeout;
  open.statement_timeout = options_.statement_timeout;
  open.create_file = options_.create_files;
  open.facts = facts_;
  open.settings = session_settings(target_.dialect, target_.schema, facts_);
  OpenResult opened = factory_.open(
      target_, open, no_later_than(patience, clock_.now() + options_.connect_timeout));
  if (!opened.session) {
    return unopened(*opened.error);
  }
  session_ = std::move(opened.session);
  if (target_.dialect == Dialect::postgres && session_->info().server_version < kOldestPostgres) {
    return found(
        ErrorCode::unreachable,
        "server_too_old",
        fmt::format("server version {} is older than 13", session_->info().server_version / 10000),
        "Upgrade the server: PostgreSQL 13 is the oldest that Drover knows.");
  }
  return std::nullopt;
}

TenantFault TenantSession::unopened(const SqlError& error) const {
  TenantFault fault = fault_from(error, "connecting");
  if (fault.kind == "protocol_violation") {  // a pooler does not know our startup options
    return pooler_in_between();
  }
  if (error.origin == SqlError::Origin::deadline) {
    fault.fault_class = FaultClass::no_connection;
    fault.code = ErrorCode::unreachable;
  }
  return fault;
}

TenantFault TenantSession::pooler_in_between() const {
  return found(ErrorCode::incomplete,
               "pooler_in_between",
               fmt::format("a connection pooler stands between us and {}", target_.server),
               "Give the server's own address as the target; a pooler's may be its 'pooled'.");
}

std::optional<TenantFault> TenantSession::greet(TakeLock take, const Patience& patience) {
  std::vector<OwnedStatement> message;
  if (target_.dialect == Dialect::postgres) {
    if (needs_reset_) {
      message = reset_statements(target_.dialect);
    }
    const std::vector<OwnedStatement> wanted = settings();
    message.insert(message.end(), wanted.begin(), wanted.end());
    if (foreign_lock_) {
      message.push_back(unlock_statement(*foreign_lock_));
    }
    message.push_back(contact(take));
  }
  message.push_back(tables_.read());
  const std::size_t read_at = message.size() - 1;
  const Exchange answer = exchange(message, patience);
  if (answer.results.size() < read_at) {
    return fault_from(*answer.error, "reading the history");
  }
  foreign_lock_.reset();
  needs_reset_ = needs_reset_ && !answer.ok();
  settled_ = answer.ok();
  locked_ = take == TakeLock::yes;  // on SQLite each transaction locks the file by itself
  if (target_.dialect == Dialect::postgres) {
    const Contact seen = decode_contact(answer.results[read_at - 1]);
    locked_ = seen.locked;
    if (auto fault = check_contact(seen)) {
      return fault;
    }
  }
  return take_history(answer, read_at, patience);
}

std::optional<TenantFault> TenantSession::check_contact(const Contact& contact) const {
  if (contact.backend_pid != session_->info().backend_pid) {
    return pooler_in_between();
  }
  if (contact.standby) {
    return found(ErrorCode::unreachable,
                 "standby",
                 fmt::format("{} is a standby and takes no changes", target_.server),
                 "Point the tenant at the primary.");
  }
  if (!contact.schema_exists) {
    return found(ErrorCode::unreachable,
                 "schema_missing",
                 fmt::format("there is no schema {}", quoted_identifier(tables_schema())),
                 "Create the schema, or remove the tenant from the fleet.");
  }
  return std::nullopt;
}

std::optional<TenantFault> TenantSession::take_history(const Exchange& answer,
                                                       std::size_t at,
                                                       const Patience& patience) {
  history_ = {};
  if (!answer.ok()) {
    if (tables_.says_no_history(*answer.error)) {
      return std::nullopt;
    }
    return explain_unreadable(*answer.error, patience);
  }
  history_ = decode_history(answer.results[at]);
  if (history_.tenant.format > kHistoryFormat) {
    return newer_format(history_.tenant.format);
  }
  const bool whole = history_.tenant.in_progress.empty() && history_.tenant.at_batch.empty();
  return whole ? std::nullopt : read_steps(patience);
}

/// A column that is not there means another layout; its number says which.
std::optional<TenantFault> TenantSession::explain_unreadable(const SqlError& error,
                                                             const Patience& patience) {
  if (session_->alive()) {
    const Exchange answer = exchange({tables_.read_format()}, patience);
    if (answer.ok() && !answer.results[0].rows.empty()) {
      const std::int64_t format = integer_of(answer.results[0].rows[0][0]);
      if (format > kHistoryFormat) {
        return newer_format(format);
      }
    }
  }
  return fault_from(error, "reading the history");
}

TenantFault TenantSession::newer_format(std::int64_t format) const {
  return found(ErrorCode::verification,
               "history_format_newer",
               fmt::format("the history is in format {}, and this build knows formats up to {}",
                           format,
                           kHistoryFormat),
               "Use the newer version of Drover that wrote it.");
}

std::optional<TenantFault> TenantSession::read_steps(const Patience& patience) {
  const Exchange answer = exchange({tables_.read_steps()}, patience);
  if (!answer.ok()) {
    return fault_from(*answer.error, "reading the history");
  }
  history_.steps = decode_steps(answer.results[0]);
  return std::nullopt;
}

std::optional<TenantFault> TenantSession::reread(const Patience& patience) {
  const Exchange answer = exchange({tables_.read()}, patience);
  return take_history(answer, 0, patience);
}

std::optional<TenantFault> TenantSession::look(const Patience& patience) {
  if (auto fault = open(OpenOptions::Purpose::read, patience)) {
    history_ = {};
    const bool to_be_filled = options_.create_files && fault->kind == "file_empty";
    return to_be_filled ? std::nullopt : fault;
  }
  Exchange answer = exchange({tables_.read()}, patience);
  if (answer.ok() || !tables_.says_no_history(*answer.error) ||
      target_.dialect == Dialect::sqlite) {
    return take_history(answer, 0, patience);
  }
  answer = exchange({contact(TakeLock::no)}, patience);
  if (!answer.ok()) {
    return fault_from(*answer.error, "reading the history");
  }
  Contact seen = decode_contact(answer.results[0]);
  seen.backend_pid = session_->info().backend_pid;  // a pooler may serve a reader
  seen.standby = false;                             // and so may a standby
  return check_contact(seen);
}

std::optional<TenantFault> TenantSession::lock(const Patience& patience) {
  if (auto fault = poll_lock(clock_.now() + options_.lock_wait, patience)) {
    return fault;
  }
  return reread(patience);
}

void TenantSession::leave() {
  session_.reset();
  foreign_lock_.reset();
  locked_ = settled_ = needs_reset_ = false;
}

std::optional<TenantFault> TenantSession::come_back(const Patience& patience) {
  const SteadyTime lock_by = std::min(statement_deadline(), patience.deadline);
  SteadyTime connect_by = clock_.now() + options_.connect_timeout;
  for (int round = 0;; ++round) {
    auto fault = open_and_greet(patience);
    if (!fault && !locked_) {
      fault = poll_lock(lock_by, patience);
      fault = fault ? fault : reread(patience);
      connect_by = clock_.now() + options_.connect_timeout;  // it was there, and may be again
    }
    const bool again = fault && may_pass(*fault) && !patience.stop.stop_requested() &&
                       clock_.now() < std::min(connect_by, lock_by);
    if (!again) {
      return fault;
    }
    clock_.wait_until(clock_.now() + pause_before(round, lock_key_), patience.stop);
  }
}

std::optional<TenantFault> TenantSession::poll_lock(SteadyTime until, const Patience& patience) {
  for (int round = 0; !locked_; ++round) {
    const Exchange answer = exchange({contact(TakeLock::yes)}, patience);
    if (!answer.ok()) {
      return fault_from(*answer.error, "taking the tenant's lock");
    }
    locked_ = decode_contact(answer.results[0]).locked;
    if (locked_) {
      break;
    }
    if (clock_.now() >= std::min(until, patience.deadline)) {
      return lock_held(patience);
    }
    clock_.wait_until(clock_.now() + pause_before(round, session_->info().backend_pid),
                      patience.stop);
  }
  return std::nullopt;
}

TenantFault TenantSession::lock_held(const Patience& patience) {
  TenantFault fault = found(ErrorCode::busy,
                            "lock_held",
                            "another runner holds the tenant's lock",
                            "Wait until it is done, or see with drover lock show who that is.");
  const Exchange answer = exchange({lock_holder_statement(lock_key_)}, patience);
  if (answer.ok()) {
    fault.blocker = decode_lock_holder(answer.results[0]);
  }
  if (fault.blocker) {
    fault.message = fmt::format(
        "another runner holds the tenant's lock: pid {}, {}",
        fault.blocker->pid,
        fault.blocker->application.empty() ? "application unknown" : fault.blocker->application);
  }
  return fault;
}

std::optional<TenantFault> TenantSession::identity_fault() const {
  const TenantRow& row = history_.tenant;
  const bool foreign = !options_.environment.empty() && !row.environment.empty() &&
                       row.environment != options_.environment;
  if (foreign) {
    return found(ErrorCode::verification,
                 "environment_mismatch",
                 fmt::format("the tenant is marked as environment '{}', and this is '{}'",
                             row.environment,
                             options_.environment),
                 "If it was copied on purpose, give it this environment's mark.");
  }
  const std::string hint =
      "Correct the target; if the database was replaced on purpose, say so "
      "with drover mark.";
  if (!target_.uid.empty() && history_.exists && row.uid != target_.uid) {
    return found(ErrorCode::verification,
                 "tenant_mismatch",
                 fmt::format("the database belongs to another tenant: its uid is '{}', and this "
                             "tenant's is '{}'",
                             row.uid,
                             target_.uid),
                 hint);
  }
  if (!target_.uid.empty() && !history_.exists && options_.production) {
    return found(
        ErrorCode::verification,
        "tenant_mismatch",
        fmt::format("the database holds no history, and this tenant had one, with uid '{}'",
                    target_.uid),
        hint);
  }
  return std::nullopt;
}

std::vector<OwnedStatement> TenantSession::settings() const {
  return settings_statements(session_->info(),
                             session_settings(target_.dialect, target_.schema, facts_));
}

OwnedStatement TenantSession::contact(TakeLock take) const {
  return contact_statement(tables_schema(), lock_key_, session_->info().backend_pid, take);
}

const std::string& TenantSession::tables_schema() const {
  return options_.history_schema.empty() ? target_.schema : options_.history_schema;
}

Exchange TenantSession::exchange(std::span<const Statement> statements, const Patience& patience) {
  return session_->exchange(statements, patience);
}

Exchange TenantSession::exchange(const std::vector<OwnedStatement>& statements,
                                 const Patience& patience) {
  std::vector<Statement> views;
  views.reserve(statements.size());
  for (const OwnedStatement& statement : statements) {
    views.push_back(statement.view());
  }
  return exchange(views, no_later_than(patience, statement_deadline()));
}

SteadyTime TenantSession::statement_deadline() const {
  return options_.statement_timeout == Milliseconds::zero()
             ? SteadyTime::max()
             : clock_.now() + options_.statement_timeout + kMessageGrace;
}

void TenantSession::roll_back() {
  if (alive() && session_->in_transaction()) {
    exchange({{"ROLLBACK"}}, {});
    settled_ = false;
    needs_reset_ = true;
  }
}

KeptSession TenantSession::keep() {
  if (target_.dialect == Dialect::sqlite || !alive() || session_->in_transaction()) {
    return {};
  }
  return {
      std::move(session_), target_.connection, locked_ ? std::optional(lock_key_) : std::nullopt};
}

}  // namespace drover::engine

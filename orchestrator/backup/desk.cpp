#include "orchestrator/backup/desk.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/base/sha256.h"
#include "engine/sql_value.h"
#include "engine/tenant_lock.h"

namespace drover::orchestrator::backup {
namespace {

constexpr std::size_t kMostNameBytes = 63;  // NAMEDATALEN - 1
constexpr std::size_t kMostMarkBytes = 12;
constexpr std::size_t kMostInfixBytes = 10;

/// Whether the kind of a server's words is about migrations, and misleads here.
bool is_about_statements(const engine::FaultKind& kind) {
  return kind.fault_class == engine::FaultClass::permanent && kind.kind != "permission_denied" &&
         kind.kind != "database_missing" && kind.kind != "interrupted";
}

}  // namespace

void give_up(std::string kind, std::string message, std::string hint) {
  engine::TenantFault fault;
  fault.kind = std::move(kind);
  fault.message = std::move(message);
  fault.hint = std::move(hint);
  throw RestoreFailure(std::move(fault));
}

engine::TenantFault restore_fault(const engine::SqlError& error, std::string_view doing) {
  engine::TenantFault fault = engine::fault_from(error, doing);
  if (is_about_statements(engine::fault_kind_of(error))) {
    fault.kind = "restore_failed";
    fault.hint = "Look at what the server says.";
  } else if (fault.kind == "permission_denied") {
    fault.hint = "Grant the role what it lacks: CREATEDB and what the owner of the tenant may.";
  }
  return fault;
}

void tell(const RestoreMeans& means, std::string_view step) {
  if (means.on_step) {
    means.on_step(step);
  }
}

void check_mark(std::string_view mark) {
  const bool sound = !mark.empty() && mark.size() <= kMostMarkBytes &&
                     std::all_of(mark.begin(), mark.end(), [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
                     });
  if (!sound) {
    give_up("restore_refused",
            fmt::format("'{}' cannot be the mark of a restore", mark),
            fmt::format("Use 1 to {} of a-z, 0-9 and '-'.", kMostMarkBytes));
  }
}

std::string name_prefix(std::string_view base, std::string_view infix) {
  constexpr std::size_t kHashDigits = 8;
  constexpr std::size_t kMostBaseBytes = kMostNameBytes - kMostMarkBytes - kMostInfixBytes;
  if (base.size() <= kMostBaseBytes) {
    return fmt::format("{}{}", base, infix);
  }
  std::size_t kept = kMostBaseBytes - kHashDigits - 1;
  while (kept > 0 && (static_cast<unsigned char>(base[kept]) & 0xC0U) == 0x80U) {
    --kept;  // never half a character
  }
  const std::string hash = engine::base::sha256_hex(base).substr(0, kHashDigits);
  return fmt::format("{}_{}{}", base.substr(0, kept), hash, infix);
}

Desk::Desk(const RestoreMeans& means,
           const engine::Target& target,
           std::vector<engine::SessionSetting> settings,
           const engine::Patience& patience) {
  engine::OpenOptions open;
  open.lock_timeout = means.lock_timeout;
  open.statement_timeout = engine::Milliseconds(0);  // the patience of each call bounds it
  open.settings = std::move(settings);
  engine::OpenResult opened = means.sessions.open(
      target,
      open,
      {std::min(patience.deadline, means.clock.now() + means.connect_timeout), patience.stop});
  if (!opened.session) {
    engine::TenantFault fault =
        restore_fault(*opened.error, fmt::format("connecting to database '{}'", target.database));
    fault.code = ErrorCode::unreachable;
    throw RestoreFailure(std::move(fault));
  }
  session_ = std::move(opened.session);
  settle(target, patience);
}

/// It is idle for hours while others restore, and its locks must be its own.
void Desk::settle(const engine::Target& target, const engine::Patience& patience) {
  constexpr int kKnowsIdleTimeout = 140000;
  std::vector<engine::OwnedStatement> message = {{"SELECT pg_catalog.pg_backend_pid()"}};
  if (server_version() >= kKnowsIdleTimeout) {
    message.push_back({"SET idle_session_timeout = 0"});
  }
  const std::vector<engine::ResultSet> answer = ask(message, "setting up a session", patience);
  if (engine::integer_of(answer.front().rows.at(0).at(0)) != pid()) {
    give_up("pooler_in_between",
            fmt::format("a connection pooler stands between us and {}", target.server),
            "Give the server's own address as the target; a pooler's may be its 'pooled'.");
  }
}

engine::ResultSet Desk::ask(const engine::OwnedStatement& statement,
                            std::string_view doing,
                            const engine::Patience& patience) {
  return std::move(ask(std::vector{statement}, doing, patience).front());
}

std::vector<engine::ResultSet> Desk::ask(const std::vector<engine::OwnedStatement>& statements,
                                         std::string_view doing,
                                         const engine::Patience& patience) {
  engine::Exchange answer = exchange(statements, patience);
  if (!answer.ok()) {
    throw RestoreFailure(restore_fault(*answer.error, doing));
  }
  return std::move(answer.results);
}

engine::Exchange Desk::exchange(const std::vector<engine::OwnedStatement>& statements,
                                const engine::Patience& patience) {
  std::vector<engine::Statement> views;
  views.reserve(statements.size());
  for (const engine::OwnedStatement& statement : statements) {
    views.push_back(statement.view());
  }
  engine::Exchange answer = session_->exchange(views, patience);
  if (session_->alive() && !answer.ok() && session_->in_transaction()) {
    const engine::Statement rollback{"ROLLBACK"};
    session_->exchange(std::span(&rollback, 1), patience);
  }
  return answer;
}

void take_lock(Desk& desk,
               const RestoreMeans& means,
               std::int64_t key,
               std::string_view whose,
               const engine::Patience& patience) {
  constexpr engine::Milliseconds kBetweenAttempts{100};
  const engine::SteadyTime until = std::min(patience.deadline, means.clock.now() + means.lock_wait);
  // $1 key
  const engine::OwnedStatement take{"SELECT pg_catalog.pg_try_advisory_lock($1::bigint)",
                                    {std::to_string(key)}};
  const std::string doing = fmt::format("taking the lock of {}", whose);
  while (!engine::truth_of(desk.ask(take, doing, patience).rows.at(0).at(0))) {
    if (means.clock.now() >= until || patience.stop.stop_requested()) {
      const std::optional<engine::Blocker> holder =
          engine::decode_lock_holder(desk.ask(engine::lock_holder_statement(key), doing, patience));
      engine::TenantFault fault;
      fault.code = ErrorCode::busy;
      fault.fault_class = engine::FaultClass::transient;
      fault.kind = "lock_held";
      fault.message =
          fmt::format("the lock of {} is held by pid {}", whose, holder ? holder->pid : 0);
      fault.hint = "Wait until whoever works on it is done, and try again.";
      fault.blocker = holder;
      throw RestoreFailure(std::move(fault));
    }
    means.clock.wait_until(means.clock.now() + kBetweenAttempts, patience.stop);
  }
}

}  // namespace drover::orchestrator::backup

#include "engine/batch/batch_session.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/session_hygiene.h"
#include "engine/transaction_script.h"

namespace drover::engine::batch {
namespace {

/// A server that restarts is back by then; one that is not is somebody's concern.
constexpr Milliseconds kComesBackWithin{60'000};
constexpr Milliseconds kFirstPause{100};
constexpr Milliseconds kLongestPause{5'000};

/// Of batches.md §6.1: who waits for us waits no longer, and a batch that takes ten times what it
/// should has met something else.
constexpr Milliseconds kLockTimeout{500};
constexpr int kTimesTarget = 10;

/// Ours, for a server that does not answer.
constexpr Milliseconds kGrace{30'000};

bool may_pass(const TenantFault& fault) {
  return fault.fault_class == FaultClass::no_connection ||
         fault.fault_class == FaultClass::server_down ||
         fault.fault_class == FaultClass::session_killed ||
         fault.fault_class == FaultClass::transient;
}

}  // namespace

std::optional<TenantFault> BatchSession::open(const Patience& patience) {
  const SteadyTime until = std::min(patience.deadline, means_.clock.now() + kComesBackWithin);
  Milliseconds pause = kFirstPause;
  while (!alive()) {
    auto fault = open_once(patience);
    if (!fault) {
      break;
    }
    if (!may_pass(*fault) || patience.stop.stop_requested() || means_.clock.now() >= until) {
      return fault;
    }
    means_.clock.wait_until(means_.clock.now() + pause, patience.stop);
    pause = std::min(pause * 2, kLongestPause);
  }
  return std::nullopt;
}

std::optional<TenantFault> BatchSession::open_once(const Patience& patience) {
  const BatchOrder& order = means_.order;
  OpenOptions open;
  const Milliseconds tenfold = kTimesTarget * order.section.batch.target;
  open.lock_timeout = use_ == Use::work ? kLockTimeout : order.approach.lock_timeout;
  open.statement_timeout =
      use_ == Use::work ? std::max(tenfold, kLockTimeout) : order.approach.statement_timeout;
  open.facts = order.facts;
  open.settings = session_settings(order.target.dialect, order.target.schema, order.facts);
  Patience brief = patience;
  brief.deadline = std::min(brief.deadline, means_.clock.now() + order.approach.connect_timeout);
  OpenResult opened = means_.factory.open(order.target, open, brief);
  if (!opened.session) {
    return fault_from(*opened.error, "connecting");
  }
  {
    const std::lock_guard lock(session_mutex_);
    session_ = std::move(opened.session);
  }
  if (const auto statements = settings(); !statements.empty()) {
    const Exchange answer = exchange(statements, brief);
    if (!answer.ok()) {  // it must not be taken for one that is set up
      const std::lock_guard lock(session_mutex_);
      session_.reset();
      return fault_from(*answer.error, "setting up a session");
    }
  }
  return std::nullopt;
}

std::vector<OwnedStatement> BatchSession::settings() const {
  const BatchOrder& order = means_.order;
  if (order.target.dialect == Dialect::sqlite) {
    return {};
  }
  std::vector<OwnedStatement> statements = settings_statements(
      session_->info(), session_settings(order.target.dialect, order.target.schema, order.facts));
  // Keys travel as text, and must mean the same value when they come back.
  statements.push_back({"SET DateStyle = ISO"});
  statements.push_back({"SET extra_float_digits = 1"});
  if (use_ == Use::control) {
    return statements;
  }
  for (OwnedStatement& setting : header_settings(order.migration, SetFor::session)) {
    statements.push_back(std::move(setting));
  }
  statements.push_back(
      {fmt::format("SET synchronous_commit = {}", order.section.batch.sync_commit ? "on" : "off")});
  statements.push_back({"SET drover.in_batch = 'on'"});
  return statements;
}

Patience BatchSession::limited(const Patience& patience) const {
  const Milliseconds usual = means_.order.approach.statement_timeout;
  Patience own = patience;
  own.deadline = std::min(own.deadline, means_.clock.now() + usual + kGrace);
  return own;
}

Exchange BatchSession::exchange(const std::vector<OwnedStatement>& statements,
                                const Patience& patience) {
  std::vector<Statement> views;
  views.reserve(statements.size());
  for (const OwnedStatement& statement : statements) {
    views.push_back(statement.view());
  }
  return exchange(views, patience);
}

Exchange BatchSession::exchange(std::span<const Statement> statements, const Patience& patience) {
  return session_->exchange(statements, limited(patience));
}

Exchange BatchSession::exchange_unlimited(const OwnedStatement& statement,
                                          const Patience& patience) {
  const Statement view = statement.view();
  return session_->exchange(std::span(&view, 1), patience);
}

void BatchSession::roll_back(const Patience& patience) {
  if (alive() && session_->in_transaction()) {
    exchange({{"ROLLBACK"}}, {limited(patience).deadline, {}});
  }
}

void BatchSession::cancel() noexcept {
  const std::lock_guard lock(session_mutex_);
  if (session_ != nullptr) {
    session_->cancel();
  }
}

}  // namespace drover::engine::batch

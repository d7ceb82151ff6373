/// A session that works for a batch: opened with what the migration's header asks for, and opened
/// again when it is lost.
///
/// Thread safety: one thread, but for cancel(), which any thread may call.

#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/batch_worker.h"
#include "engine/clock.h"
#include "engine/fault.h"
#include "engine/history.h"
#include "engine/session.h"

namespace drover::engine::batch {

/// What the sessions of one batch have in common. All references must outlive them.
struct SessionMeans {
  SessionFactory& factory;
  Clock& clock;
  const BatchOrder& order;
};

class BatchSession {
 public:
  enum class Use {
    control,  ///< Reads, and writes what others may see; the tenant's usual timeouts.
    work,     ///< Changes rows; short timeouts, so that nobody waits for us for long.
  };

  BatchSession(const SessionMeans& means, Use use) : means_(means), use_(use) {}

  /// Opens it unless it is open. Tries again for a while where the server is away.
  std::optional<TenantFault> open(const Patience& patience);

  bool alive() const noexcept { return session_ != nullptr && session_->alive(); }
  const SessionInfo& info() const noexcept { return session_->info(); }

  /// One message. The session must be open; afterwards it may be lost.
  Exchange exchange(const std::vector<OwnedStatement>& statements, const Patience& patience);
  Exchange exchange(std::span<const Statement> statements, const Patience& patience);

  /// What may take any time, VACUUM for one; one statement.
  Exchange exchange_unlimited(const OwnedStatement& statement, const Patience& patience);

  /// Ends an open transaction, best effort.
  void roll_back(const Patience& patience);

  void cancel() noexcept;

 private:
  std::optional<TenantFault> open_once(const Patience& patience);
  std::vector<OwnedStatement> settings() const;
  Patience limited(const Patience& patience) const;

  const SessionMeans& means_;
  Use use_;
  std::mutex session_mutex_;  ///< Guards the pointer against cancel().
  std::unique_ptr<Session> session_;
};

}  // namespace drover::engine::batch

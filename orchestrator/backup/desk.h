/// One session of a restore: sends statements, and throws what goes wrong with them.
///
/// RestoreFailure is how the files of this room that put tenants back tell each other that it does
/// not go on. It never leaves the room: restore_database() and its like return the fault that is in
/// it.
///
/// Thread safety: one thread at a time.

#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/fault.h"
#include "engine/history.h"
#include "engine/session.h"
#include "orchestrator/backup/restore_means.h"

namespace drover::orchestrator::backup {

class RestoreFailure : public std::exception {
 public:
  explicit RestoreFailure(engine::TenantFault fault) : fault_(std::move(fault)) {}

  const char* what() const noexcept override { return fault_.message.c_str(); }
  const engine::TenantFault& fault() const noexcept { return fault_; }

 private:
  engine::TenantFault fault_;
};

/// Our own finding as a RestoreFailure.
[[noreturn]] void give_up(std::string kind, std::string message, std::string hint);

/// What a server said, as a fault: its kind where the kind helps to decide about another attempt,
/// else "restore_failed".
engine::TenantFault restore_fault(const engine::SqlError& error, std::string_view doing);

/// Tells the observer of `means`, if there is one.
void tell(const RestoreMeans& means, std::string_view step);

/// What `mark` must be: 1 to 12 of a-z, 0-9 and '-'. Throws RestoreFailure restore_refused.
void check_mark(std::string_view mark);

/// "acme_before_": `base` + `infix` (up to ten bytes), so short that the server keeps it whole with
/// a mark at its end. Of a longer base the end gives way to eight digits of its hash, so that two
/// bases stay two names.
std::string name_prefix(std::string_view base, std::string_view infix);

class Desk {
 public:
  /// Opens a session with `target`. Throws RestoreFailure.
  Desk(const RestoreMeans& means,
       const engine::Target& target,
       std::vector<engine::SessionSetting> settings,
       const engine::Patience& patience);

  /// The rows of one statement, which travels by itself. Throws RestoreFailure.
  engine::ResultSet ask(const engine::OwnedStatement& statement,
                        std::string_view doing,
                        const engine::Patience& patience);

  /// The same for several in one message.
  std::vector<engine::ResultSet> ask(const std::vector<engine::OwnedStatement>& statements,
                                     std::string_view doing,
                                     const engine::Patience& patience);

  /// The same without throwing. After an error no transaction is open.
  engine::Exchange exchange(const std::vector<engine::OwnedStatement>& statements,
                            const engine::Patience& patience);

  bool alive() const noexcept { return session_->alive(); }
  int server_version() const noexcept { return session_->info().server_version; }
  std::int64_t pid() const noexcept { return session_->info().backend_pid; }

 private:
  void settle(const engine::Target& target, const engine::Patience& patience);

  std::unique_ptr<engine::Session> session_;
};

/// Takes the advisory lock `key` at `desk`, polling for RestoreMeans::lock_wait. Throws
/// RestoreFailure lock_held; `whose` says what the lock is of: "tenant 'acme'".
void take_lock(Desk& desk,
               const RestoreMeans& means,
               std::int64_t key,
               std::string_view whose,
               const engine::Patience& patience);

}  // namespace drover::orchestrator::backup

#include "orchestrator/api/credential_sessions.h"

#include <string_view>
#include <utility>

#include "engine/error.h"
#include "engine/postgres/conninfo.h"

namespace drover::orchestrator {
namespace {

constexpr std::string_view kInvalidPassword = "28P01";

}  // namespace

CredentialSessions::CredentialSessions(engine::SessionFactory& sessions, Reread reread)
    : sessions_(sessions), reread_(std::move(reread)) {}

engine::OpenResult CredentialSessions::open(const engine::Target& target,
                                            const engine::OpenOptions& options,
                                            const engine::Patience& patience) {
  if (target.password.empty() || target.dialect != engine::Dialect::postgres) {
    return sessions_.open(target, options, patience);
  }
  engine::Target wanted = latest(target);
  while (true) {
    const Credential credential = credential_of(wanted);
    engine::OpenResult opened;
    opened.error.emplace();
    if (take_turn(credential, patience, *opened.error) != Turn::refused) {
      opened = sessions_.open(wanted, options, patience);
      settle(credential, opened);
    }
    if (opened.session || opened.error->sqlstate != kInvalidPassword) {
      return opened;
    }
    read_again(credential);
    engine::Target fresh = latest(target);
    if (fresh.password == wanted.password) {
      return opened;
    }
    wanted = std::move(fresh);
  }
}

/// Who is the first to use a password goes alone; who comes meanwhile waits for what it learns.
/// When patience is over one goes anyway: the session behind says so in its own words.
CredentialSessions::Turn CredentialSessions::take_turn(const Credential& credential,
                                                       const engine::Patience& patience,
                                                       engine::SqlError& refusal) {
  using Is = Standing::Is;
  std::unique_lock lock(mutex_);
  Standing& standing = standings_[credential];
  const auto is_known = [&] { return standing.is != Is::being_tried; };
  const bool known = patience.deadline == engine::SteadyTime::max()
                         ? settled_.wait(lock, patience.stop, is_known)
                         : settled_.wait_until(lock, patience.stop, patience.deadline, is_known);
  if (!known) {
    return Turn::over;
  }
  if (standing.is == Is::refused) {
    refusal = standing.refusal;
    return Turn::refused;
  }
  if (standing.is == Is::untried) {
    standing.is = Is::being_tried;
  }
  return Turn::go;
}

void CredentialSessions::settle(const Credential& credential, const engine::OpenResult& opened) {
  using Is = Standing::Is;
  {
    const std::lock_guard lock(mutex_);
    Standing& standing = standings_[credential];
    if (opened.session) {
      standing.is = Is::good;
      read_for_.erase({std::get<0>(credential), std::get<1>(credential)});
    } else if (opened.error->sqlstate == kInvalidPassword) {
      standing = {Is::refused, *opened.error};
    } else if (standing.is == Is::being_tried) {
      standing.is = Is::untried;  // the server was away; that says nothing of the password
    }
  }
  settled_.notify_all();
}

engine::Target CredentialSessions::latest(const engine::Target& target) {
  engine::Target latest = target;
  const std::lock_guard lock(mutex_);
  const auto found = passwords_.find(address_of(target));
  if (found != passwords_.end()) {
    latest.password = found->second;
  }
  return latest;
}

void CredentialSessions::read_again(const Credential& refused) {
  const std::lock_guard one_reads(reread_mutex_);
  {
    const std::lock_guard lock(mutex_);
    if (!read_for_.insert({std::get<0>(refused), std::get<1>(refused)}).second) {
      return;
    }
  }
  std::vector<Tenant> fleet;
  try {
    fleet = reread_();
  } catch (const Error&) {
    return;  // the server's refusal is what people need to see
  }
  const std::lock_guard lock(mutex_);
  for (Tenant& tenant : fleet) {
    passwords_[address_of(tenant.target)] = std::move(tenant.target.password);
  }
}

CredentialSessions::Credential CredentialSessions::credential_of(const engine::Target& target) {
  return {target.server, engine::postgres::role_of(target), target.password.reveal()};
}

CredentialSessions::Address CredentialSessions::address_of(const engine::Target& target) {
  return {target.server, target.database, target.schema};
}

}  // namespace drover::orchestrator

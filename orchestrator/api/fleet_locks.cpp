#include "orchestrator/api/fleet_locks.h"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <span>

#include <fmt/format.h>

#include "orchestrator/api/errands.h"

namespace drover::orchestrator {
namespace {

std::int64_t key_of(const Tenant& tenant) {
  return engine::tenant_lock_key(tenant.target.database, tenant.target.schema);
}

bool has_lock(const Tenant& tenant) {
  return tenant.target.dialect == engine::Dialect::postgres;
}

/// A session with one database, to ask about its locks.
class LockDesk {
 public:
  LockDesk(const FleetLocksRequest& request,
           const engine::Target& target,
           engine::OpenOptions::Purpose purpose,
           const engine::Patience& patience)
      : request_(request), patience_(patience) {
    engine::OpenOptions open;
    open.purpose = purpose;
    open.statement_timeout = request.approach.statement_timeout;
    engine::OpenResult opened =
        request.sessions.open(target, open, within(request.approach.connect_timeout));
    session_ = std::move(opened.session);
    if (!session_) {
      fault = engine::fault_from(*opened.error, "connecting");
      fault->code = ErrorCode::unreachable;
    }
  }

  /// The rows of `statement`; none, and a fault, when it did not succeed.
  engine::ResultSet ask(const engine::OwnedStatement& statement) {
    const engine::Statement view = statement.view();
    engine::Exchange answer =
        session_->exchange(std::span(&view, 1), within(engine::kMessageGrace));
    if (!answer.ok()) {
      fault = engine::fault_from(*answer.error, "asking for the lock");
      return {};
    }
    return std::move(answer.results.front());
  }

  std::vector<engine::LockHolder> holders(const std::vector<std::int64_t>& keys) {
    return engine::decode_lock_holders(ask(engine::lock_holders_statement(keys)));
  }

  std::optional<engine::TenantFault> fault;  ///< Of the last thing that was tried.

 private:
  engine::Patience within(engine::Milliseconds time) const {
    return {std::min(patience_.deadline, request_.clock.now() + time), patience_.stop};
  }

  const FleetLocksRequest& request_;
  const engine::Patience& patience_;
  std::unique_ptr<engine::Session> session_;
};

class LocksReader {
 public:
  LocksReader(const FleetLocksRequest& request,
              const std::vector<Tenant>& tenants,
              const engine::Patience& patience)
      : request_(request), tenants_(tenants), patience_(patience) {}

  FleetLocks run() {
    const std::vector<Errand> errands = errands_by_database(
        tenants_, std::max<std::size_t>(tenants_.size(), 2), [this](std::size_t i) {
          return has_lock(tenants_[i]);
        });
    for (const Errand& errand : errands) {
      result_.asked += errand.tenants.size();
    }
    carry_out(errands, request_.limits, [&](const Errand& errand) { read(errand); });
    for (auto& [index, holders] : by_tenant_) {
      for (engine::LockHolder& holder : holders) {
        const Tenant& tenant = tenants_[index];
        result_.held.push_back({tenant.id, tenant.target.server, std::move(holder)});
      }
    }
    std::sort(result_.unread.begin(), result_.unread.end(), [](const auto& one, const auto& other) {
      return one.tenants.front() < other.tenants.front();
    });
    return std::move(result_);
  }

 private:
  void read(const Errand& errand) {
    std::map<std::int64_t, std::size_t> by_key;
    std::vector<std::int64_t> keys;
    for (const std::size_t index : errand.tenants) {
      keys.push_back(key_of(tenants_[index]));
      by_key[keys.back()] = index;
    }
    LockDesk desk(request_,
                  tenants_[errand.tenants.front()].target,
                  engine::OpenOptions::Purpose::read,
                  patience_);
    std::vector<engine::LockHolder> holders;
    if (!desk.fault) {
      holders = desk.holders(keys);
    }
    const std::lock_guard lock(result_mutex_);
    if (desk.fault) {
      note_unread(errand, *desk.fault);
    }
    for (engine::LockHolder& holder : holders) {
      by_tenant_[by_key.at(holder.key)].push_back(std::move(holder));
    }
  }

  void note_unread(const Errand& errand, const engine::TenantFault& fault) {
    UnreadLocks unread{{}, errand.server, fault};
    for (const std::size_t index : errand.tenants) {
      unread.tenants.push_back(tenants_[index].id);
    }
    result_.unread.push_back(std::move(unread));
  }

  const FleetLocksRequest& request_;
  const std::vector<Tenant>& tenants_;
  const engine::Patience& patience_;
  std::mutex result_mutex_;  ///< Guards both below while errands are under way.
  FleetLocks result_;
  std::map<std::size_t, std::vector<engine::LockHolder>> by_tenant_;  ///< By index.
};

[[noreturn]] void give_up(const Tenant& tenant, const engine::TenantFault& fault) {
  throw Error(fault.code,
              fault.kind,
              fmt::format("tenant '{}': {}", tenant.id.value, fault.message),
              fault.hint);
}

std::string words_of(const engine::LockHolder& holder) {
  const auto known = [](const std::string& text) { return text.empty() ? "unknown" : text; };
  const std::string id =
      holder.id.start.empty() ? std::to_string(holder.id.pid) : to_string(holder.id);
  return fmt::format(
      "{} (application {}, user {})", id, known(holder.application), known(holder.user));
}

/// The one of `holders` that is `wanted`; nullopt when there are none at all.
std::optional<engine::LockHolder> wanted_of(const std::vector<engine::LockHolder>& holders,
                                            const Tenant& tenant,
                                            const engine::BackendId& wanted) {
  if (holders.empty()) {
    return std::nullopt;
  }
  for (const engine::LockHolder& holder : holders) {
    if (holder.id == wanted) {
      return holder;
    }
  }
  const engine::LockHolder& now = holders.front();
  if (now.id.start.empty()) {
    throw Error(
        ErrorCode::incomplete,
        "permission_denied",
        fmt::format("the lock of tenant '{}' is held by pid {} of user {}, and our role may "
                    "not see since when that session lives",
                    tenant.id.value,
                    now.id.pid,
                    now.user.empty() ? "unknown" : now.user),
        "Grant the role pg_read_all_stats and pg_signal_backend, or ask whoever has them.");
  }
  throw Error(ErrorCode::busy,
              "lock_changed",
              fmt::format("the lock of tenant '{}' is held by {} now, not by {}",
                          tenant.id.value,
                          words_of(now),
                          to_string(wanted)),
              "Look again with drover lock show; nothing was ended.");
}

LockDesk desk_for(const FleetLocksRequest& request,
                  const Tenant& tenant,
                  const engine::Patience& patience) {
  LockDesk desk(request, tenant.target, engine::OpenOptions::Purpose::change, patience);
  if (desk.fault) {
    give_up(tenant, *desk.fault);
  }
  return desk;
}

std::vector<engine::LockHolder> holders_at(LockDesk& desk, const Tenant& tenant) {
  std::vector<engine::LockHolder> holders = desk.holders({key_of(tenant)});
  if (desk.fault) {
    give_up(tenant, *desk.fault);
  }
  return holders;
}

[[noreturn]] void refuse_end(const Tenant& tenant,
                             const engine::BackendId& holder,
                             const engine::TenantFault& fault) {
  if (fault.sqlstate != "42501") {
    give_up(tenant, fault);
  }
  throw Error(
      ErrorCode::incomplete,
      "permission_denied",
      fmt::format("the session {} holds the lock of tenant '{}', and our role may not end it",
                  to_string(holder),
                  tenant.id.value),
      "Grant the role pg_signal_backend (only a superuser ends a superuser's session), or "
      "ask whoever has it.");
}

Release wait_until_gone(const FleetLocksRequest& request,
                        LockDesk& desk,
                        const Tenant& tenant,
                        const engine::BackendId& holder,
                        const engine::Patience& patience) {
  constexpr engine::Milliseconds kBetweenLooks{50};
  const auto until = request.clock.now() + request.release_wait;
  while (true) {
    const std::vector<engine::LockHolder> holders = holders_at(desk, tenant);
    const bool there = std::any_of(
        holders.begin(), holders.end(), [&](const auto& found) { return found.id == holder; });
    if (!there) {
      return holders.empty() ? Release::freed : Release::taken;
    }
    if (request.clock.now() >= until || patience.stop.stop_requested()) {
      throw Error(ErrorCode::busy,
                  "lock_not_released",
                  fmt::format("the session {} was told to end, and still holds the lock of tenant "
                              "'{}' after {} ms",
                              to_string(holder),
                              tenant.id.value,
                              request.release_wait.count()),
                  "It may be rolling back; look again with drover lock show.");
    }
    request.clock.wait_until(request.clock.now() + kBetweenLooks, patience.stop);
  }
}

}  // namespace

FleetLocks read_fleet_locks(const FleetLocksRequest& request,
                            const std::vector<Tenant>& tenants,
                            const engine::Patience& patience) {
  return LocksReader(request, tenants, patience).run();
}

std::optional<engine::LockHolder> check_lock_holder(const FleetLocksRequest& request,
                                                    const Tenant& tenant,
                                                    const engine::BackendId& holder,
                                                    const engine::Patience& patience) {
  LockDesk desk = desk_for(request, tenant, patience);
  return wanted_of(holders_at(desk, tenant), tenant, holder);
}

Release release_lock(const FleetLocksRequest& request,
                     const Tenant& tenant,
                     const engine::BackendId& holder,
                     const engine::Patience& patience) {
  LockDesk desk = desk_for(request, tenant, patience);
  const auto end = [&] {
    const bool ended =
        !desk.ask(engine::end_lock_holder_statement(key_of(tenant), holder)).rows.empty();
    if (desk.fault) {
      refuse_end(tenant, holder, *desk.fault);
    }
    return ended;
  };
  if (!end()) {
    if (!wanted_of(holders_at(desk, tenant), tenant, holder)) {
      return Release::not_needed;
    }
    end();  // it took the lock between our two looks
  }
  return wait_until_gone(request, desk, tenant, holder, patience);
}

}  // namespace drover::orchestrator

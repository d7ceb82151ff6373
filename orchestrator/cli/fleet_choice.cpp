#include "orchestrator/cli/fleet_choice.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "orchestrator/api/fleet_status.h"
#include "orchestrator/cli/console.h"
#include "orchestrator/nearest.h"

namespace drover::orchestrator::cli {
namespace {

constexpr engine::TenantState kStates[] = {engine::TenantState::unreachable,
                                           engine::TenantState::held,
                                           engine::TenantState::partial,
                                           engine::TenantState::edited,
                                           engine::TenantState::unknown_revision,
                                           engine::TenantState::diverged,
                                           engine::TenantState::ahead,
                                           engine::TenantState::behind,
                                           engine::TenantState::empty,
                                           engine::TenantState::current};

std::set<engine::TenantState> states_named(const std::vector<std::string>& names) {
  std::set<engine::TenantState> states;
  std::vector<std::string> known;
  for (const engine::TenantState state : kStates) {
    known.emplace_back(name_of(state));
  }
  for (const std::string& name : names) {
    const auto found = std::find(known.begin(), known.end(), name);
    if (found == known.end()) {
      throw Error(ErrorCode::usage,
                  "invalid_selector",
                  fmt::format("'{}' is not a state of a tenant", name),
                  nearest_hint(name, known));
    }
    states.insert(kStates[found - known.begin()]);
  }
  return states;
}

std::string count_of(std::size_t count, std::string_view thing) {
  return fmt::format("{} {}{}", count, thing, count == 1 ? "" : "s");
}

}  // namespace

std::string describe_fleet(Workspace& workspace, const std::vector<Tenant>& tenants) {
  if (workspace.single_target() && tenants.size() == 1) {
    const engine::Target& target = tenants.front().target;
    return fmt::format("{} on {}", target.database, target.server);
  }
  std::set<std::string> servers;
  for (const Tenant& tenant : tenants) {
    servers.insert(tenant.target.server);
  }
  return fmt::format("environment {}: {} on {}",
                     workspace.environment().name,
                     count_of(tenants.size(), "tenant"),
                     count_of(servers.size(), "server"));
}

std::vector<Tenant> chosen_tenants(Workspace& workspace, Invocation& invocation) {
  const Globals& globals = invocation.globals;
  const bool by_state = !globals.states.empty();
  const std::set<engine::TenantState> wanted = states_named(globals.states);
  const Selector selector = Selector::parse(
      globals.tenants, globals.labels, globals.servers, by_state ? std::nullopt : globals.limit);
  std::vector<Tenant> tenants = selector.pick(workspace.fleet());
  if (!by_state) {
    return tenants;
  }
  const std::vector<TenantStanding> standings =
      standings_of(workspace, invocation, tenants, "heads");
  std::vector<Tenant> chosen;
  for (std::size_t i = 0; i < tenants.size(); ++i) {
    const bool room = !globals.limit || chosen.size() < *globals.limit;
    if (room && wanted.contains(standings[i].state)) {
      chosen.push_back(std::move(tenants[i]));
    }
  }
  if (chosen.empty()) {
    throw Error(ErrorCode::usage,
                "nothing_selected",
                fmt::format("none of {} stands as {}",
                            count_of(tenants.size(), "tenant"),
                            fmt::join(globals.states, " or ")),
                "See drover status for where the tenants stand.");
  }
  return chosen;
}

std::vector<TenantStanding> standings_of(Workspace& workspace,
                                         Invocation& invocation,
                                         const std::vector<Tenant>& tenants,
                                         const std::string& target) {
  const auto migrations = workspace.migrations();
  Console& console = invocation.console;
  FleetStatusRequest request{workspace.sessions(),
                             workspace.clock(),
                             *migrations,
                             workspace.approach(),
                             workspace.environment().limits,
                             target};
  if (console.live() && tenants.size() > 1) {
    request.on_progress = [&, last = std::size_t{0}](std::size_t done) mutable {
      if (done * 100 / tenants.size() != last * 100 / tenants.size()) {
        last = done;
        console.show_live(fmt::format("reading {} of {}\n", done, tenants.size()));
      }
    };
  }
  std::vector<TenantStanding> standings = read_fleet_status(request, tenants, {});
  console.show_live("");
  return standings;
}

bool chose_tenants(const Globals& globals) {
  return !globals.tenants.empty() || !globals.labels.empty() || !globals.servers.empty() ||
         !globals.states.empty() || globals.limit.has_value();
}

Tenant only_tenant(Workspace& workspace, Invocation& invocation) {
  const std::vector<Tenant> tenants = chosen_tenants(workspace, invocation);
  if (tenants.size() != 1) {
    throw Error(ErrorCode::usage,
                "one_tenant_needed",
                fmt::format("this works on one tenant, and {} are meant", tenants.size()),
                "Name one with --tenant.");
  }
  return tenants.front();
}

void confirm_change(Workspace& workspace,
                    Invocation& invocation,
                    const std::string& what,
                    const std::string& confirm) {
  const Environment& environment = workspace.environment();
  bool sure = false;
  if (environment.production) {
    sure = invocation.console.confirm_name(
        what, environment.name, confirm, "--confirm=" + environment.name);
  } else {
    sure = invocation.console.confirm(what);
  }
  if (!sure) {
    throw Error(
        ErrorCode::halted, "declined", "nothing was changed", "Run it again when you are sure.");
  }
}

}  // namespace drover::orchestrator::cli

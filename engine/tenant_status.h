/// Where a tenant stands, as its own history tells.
///
/// Thread safety: pure functions, and one that talks to one tenant.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/clock.h"
#include "engine/fault.h"
#include "engine/history.h"
#include "engine/migration_set.h"
#include "engine/tenant_session.h"

namespace drover::engine {

/// In the order in which they are looked for: the first that fits is the tenant's.
enum class TenantState {
  unreachable,
  held,
  partial,           ///< Inside a revision.
  edited,            ///< The `up` of an applied revision differs from the file's.
  unknown_revision,  ///< Applied here, and not among the files.
  diverged,          ///< Re-parented, or a parent is missing from the history.
  ahead,             ///< Past the target that was asked for.
  behind,
  empty,  ///< No history, and nothing to run.
  current,
};

std::string_view name_of(TenantState state) noexcept;

struct TenantStatus {
  TenantState state = TenantState::unreachable;
  History history;
  std::vector<RevisionId> current;  ///< Heads.
  std::vector<RevisionId> pending;  ///< In the order to run them; empty when it cannot be told.
  std::string progress;             ///< Of a partial one: "unit 2 of 3 of revision '0004'".
  std::optional<TenantFault> fault;
};

/// What `history` means against `migrations`, for the target `ref`.
///
/// Throws GraphError when `ref` makes no sense in this history.
TenantStatus status_of(const MigrationSet& migrations,
                       Dialect dialect,
                       History history,
                       const std::string& ref);

/// Reads the tenant's history by itself and judges it. An environment mark that does not fit is in
/// the fault, whatever the state.
TenantStatus read_status(TenantSession& tenant,
                         const MigrationSet& migrations,
                         const std::string& ref,
                         const Patience& patience);

/// The status of a tenant that could not be read.
TenantStatus unreadable(TenantFault fault);

}  // namespace drover::engine

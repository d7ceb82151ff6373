/// What to make of a non-transactional statement that was started and not seen to end.
///
/// Asks the database what is there, by kind of statement: an index that was being built is either
/// valid and ours, or INVALID and dropped, or not there; an enum value is there or not. Where the
/// database cannot tell, the answer is `unknown`, and a person decides with repair. An object
/// counts as ours only because our journal says that we started it; whoever calls this has looked.
///
/// The tenant's lock must be held, so that no orphan of ours is still at work.
///
/// Thread safety: free functions on one tenant's session.

#pragma once

#include <optional>

#include "engine/clock.h"
#include "engine/migration.h"
#include "engine/tenant_session.h"

namespace drover::engine {

struct Recovery {
  enum class Verdict {
    done,     ///< It took effect. Go on behind it.
    redo,     ///< It did not, and what it left behind is gone. Run it (or `instead`) again.
    unknown,  ///< The database cannot tell; `fault` says what to look at.
  };
  Verdict verdict = Verdict::redo;
  std::string instead = {};  ///< Another statement that finishes the job: DETACH ... FINALIZE.
  std::optional<TenantFault> fault = {};
};

/// Looks, and clears away what a cut-short statement left behind. The session has the settings that
/// the statement itself needs.
Recovery recover_statement(TenantSession& tenant,
                           const SqlStatement& statement,
                           const Patience& patience);

/// True for statements that may leave something behind although the server refused them: an INVALID
/// index, a partition that is half detached.
bool runs_in_several_transactions(StatementKind kind) noexcept;

/// CREATE INDEX CONCURRENTLY IF NOT EXISTS would take an equal-named index of someone else's for
/// ours. The fault that says so, or nullopt; asked before the first start.
std::optional<TenantFault> taken_by_another(TenantSession& tenant,
                                            const SqlStatement& statement,
                                            const Patience& patience);

/// True for statements that run without lock_timeout and statement_timeout, under our own deadline.
bool runs_without_timeouts(StatementKind kind) noexcept;

}  // namespace drover::engine

/// The journal's tables, and how a store gets those of this program.
///
/// A store carries the number of its format. One of a newer format is refused, since this program
/// cannot know what it would break; one of an older format is upgraded in one transaction.
///
/// Thread safety: free functions; any number of processes may open one store at a time.

#pragma once

#include <span>
#include <string_view>

#include "orchestrator/store/store_db.h"

namespace drover::orchestrator::store {

/// What makes format N out of N - 1, its place in the list being N. {bytes}, {serial} and {text}
/// stand for the types of StoreDialect.
using SchemaSteps = std::span<const std::string_view>;

/// The steps from nothing to the format of this program.
SchemaSteps journal_schema() noexcept;

/// Makes or upgrades the tables of `db`, unless they are there.
///
/// Throws Error storage: journal_too_new, journal_failed, journal_corrupt.
void bring_up_to_date(StoreDb& db, SchemaSteps steps);

}  // namespace drover::orchestrator::store

/// Finds the names in a statement that recovering it must ask the database about.
///
/// Only for kinds that can be cut short half-way (engine/statement_recovery.h); all others are left
/// without names, and so is a statement in a form that is not known here.
///
/// Thread safety: a free function without state.

#pragma once

#include "engine/dialect.h"
#include "engine/migration.h"

namespace drover::engine::parse {

/// Fills in `statement`'s object and table from its text and kind, as they are written there.
void name_objects(SqlStatement& statement, Dialect dialect);

}  // namespace drover::engine::parse

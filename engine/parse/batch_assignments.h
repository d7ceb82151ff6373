/// Reads what the UPDATE of a batch with check=checksum assigns, so that the check can compute it
/// again and compare.
///
/// That says something only where the values come from what the statement leaves alone: an UPDATE
/// of one table, column by column, from columns that it does not assign to. Everything else is
/// refused, with `done` as the way to say when a row is as it should be.
///
/// Thread safety: a free function without state.

#pragma once

#include "engine/migration.h"

namespace drover::engine::parse {

/// Fills in `assigns` and `condition_at` of the batch in `section`, whose statement has been read.
///
/// Throws MigrationTextError: bad_batch.
void read_batch_assignments(const Migration& file, Section& section);

}  // namespace drover::engine::parse

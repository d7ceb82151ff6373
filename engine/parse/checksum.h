/// What is hashed of a migration. Once released this never changes: it decides whether a file that
/// ran somewhere is still the same.
///
/// For each dialect, SHA-256 in lower-case hex of
///   up:    each `set` line of the header as "-- drover: set NAME=VALUE" LF, the lines sorted by
///          their bytes; then, for each up, batch and verify section of the dialect in the order of
///          the file: its directive line with runs of blanks folded, LF, its text, NUL;
///   down:  the same of each down section, without the `set` lines, which count once, as part of
///          `up`: editing one is an edited file, and no second finding.
/// The text of a section runs from the line after its directive to the next section or the end of
/// the file, byte by byte: comments and blank lines count, and so do the lines of a batch.
/// A section for both dialects counts in both.
///
/// `chain` is not made here, since it needs the parents: see MigrationSet.
///
/// Thread safety: free functions without state.

#pragma once

#include "engine/dialect.h"
#include "engine/migration.h"

namespace drover::engine::parse {

/// The checksums `up` and `down` of `migration` for `dialect`; `chain` stays empty.
Checksums checksums_of(const Migration& migration, Dialect dialect);

}  // namespace drover::engine::parse

/// The keys of a `batch` section: which there are, what they may be, what they are when not given.
///
/// Thread safety: free functions without state.

#pragma once

#include <string_view>

#include "engine/migration.h"
#include "engine/parse/directive.h"

namespace drover::engine::parse {

/// Reads `key=value ...`; `options` points into the file's text. Keys with a default are always in
/// the result; `key` and `scan` only where the text has them.
///
/// Throws MigrationTextError: unknown_batch_key, bad_batch_value, duplicate_batch_key,
/// missing_batch_key.
BatchOptions read_batch_options(const Migration& file, std::string_view options);

/// Whether `word` begins a line of a batch whose value is SQL: done, where, throttle.
bool is_batch_line_word(std::string_view word) noexcept;

/// Takes one such line into `section`. `section.text` need not be set.
///
/// Throws MigrationTextError: missing_value, duplicate_batch_line, bad_batch_line.
void read_batch_line(const Migration& file, const Directive& directive, Section& section);

/// Makes sure that what was read fits together: a heap scan needs `done`, and no key. `directive`
/// is where the batch begins.
///
/// Throws MigrationTextError: bad_batch_value.
void check_batch(const Migration& file, const Section& section, const char* directive);

}  // namespace drover::engine::parse

/// A section's directive: what kind of section it begins, for whom, and how it runs.
///
/// Thread safety: free functions without state.

#pragma once

#include <string_view>

#include "engine/migration.h"
#include "engine/parse/directive.h"

namespace drover::engine::parse {

/// Whether `word` begins a section.
bool is_section_word(std::string_view word) noexcept;

/// The section that `directive` begins, without its text. Its word must be is_section_word().
///
/// Throws MigrationTextError: unknown_section_option, duplicate_section_option, and of a batch what
/// read_batch_options() throws.
Section begin_section(const Migration& file, const Directive& directive);

}  // namespace drover::engine::parse

/// Turns the bytes of a file into the text that is hashed and run: UTF-8 without a BOM, lines that
/// end with LF.
///
/// Thread safety: a free function without state.

#pragma once

#include <string>

#include "engine/migration.h"

namespace drover::engine::parse {

/// Sets file.text. file.source must be set.
///
/// Throws MigrationTextError: utf16, not_utf8, nul_byte, lone_cr.
void set_text(Migration& file, std::string bytes);

}  // namespace drover::engine::parse

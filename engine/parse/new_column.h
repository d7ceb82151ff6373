/// What a new column costs a table of PostgreSQL that has rows already, after the page ALTER TABLE
/// of the documentation of PostgreSQL 15: a default that is one value for all rows is kept beside
/// the table, any other one is written into every row.
///
/// Which functions are volatile only the server knows; the common ones are known here, and another
/// one makes a possible rewrite. A type that is a domain with constraints rewrites too, and is not
/// told from another type.
///
/// Thread safety: a free function without state.

#pragma once

#include <string_view>

#include "engine/parse/lock_mode.h"

namespace drover::engine::parse {

/// `definition` is what ADD COLUMN says behind the column's name.
TableWork work_of_new_column(std::string_view definition);

}  // namespace drover::engine::parse

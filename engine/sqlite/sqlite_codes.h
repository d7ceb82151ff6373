/// Names of SQLite's result codes, as they travel in SqlError::sqlstate.
///
/// Thread safety: free functions without state.

#pragma once

#include <string_view>

namespace drover::engine::sqlite {

/// "SQLITE_CONSTRAINT_UNIQUE"; of an extended code that is newer than this program, the primary
/// code's name. Points to static storage.
std::string_view name_of_code(int extended_code) noexcept;

}  // namespace drover::engine::sqlite

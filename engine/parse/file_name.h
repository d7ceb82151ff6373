/// What the name of a migration file says: 0004_add_content_hash.sql.
///
/// Thread safety: free functions without state. See also parts_of_file_name() in migration_text.h.

#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace drover::engine::parse {

/// The file's name without ".sql", in any case of letters.
std::string stem_of(const std::filesystem::path& source);

/// What a stem says behind an id of `id_size` bytes: "0004_add_hash" behind 4 is "add hash".
std::string message_behind(std::string_view stem, std::size_t id_size);

}  // namespace drover::engine::parse

/// The two SQL dialects that a tenant can speak, and what tells them apart in text: names and
/// literals.

#pragma once

#include <string>
#include <string_view>

namespace drover::engine {

enum class Dialect { postgres, sqlite };

/// "postgres" or "sqlite", the words of the migration grammar. Points to static storage.
std::string_view name_of(Dialect dialect) noexcept;

/// `name` as a quoted identifier: "we""ird". The same in both dialects. The caller has made sure
/// that it holds no NUL; nothing else is special.
std::string quoted_identifier(std::string_view name);

/// `text` as a string literal that means the same whatever standard_conforming_strings says:
/// 'it''s', or E'a\\b' on PostgreSQL when a backslash is in it.
std::string quoted_literal(Dialect dialect, std::string_view text);

}  // namespace drover::engine

/// Finds the names in a statement of PostgreSQL, along a pattern of its keywords.
///
/// A pattern holds lower-case words, [word] for one that may be absent, ? for any one token, [()]
/// for a group in parentheses that may be absent, ... for anything up to the next word (a group in
/// parentheses is passed over), and
///   OBJECT    a name with or without a schema; [OBJECT]: may be absent before ON
///   TABLE     likewise, perhaps with ONLY before and an asterisk behind it
///   TABLES    one or more of those with commas between them, each perhaps with a list of columns
///   VALUE     a string literal
/// What the names mean is up to the caller: statement_names.h and statement_locks.h.
///
/// Thread safety: free functions without state.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace drover::engine::parse {

/// All views point into the statement, as it is written there.
struct NamesRead {
  std::string_view object;               ///< OBJECT; empty: absent.
  std::vector<std::string_view> tables;  ///< TABLE, TABLES and VALUE.
  std::string_view rest;                 ///< What stands behind the pattern.
};

/// The names of `statement`, one statement as split_statements() gives it; nullopt when it does not
/// fit `pattern` from its first token on.
std::optional<NamesRead> read_names(std::string_view statement, std::string_view pattern);

/// A written name in a form that is equal for equal names: words in lower case, no quotes where
/// none are needed, no blanks. "Files" stays "Files" in quotes; FILES and "files" are files.
std::string plain_name(std::string_view written);

}  // namespace drover::engine::parse

/// Splits SQL text into statements, without understanding them.
///
/// Knows what hides a semicolon: quotes, E-strings, dollar quotes, nested comments, parentheses,
/// SQLite's CREATE TRIGGER ... BEGIN ... END and PostgreSQL's BEGIN ATOMIC bodies. One pass, linear
/// in the text, constant memory beside its result. What a statement *is* says statement_kind.h;
/// directives belong to migration_text.h.
///
/// Thread safety: free functions without state.

#pragma once

#include <cstddef>
#include <functional>
#include <string_view>
#include <vector>

#include "engine/dialect.h"

namespace drover::engine::parse {

/// A piece of text that the scanner tells apart. Views point into the scanned text.
struct Token {
  enum class Kind {
    word,          ///< Unquoted identifier or keyword.
    quoted_name,   ///< "x", `x` and [x] (SQLite)
    string,        ///< Any literal, dollar quotes included.
    number,
    punctuation,   ///< One character.
    line_comment,  ///< "-- ..." without its line end. Only where comments were asked for.
    block_comment,
  };

  Kind kind;
  std::string_view text;
};

/// What is still open where the text ends.
struct Unterminated {
  enum class What { quote, quoted_name, dollar_quote, comment, parenthesis, body };
  What what;
  const char* opened_at;  ///< Into the text.
};

struct Scan {
  std::vector<std::string_view> statements;  ///< First token to last token, no semicolon, no
                                             ///< leading or trailing comment. Empty ones left out.
  std::vector<Unterminated> open;            ///< Empty when the text is whole.
};

/// Splits all of `text`.
Scan split_statements(std::string_view text, Dialect dialect);

/// Calls `visit` for each token of `text` in order, comments included. `visit` returns false to
/// stop.
void for_each_token(std::string_view text,
                    Dialect dialect,
                    const std::function<bool(const Token&)>& visit);

}  // namespace drover::engine::parse

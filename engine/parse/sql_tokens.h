/// Cuts SQL text into tokens, as far as hiding goes: what is a quote, a comment, a name.
///
/// Both dialects, each by its own server's rules: PostgreSQL's E-strings, dollar quotes and nested
/// comments; SQLite's `x` and [x] names, and its variables. No keyword has a meaning here; see
/// sql_scanner.h for statements. Strings are read with standard_conforming_strings on, as the
/// server does unless a migration turns it off.
///
/// One pass without recursion: every byte is looked at a bounded number of times, whatever the text
/// holds. Thread safety: a TokenReader belongs to one thread.

#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "engine/dialect.h"

namespace drover::engine::parse {

/// A piece of text that the scanner tells apart. Views point into the scanned text.
struct Token {
  enum class Kind {
    word,           ///< Unquoted identifier or keyword; a variable of SQLite.
    quoted_name,    ///< "x", U&"x", and `x` and [x] (SQLite)
    string,         ///< Any other literal in quotes, its prefix included.
    dollar_string,  ///< $$x$$ and $tag$x$tag$ (PostgreSQL)
    number,         ///< With what is glued to it: 0x1F, 1_000, and $1.
    punctuation,    ///< One character.
    line_comment,   ///< "-- ..." without its line end.
    block_comment,
  };
  enum class Closed { yes, no };

  Kind kind = Kind::punctuation;
  std::string_view text;
  Closed closed = Closed::yes;  ///< no: the text ends inside of it.

  bool is_comment() const noexcept {
    return kind == Kind::line_comment || kind == Kind::block_comment;
  }
  bool is(char character) const noexcept {
    return kind == Kind::punctuation && text.front() == character;
  }
  /// Whether it is this unquoted word, given in lower case.
  bool is_word(std::string_view lower_case) const noexcept;

  const char* begin() const noexcept { return text.data(); }
  const char* end() const noexcept { return text.data() + text.size(); }
};

/// Reads the tokens of a text in order. The text must outlive the reader and its tokens.
class TokenReader {
 public:
  TokenReader(std::string_view text, Dialect dialect) noexcept;

  /// The next token, comments included; nullopt at the end.
  std::optional<Token> next();

  /// The next token that is no comment.
  std::optional<Token> next_code();

  /// How many bytes were looked at so far, those looked at again counted again.
  std::size_t bytes_read() const noexcept { return at_ + looked_ahead_; }

 private:
  enum class Continues { no, escape_string, escape_string_on_new_line };

  bool on_postgres() const noexcept { return dialect_ == Dialect::postgres; }
  char peek(std::size_t distance) const noexcept;
  void skip_blanks() noexcept;

  Token read_token();
  Token read_word();
  Token read_number();
  Token read_dollar();
  Token read_dollar_string(std::size_t tag_size);
  Token read_sqlite_variable();
  Token read_line_comment();
  Token read_block_comment();
  Token read_escape_string(std::size_t prefix);
  Token read_quoted(Token::Kind kind, std::size_t prefix, char quote);
  Token read_bracketed();

  Token take(Token::Kind kind, std::size_t end);
  Token take_rest(Token::Kind kind);

  std::string_view text_;
  Dialect dialect_;
  std::size_t at_ = 0;
  std::size_t looked_ahead_ = 0;
  Continues continues_ = Continues::no;  ///< Whether 'x' would go on with an E-string.
};

/// How deep in parentheses and square brackets a walk over tokens is.
class Nesting {
 public:
  void follow(const Token& token) noexcept {
    if (token.is('(') || token.is('[')) {
      ++depth_;
    } else if ((token.is(')') || token.is(']')) && depth_ > 0) {
      --depth_;
    }
  }
  bool is_outside() const noexcept { return depth_ == 0; }

 private:
  std::size_t depth_ = 0;
};

inline bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

/// Letters, underscore and every byte outside ASCII, as both servers have it.
inline bool starts_word(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80U;
}

/// Whether `text` equals `lower_case`, letters of ASCII compared without case.
bool equals_ignoring_case(std::string_view text, std::string_view lower_case) noexcept;

/// `text` with the letters of ASCII in lower case.
std::string lower_case(std::string_view text);

/// The name that an identifier token stands for: without its quotes, doubled ones folded. An
/// unquoted word in lower case. Enough to compare; U& escapes are left as they are.
std::string name_in(const Token& token);

}  // namespace drover::engine::parse

#include "engine/parse/sql_tokens.h"

#include <algorithm>

namespace drover::engine::parse {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

bool continues_word(char c) noexcept {
  return starts_word(c) || is_digit(c) || c == '$';
}

bool continues_dollar_tag(char c) noexcept {
  return starts_word(c) || is_digit(c);
}

bool is_blank(char c) noexcept {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

char lowered(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

bool equals_ignoring_case(std::string_view text, std::string_view lower_case) noexcept {
  return std::equal(
      text.begin(), text.end(), lower_case.begin(), lower_case.end(), [](char a, char b) {
        return lowered(a) == b;
      });
}

std::string lower_case(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), lowered);
  return result;
}

std::string name_in(const Token& token) {
  if (token.kind != Token::Kind::quoted_name) {
    return lower_case(token.text);
  }
  const std::size_t open = token.text.find_first_of("\"`[");
  const char quote = token.text[open] == '[' ? ']' : token.text[open];
  std::string name;
  for (std::size_t i = open + 1; i < token.text.size(); ++i) {
    if (token.text[i] == quote) {
      ++i;  // The first of two, or the last character.
    }
    if (i < token.text.size()) {
      name += token.text[i];
    }
  }
  return name;
}

bool Token::is_word(std::string_view lower_case) const noexcept {
  return kind == Kind::word && equals_ignoring_case(text, lower_case);
}

TokenReader::TokenReader(std::string_view text, Dialect dialect) noexcept
    : text_(text), dialect_(dialect) {}

std::optional<Token> TokenReader::next_code() {
  std::optional<Token> token = next();
  while (token && token->is_comment()) {
    token = next();
  }
  return token;
}

std::optional<Token> TokenReader::next() {
  skip_blanks();
  if (at_ >= text_.size()) {
    return std::nullopt;
  }
  const Token token = read_token();
  // 'a' after E'b' on a later line is one literal, read by the rules of E; only line comments may
  // stand between.
  if (token.kind != Token::Kind::line_comment) {
    const bool escapes =
        token.kind == Token::Kind::string &&
        (lowered(token.text.front()) == 'e' || continues_ == Continues::escape_string_on_new_line);
    continues_ = on_postgres() && escapes ? Continues::escape_string : Continues::no;
  }
  return token;
}

char TokenReader::peek(std::size_t distance) const noexcept {
  return at_ + distance < text_.size() ? text_[at_ + distance] : '\0';
}

void TokenReader::skip_blanks() noexcept {
  for (; at_ < text_.size() && is_blank(text_[at_]); ++at_) {
    if (text_[at_] == '\n' && continues_ == Continues::escape_string) {
      continues_ = Continues::escape_string_on_new_line;
    }
  }
}

Token TokenReader::read_token() {
  const char c = text_[at_];
  if (starts_word(c)) {
    return read_word();
  }
  if (is_digit(c)) {
    return read_number();
  }
  if (c == '-' && peek(1) == '-') {
    return read_line_comment();
  }
  if (c == '/' && peek(1) == '*') {
    return read_block_comment();
  }
  if (c == '\'') {
    return continues_ == Continues::escape_string_on_new_line
               ? read_escape_string(0)
               : read_quoted(Token::Kind::string, 0, c);
  }
  if (c == '"' || (c == '`' && !on_postgres())) {
    return read_quoted(Token::Kind::quoted_name, 0, c);
  }
  if (on_postgres()) {
    return c == '$' ? read_dollar() : take(Token::Kind::punctuation, at_ + 1);
  }
  if (c == '[') {
    return read_bracketed();
  }
  const bool variable = c == '$' || c == '@' || c == ':' || c == '#';
  return variable ? read_sqlite_variable() : take(Token::Kind::punctuation, at_ + 1);
}

Token TokenReader::read_word() {
  std::size_t end = at_ + 1;
  while (end < text_.size() && continues_word(text_[end])) {
    ++end;
  }
  if (end - at_ > 1) {
    return take(Token::Kind::word, end);
  }
  const char prefix = lowered(text_[at_]);
  if (peek(1) == '\'') {
    if (on_postgres() && prefix == 'e') {
      return read_escape_string(1);
    }
    if (prefix == 'x' || (on_postgres() && (prefix == 'b' || prefix == 'n'))) {
      return read_quoted(Token::Kind::string, 1, '\'');
    }
  }
  if (on_postgres() && prefix == 'u' && peek(1) == '&') {
    if (peek(2) == '\'') {
      return read_quoted(Token::Kind::string, 2, '\'');
    }
    if (peek(2) == '"') {
      return read_quoted(Token::Kind::quoted_name, 2, '"');
    }
  }
  return take(Token::Kind::word, end);
}

Token TokenReader::read_number() {
  std::size_t end = at_ + 1;
  while (end < text_.size() && (is_digit(text_[end]) || text_[end] == '.')) {
    ++end;
  }
  // Old servers read 1a as a number and a name, new ones refuse it: either way it hides nothing.
  if (end < text_.size() && starts_word(text_[end])) {
    while (end < text_.size() && continues_word(text_[end])) {
      ++end;
    }
  }
  return take(Token::Kind::number, end);
}

Token TokenReader::read_dollar() {
  std::size_t end = at_ + 1;
  if (is_digit(peek(1))) {
    while (end < text_.size() && is_digit(text_[end])) {
      ++end;
    }
    return take(Token::Kind::number, end);
  }
  while (end < text_.size() && continues_dollar_tag(text_[end])) {
    ++end;
  }
  if (end < text_.size() && text_[end] == '$') {
    return read_dollar_string(end + 1 - at_);
  }
  looked_ahead_ += end - at_;
  return take(Token::Kind::punctuation, at_ + 1);
}

Token TokenReader::read_dollar_string(std::size_t tag_size) {
  const std::string_view tag = text_.substr(at_, tag_size);
  const std::size_t close = text_.find(tag, at_ + tag_size);
  return close == kNone ? take_rest(Token::Kind::dollar_string)
                        : take(Token::Kind::dollar_string, close + tag_size);
}

/// $a, :a, @a and #a, with the (...) that SQLite lets follow for the sake of Tcl's arrays.
Token TokenReader::read_sqlite_variable() {
  std::size_t end = at_ + 1;
  while (end < text_.size() && (continues_word(text_[end]) || text_.substr(end, 2) == "::")) {
    end += text_[end] == ':' ? 2U : 1U;
  }
  if (end == at_ + 1) {
    return take(Token::Kind::punctuation, end);
  }
  if (end < text_.size() && text_[end] == '(') {
    // A blank before the ')' makes it an error of SQLite's, and so does no ')'.
    end = std::min(text_.find_first_of(") \t\n\v\f\r", end), text_.size());
    end += end < text_.size() && text_[end] == ')' ? 1U : 0U;
  }
  return take(Token::Kind::word, end);
}

Token TokenReader::read_line_comment() {
  const std::size_t end = text_.find('\n', at_);
  return take(Token::Kind::line_comment, end == kNone ? text_.size() : end);
}

Token TokenReader::read_block_comment() {
  if (!on_postgres()) {
    const std::size_t close = text_.find("*/", at_ + 2);
    return close == kNone ? take_rest(Token::Kind::block_comment)
                          : take(Token::Kind::block_comment, close + 2);
  }
  std::size_t depth = 1;
  std::size_t end = at_ + 2;
  while (depth > 0) {
    end = text_.find_first_of("*/", end);
    if (end == kNone || end + 1 >= text_.size()) {
      return take_rest(Token::Kind::block_comment);
    }
    const std::string_view pair = text_.substr(end, 2);
    depth += pair == "/*" ? 1U : 0U;
    depth -= pair == "*/" ? 1U : 0U;
    end += pair == "/*" || pair == "*/" ? 2U : 1U;
  }
  return take(Token::Kind::block_comment, end);
}

Token TokenReader::read_escape_string(std::size_t prefix) {
  std::size_t end = at_ + prefix + 1;
  while (true) {
    end = text_.find_first_of("'\\", end);
    if (end == kNone || end + 1 == text_.size()) {
      break;
    }
    const bool pair = text_[end] == '\\' || text_[end + 1] == '\'';
    if (!pair) {
      return take(Token::Kind::string, end + 1);
    }
    end += 2;
  }
  return end != kNone && text_[end] == '\'' ? take(Token::Kind::string, end + 1)
                                            : take_rest(Token::Kind::string);
}

Token TokenReader::read_quoted(Token::Kind kind, std::size_t prefix, char quote) {
  std::size_t end = text_.find(quote, at_ + prefix + 1);
  while (end != kNone && end + 1 < text_.size() && text_[end + 1] == quote) {
    end = text_.find(quote, end + 2);
  }
  return end == kNone ? take_rest(kind) : take(kind, end + 1);
}

Token TokenReader::read_bracketed() {
  const std::size_t end = text_.find(']', at_);
  return end == kNone ? take_rest(Token::Kind::quoted_name)
                      : take(Token::Kind::quoted_name, end + 1);
}

Token TokenReader::take(Token::Kind kind, std::size_t end) {
  const Token token{kind, text_.substr(at_, end - at_), Token::Closed::yes};
  at_ = end;
  return token;
}

Token TokenReader::take_rest(Token::Kind kind) {
  Token token = take(kind, text_.size());
  token.closed = Token::Closed::no;
  return token;
}

}  // namespace drover::engine::parse

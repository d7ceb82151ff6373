#include "engine/parse/name_pattern.h"

#include <algorithm>

#include "engine/parse/sql_tokens.h"

namespace drover::engine::parse {
namespace {

class NameReading {
 public:
  explicit NameReading(std::string_view text) : text_(text), tokens_(text, Dialect::postgres) {
    advance();
  }

  /// Whether the statement fits; then `names` is whole.
  bool fit(std::string_view pattern);

  NamesRead names;

 private:
  void advance() { token_ = tokens_.next_code(); }
  void skip_group();
  void skip_piece();
  bool skip_to(std::string_view word);
  bool take(std::string_view word);
  bool take_name(std::string_view& name);
  bool take_table();
  bool take_tables();
  bool take_value();
  bool at_name() const noexcept {
    return token_ &&
           (token_->kind == Token::Kind::word || token_->kind == Token::Kind::quoted_name);
  }

  std::string_view text_;
  TokenReader tokens_;
  std::optional<Token> token_;
};

bool NameReading::fit(std::string_view pattern) {
  bool skipping = false;
  while (!pattern.empty()) {
    std::string_view word = pattern.substr(0, pattern.find(' '));
    pattern.remove_prefix(std::min(word.size() + 1, pattern.size()));
    if (word == "...") {
      skipping = true;
      continue;
    }
    const bool optional = word.front() == '[';
    if (optional) {
      word = word.substr(1, word.size() - 2);
    }
    const bool taken = skipping ? skip_to(word) : take(word);
    if (!taken && !optional) {
      return false;
    }
    skipping = false;
  }
  if (token_) {
    names.rest = text_.substr(static_cast<std::size_t>(token_->begin() - text_.data()));
  }
  return true;
}

void NameReading::skip_group() {
  std::size_t depth = 0;
  do {
    depth += token_->is('(') ? 1U : 0U;
    depth -= token_->is(')') ? 1U : 0U;
    advance();
  } while (token_ && depth > 0);
}

void NameReading::skip_piece() {
  token_->is('(') ? skip_group() : advance();
}

bool NameReading::skip_to(std::string_view word) {
  while (token_ && !token_->is_word(word)) {
    skip_piece();
  }
  return take(word);
}

bool NameReading::take(std::string_view word) {
  if (word == "OBJECT") {
    const bool absent = token_ && token_->is_word("on");  // a reserved word
    return !absent && take_name(names.object);
  }
  if (word == "TABLE") {
    return take_table();
  }
  if (word == "TABLES") {
    return take_tables();
  }
  if (word == "VALUE") {
    return take_value();
  }
  const bool fits =
      token_ && (word == "?" || (word == "()" ? token_->is('(') : token_->is_word(word)));
  if (fits) {
    skip_piece();
  }
  return fits;
}

/// files, "my files", app.files
bool NameReading::take_name(std::string_view& name) {
  if (!at_name()) {
    return false;
  }
  const char* const begin = token_->begin();
  const char* end = token_->end();
  advance();
  while (token_ && token_->is('.')) {
    advance();
    if (!at_name()) {
      return false;
    }
    end = token_->end();
    advance();
  }
  name = {begin, static_cast<std::size_t>(end - begin)};
  return true;
}

bool NameReading::take_table() {
  if (token_ && token_->is_word("only")) {
    advance();
  }
  std::string_view name;
  if (!take_name(name)) {
    return false;
  }
  if (token_ && token_->is('*')) {
    advance();
  }
  names.tables.push_back(name);
  return true;
}

bool NameReading::take_tables() {
  if (!take_table()) {
    return false;
  }
  while (token_ && (token_->is('(') || token_->is(','))) {
    if (token_->is('(')) {
      skip_group();
      continue;
    }
    advance();
    if (!take_table()) {
      return false;
    }
  }
  return true;
}

bool NameReading::take_value() {
  if (!token_ || token_->kind != Token::Kind::string) {
    return false;
  }
  names.tables.push_back(token_->text);
  advance();
  return true;
}

/// Whether `name` may stand without quotes, as far as its letters go.
bool is_plain(std::string_view name) {
  return !name.empty() && !is_digit(name.front()) &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || is_digit(c) || c == '_';
         });
}

}  // namespace

std::optional<NamesRead> read_names(std::string_view statement, std::string_view pattern) {
  NameReading reading(statement);
  if (!reading.fit(pattern)) {
    return std::nullopt;
  }
  return std::move(reading.names);
}

std::string plain_name(std::string_view written) {
  std::string plain;
  TokenReader tokens(written, Dialect::postgres);
  while (const auto token = tokens.next_code()) {
    const std::string name = name_in(*token);
    const bool keep = token->kind == Token::Kind::quoted_name && !is_plain(name);
    plain += keep ? std::string(token->text) : name;
  }
  return plain;
}

}  // namespace drover::engine::parse

#include "engine/parse/statement_names.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "engine/parse/sql_tokens.h"

namespace drover::engine::parse {
namespace {

/// Where the names of a kind of statement stand. Lower-case words are keywords, [word] one that may
/// be absent, ... anything up to the next word; OBJECT and TABLE are names with or without a
/// schema, [OBJECT] one that may be absent, VALUE a string literal.
struct NameRule {
  StatementKind kind;
  std::string_view pattern;
};

constexpr NameRule kNameRules[] = {
    {StatementKind::create_index_concurrently,
     "create [unique] index concurrently [if] [not] [exists] [OBJECT] on [only] TABLE"},
    {StatementKind::drop_index_concurrently, "drop index concurrently [if] [exists] OBJECT"},
    {StatementKind::detach_concurrently,
     "alter table [if] [exists] [only] TABLE ... detach partition OBJECT"},
    {StatementKind::alter_type_add_value, "alter type OBJECT add value [if] [not] [exists] VALUE"},
    {StatementKind::validate_constraint,
     "alter table [if] [exists] [only] TABLE ... validate constraint OBJECT"},
    {StatementKind::validate_constraint, "alter domain TABLE validate constraint OBJECT"},
    {StatementKind::create_database, "create database OBJECT"},
    {StatementKind::drop_database, "drop database [if] [exists] OBJECT"},
    {StatementKind::create_tablespace, "create tablespace OBJECT"},
    {StatementKind::drop_tablespace, "drop tablespace [if] [exists] OBJECT"},
};

/// Reads a statement along one pattern.
class NameReading {
 public:
  explicit NameReading(std::string_view text) : tokens_(text, Dialect::postgres) { advance(); }

  /// Whether the statement fits; then object and table are known.
  bool fit(std::string_view pattern);

  std::string_view object;
  std::string_view table;

 private:
  void advance() { token_ = tokens_.next_code(); }
  bool skip_to(std::string_view word);
  bool take(std::string_view word);
  bool take_name(std::string_view& name);
  bool take_value();
  bool at_name() const noexcept {
    return token_ &&
           (token_->kind == Token::Kind::word || token_->kind == Token::Kind::quoted_name);
  }

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
  return true;
}

bool NameReading::skip_to(std::string_view word) {
  while (token_ && !token_->is_word(word)) {
    advance();
  }
  return take(word);
}

bool NameReading::take(std::string_view word) {
  if (word == "OBJECT") {
    const bool absent = token_ && token_->is_word("on");  // a reserved word
    return !absent && take_name(object);
  }
  if (word == "TABLE") {
    return take_name(table);
  }
  if (word == "VALUE") {
    return take_value();
  }
  const bool fits = token_ && token_->is_word(word);
  if (fits) {
    advance();
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

bool NameReading::take_value() {
  if (!token_ || token_->kind != Token::Kind::string) {
    return false;
  }
  table = token_->text;
  advance();
  return true;
}

}  // namespace

void name_objects(SqlStatement& statement, Dialect dialect) {
  if (dialect != Dialect::postgres) {
    return;
  }
  for (const NameRule& rule : kNameRules) {
    if (rule.kind != statement.kind) {
      continue;
    }
    NameReading reading(statement.text);
    if (reading.fit(rule.pattern)) {
      statement.object = reading.object;
      statement.table = reading.table;
      return;
    }
  }
}

}  // namespace drover::engine::parse

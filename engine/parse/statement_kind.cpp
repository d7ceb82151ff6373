#include "engine/parse/statement_kind.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "engine/parse/sql_tokens.h"

namespace drover::engine::parse {
namespace {

using Kind = StatementKind;

struct KindRule {
  std::string_view pattern;  ///< As fits() reads it; its first word is always a plain one.
  Kind kind;
};

/// The first rule that fits decides.
constexpr KindRule kPostgresRules[] = {
    {"create [unique] index concurrently", Kind::create_index_concurrently},
    {"drop index concurrently", Kind::drop_index_concurrently},
    {"reindex [()] ? concurrently", Kind::reindex_concurrently},
    {"reindex", Kind::reindex},
    {"alter table ... detach partition ... concurrently", Kind::detach_concurrently},
    {"alter table ... detach partition ... finalize", Kind::detach_concurrently},
    {"alter table ... validate constraint", Kind::validate_constraint},
    {"alter domain ... validate constraint", Kind::validate_constraint},
    {"alter type ... add value", Kind::alter_type_add_value},
    {"alter system", Kind::alter_system},
    {"alter database ... set tablespace", Kind::alter_database_tablespace},
    {"alter subscription", Kind::subscription},
    {"create subscription", Kind::subscription},
    {"drop subscription", Kind::subscription},
    {"refresh materialized view concurrently", Kind::refresh_concurrently},
    {"vacuum", Kind::vacuum},
    {"create database", Kind::create_database},
    {"drop database", Kind::drop_database},
    {"create tablespace", Kind::create_tablespace},
    {"drop tablespace", Kind::drop_tablespace},
    {"cluster [verbose] [()] $", Kind::cluster_all},
    {"select", Kind::select},
    {"values", Kind::select},
    {"table", Kind::select},
    {"begin", Kind::transaction_control},
    {"start transaction", Kind::transaction_control},
    {"commit", Kind::transaction_control},
    {"end", Kind::transaction_control},
    {"rollback", Kind::transaction_control},
    {"abort", Kind::transaction_control},
    {"savepoint", Kind::transaction_control},
    {"release", Kind::transaction_control},
    {"prepare transaction", Kind::transaction_control},
    {"set [local] [session] transaction", Kind::transaction_control},
    {"set session characteristics", Kind::transaction_control},
    {"copy", Kind::copy},
};

constexpr KindRule kSqliteRules[] = {
    {"pragma", Kind::pragma},
    {"select", Kind::select},
    {"values", Kind::select},
    {"vacuum", Kind::vacuum},
    {"begin", Kind::transaction_control},
    {"commit", Kind::transaction_control},
    {"end", Kind::transaction_control},
    {"rollback", Kind::transaction_control},
    {"savepoint", Kind::transaction_control},
    {"release", Kind::transaction_control},
    {"attach", Kind::attach_detach},
    {"detach", Kind::attach_detach},
};

constexpr std::array kRefusingTransactions = {Kind::create_index_concurrently,
                                              Kind::drop_index_concurrently,
                                              Kind::reindex_concurrently,
                                              Kind::reindex,
                                              Kind::detach_concurrently,
                                              Kind::vacuum,
                                              Kind::create_database,
                                              Kind::drop_database,
                                              Kind::alter_system,
                                              Kind::alter_database_tablespace,
                                              Kind::create_tablespace,
                                              Kind::drop_tablespace,
                                              Kind::subscription,
                                              Kind::cluster_all};

/// Any number of tokens, in a pattern.
constexpr std::string_view kAny = " ... ";

/// What a WITH may lead to beside a query.
constexpr std::array<std::string_view, 5> kWrites = {
    "insert", "update", "delete", "merge", "replace"};

/// Behind which a name stands in the common tables of a WITH.
constexpr std::array<std::string_view, 6> kBeforeName = {
    "with", "recursive", "set", "to", "default", "using"};

std::string_view first_in_pattern(std::string_view pattern) {
  return pattern.substr(0, pattern.find(' '));
}

/// The next piece of a statement outside of parentheses: a token, or a whole group in them.
std::optional<Token> next_piece(TokenReader& tokens) {
  const auto first = tokens.next_code();
  if (!first || !first->is('(')) {
    return first;
  }
  Token group = *first;
  for (std::size_t depth = 1; depth > 0;) {
    const auto token = tokens.next_code();
    if (!token) {
      break;
    }
    depth += token->is('(') ? 1U : 0U;
    depth -= token->is(')') ? 1U : 0U;
    group.text = {group.begin(), static_cast<std::size_t>(token->end() - group.begin())};
  }
  return group;
}

/// Compares the pieces of one statement with patterns, reading no further than they ask.
class Pieces {
 public:
  Pieces(std::string_view statement, Dialect dialect) : tokens_(statement, dialect) {}

  bool fit(std::string_view pattern);

 private:
  /// The outcome of comparing with a part of a pattern that holds no "...".
  bool fit_from(std::size_t piece, std::string_view part, std::size_t& behind);
  const Token* at(std::size_t index);

  TokenReader tokens_;
  std::vector<Token> read_;
};

const Token* Pieces::at(std::size_t index) {
  while (read_.size() <= index) {
    const auto piece = next_piece(tokens_);
    if (!piece) {
      return nullptr;
    }
    read_.push_back(*piece);
  }
  return &read_[index];
}

/// The next word of `pattern`, which it is taken from.
std::string_view take_word(std::string_view& pattern) {
  const std::string_view word = first_in_pattern(pattern);
  pattern.remove_prefix(std::min(word.size() + 1, pattern.size()));
  return word;
}

bool fits_piece(const Token& piece, std::string_view wanted) {
  if (wanted == "()") {
    return piece.is('(');
  }
  return wanted == "?" || piece.is_word(wanted);
}

bool Pieces::fit_from(std::size_t piece, std::string_view part, std::size_t& behind) {
  while (!part.empty()) {
    std::string_view word = take_word(part);
    const bool optional = word.front() == '[';
    if (optional) {
      word = word.substr(1, word.size() - 2);
    }
    const Token* const found = at(piece);
    if (word == "$") {
      return found == nullptr;
    }
    if (found != nullptr && fits_piece(*found, word)) {
      ++piece;
    } else if (!optional) {
      return false;
    }
  }
  behind = piece;
  return true;
}

bool Pieces::fit(std::string_view pattern) {
  std::size_t next = 0;
  bool anywhere = false;
  while (true) {
    const std::size_t cut = std::min(pattern.find(kAny), pattern.size());
    const std::string_view part = pattern.substr(0, cut);
    while (!fit_from(next, part, next)) {
      if (!anywhere || at(next) == nullptr) {
        return false;
      }
      ++next;
    }
    if (cut == pattern.size()) {
      return true;
    }
    pattern.remove_prefix(cut + kAny.size());
    anywhere = true;
  }
}

template <std::size_t size>
Kind kind_by_rules(const KindRule (&rules)[size], std::string_view first, Pieces& pieces) {
  for (const KindRule& rule : rules) {
    if (equals_ignoring_case(first, first_in_pattern(rule.pattern)) && pieces.fit(rule.pattern)) {
      return rule.kind;
    }
  }
  return Kind::other;
}

bool is_query_word(const Token& token) {
  return token.is_word("select") || token.is_word("values") || token.is_word("table") ||
         token.is_word("with");
}

/// Whether a statement that begins with a parenthesis is a query; nothing else begins so.
bool is_query_in_parentheses(std::string_view statement, Dialect dialect) {
  TokenReader tokens(statement, dialect);
  auto token = tokens.next_code();
  while (token && token->is('(')) {
    token = tokens.next_code();
  }
  return token && is_query_word(*token);
}

/// Finds what a WITH leads to. A word such as UPDATE may be the name of a common table, and
/// SEARCH and CYCLE clauses hold names too, so each place where a name stands is passed over.
Kind kind_of_with(std::string_view statement, Dialect dialect) {
  TokenReader tokens(statement, dialect);
  bool in_columns = false;
  bool name_next = false;
  bool after_group = false;
  while (const auto piece = next_piece(tokens)) {
    const auto is = [&](std::string_view word) { return piece->is_word(word); };
    if (after_group && piece->is('(')) {
      return Kind::select;  // The query itself in parentheses, behind the last common table.
    }
    after_group = piece->is('(');
    if (name_next && !is("recursive")) {
      name_next = false;
      continue;
    }
    in_columns = (in_columns || is("search") || is("cycle")) && !is("set");
    if (in_columns) {
      continue;
    }
    if (is_query_word(*piece) && !is("with")) {
      return Kind::select;
    }
    if (std::any_of(kWrites.begin(), kWrites.end(), is)) {
      return Kind::other;
    }
    name_next = piece->is(',') || std::any_of(kBeforeName.begin(), kBeforeName.end(), is);
  }
  return Kind::other;
}

}  // namespace

StatementKind kind_of(std::string_view statement, Dialect dialect) {
  const auto first = TokenReader(statement, dialect).next_code();
  if (!first) {
    return Kind::other;
  }
  if (first->is('(')) {
    return is_query_in_parentheses(statement, dialect) ? Kind::select : Kind::other;
  }
  if (first->kind != Token::Kind::word) {
    return Kind::other;
  }
  if (first->is_word("with")) {
    return kind_of_with(statement, dialect);
  }
  Pieces pieces(statement, dialect);
  if (dialect == Dialect::sqlite) {
    return kind_by_rules(kSqliteRules, first->text, pieces);
  }
  const Kind kind = kind_by_rules(kPostgresRules, first->text, pieces);
  return kind == Kind::reindex && has_option(statement, "concurrently") ? Kind::reindex_concurrently
                                                                        : kind;
}

bool needs_no_transaction(StatementKind kind) noexcept {
  return std::find(kRefusingTransactions.begin(), kRefusingTransactions.end(), kind) !=
         kRefusingTransactions.end();
}

bool has_option(std::string_view statement, std::string_view option) {
  TokenReader tokens(statement, Dialect::postgres);
  tokens.next_code();
  auto token = tokens.next_code();
  if (!token || !token->is('(')) {
    return false;
  }
  while (token && !token->is(')') && !token->is_word(option)) {
    token = tokens.next_code();
  }
  if (!token || token->is(')')) {
    return false;
  }
  const auto value = tokens.next_code();
  const bool off =
      value && (value->is_word("false") || value->is_word("off") || value->text == "0");
  return !off;
}

bool fits(std::string_view statement, Dialect dialect, std::string_view pattern) {
  return Pieces(statement, dialect).fit(pattern);
}

}  // namespace drover::engine::parse

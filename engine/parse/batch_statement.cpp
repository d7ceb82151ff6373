#include "engine/parse/batch_statement.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "engine/parse/section_text.h"
#include "engine/parse/sql_tokens.h"

namespace drover::engine::parse {
namespace {

using Tokens = std::vector<Token>;

/// What may follow a table's name where no alias does.
constexpr std::array<std::string_view, 23> kNoAlias = {
    "set",   "where",  "using",  "from",  "join",      "inner",       "left",    "right",
    "full",  "cross",  "on",     "order", "natural",   "tablesample", "group",   "having",
    "limit", "offset", "window", "union", "returning", "indexed",     "default",
};

Tokens tokens_of(std::string_view statement, Dialect dialect) {
  Tokens tokens;
  TokenReader reader(statement, dialect);
  while (const std::optional<Token> token = reader.next_code()) {
    tokens.push_back(*token);
  }
  return tokens;
}

bool is_identifier(const Token& token) {
  return token.kind == Token::Kind::quoted_name || token.kind == Token::Kind::word;
}

/// Whether the table's name, as the section writes it, stands at `at`; `end` is behind it then.
bool is_table(const Tokens& tokens, std::size_t at, const Tokens& table, std::size_t& end) {
  if (tokens.size() - at < table.size()) {
    return false;
  }
  end = at + table.size();
  const bool part_of_another =
      (at > 0 && tokens[at - 1].is('.')) ||
      (end < tokens.size() && (tokens[end].is('.') || tokens[end].is('(')));
  return !part_of_another &&
         std::equal(table.begin(),
                    table.end(),
                    tokens.begin() + static_cast<std::ptrdiff_t>(at),
                    [](const Token& a, const Token& b) { return a.text == b.text; });
}

bool follows_word(const Tokens& tokens, std::size_t at) {
  constexpr std::array<std::string_view, 5> kBefore = {"update", "from", "join", "using", "only"};
  return at > 0 && (tokens[at - 1].is(',') ||
                    std::any_of(kBefore.begin(), kBefore.end(), [&](std::string_view word) {
                      return tokens[at - 1].is_word(word);
                    }));
}

/// The alias that stands at `at`, or empty.
std::string_view alias_at(const Tokens& tokens, std::size_t at) {
  at += at < tokens.size() && tokens[at].is('*') ? 1U : 0U;
  const bool as = at < tokens.size() && tokens[at].is_word("as");
  at += as ? 1U : 0U;
  if (at >= tokens.size() || !is_identifier(tokens[at])) {
    return "";
  }
  const bool keyword = !as && std::any_of(kNoAlias.begin(), kNoAlias.end(), [&](auto word) {
    return tokens[at].is_word(word);
  });
  return keyword ? std::string_view() : tokens[at].text;
}

/// Finds the table, and by which name it is called.
void find_table(std::string_view statement,
                const Tokens& tokens,
                const Tokens& table,
                BatchOptions& batch) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    std::size_t end = 0;
    if (follows_word(tokens, i) && is_table(tokens, i, table, end)) {
      const std::string_view alias = alias_at(tokens, end);
      batch.called = alias.empty() ? table.back().text : alias;
      batch.aliased = !alias.empty();
      batch.table_at = static_cast<std::size_t>(tokens[i].begin() - statement.data());
      batch.table_size = static_cast<std::size_t>(tokens[end - 1].end() - tokens[i].begin());
      return;
    }
  }
}

/// The columns that an UPDATE assigns to: SET a = 1, (b, c) = (2, 3).
std::vector<std::string> columns_written(const Tokens& tokens) {
  std::vector<std::string> columns;
  const auto set = std::find_if(
      tokens.begin(), tokens.end(), [](const Token& token) { return token.is_word("set"); });
  int depth = 0;
  bool in_value = false;
  for (auto token = set == tokens.end() ? set : set + 1; token != tokens.end(); ++token) {
    depth += token->is('(') ? 1 : token->is(')') ? -1 : 0;
    if (depth < 0 || (depth == 0 && (token->is_word("where") || token->is_word("from")))) {
      break;
    }
    if (depth == 0 && (token->is('=') || token->is(','))) {
      in_value = token->is('=');
    } else if (!in_value && is_identifier(*token)) {
      columns.emplace_back(token->text);
    }
  }
  return columns;
}

bool has_returning(const Tokens& tokens) {
  int depth = 0;
  return std::any_of(tokens.begin(), tokens.end(), [&](const Token& token) {
    depth += token.is('(') ? 1 : token.is(')') ? -1 : 0;
    return depth == 0 && token.is_word("returning");
  });
}

}  // namespace

void read_batch_statement(std::string_view statement,
                          const char* range,
                          Dialect dialect,
                          BatchOptions& batch) {
  const Tokens tokens = tokens_of(statement, dialect);
  find_table(statement, tokens, tokens_of(batch.table, dialect), batch);
  batch.writes = columns_written(tokens);
  batch.returns = has_returning(tokens);
  batch.range_at = static_cast<std::size_t>(range - statement.data());
}

}  // namespace drover::engine::parse

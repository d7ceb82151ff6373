#include "engine/parse/sql_scanner.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace drover::engine::parse {
namespace {

/// `END` and `CASE` are names after AS and after a dot.
bool makes_a_name_of_next(const Token& token) noexcept {
  return token.is_word("as") || (!token.text.empty() && token.is('.'));
}

Unterminated::What what_is_open(Token::Kind kind) noexcept {
  switch (kind) {
    case Token::Kind::quoted_name:
      return Unterminated::What::quoted_name;
    case Token::Kind::dollar_string:
      return Unterminated::What::dollar_quote;
    case Token::Kind::block_comment:
      return Unterminated::What::comment;
    default:
      return Unterminated::What::quote;
  }
}

}  // namespace

const StatementSplitter::HeadStep StatementSplitter::kHeadSteps[] = {
    {"create", Head::start, Head::create},
    {"or", Head::create, Head::create_or},
    {"replace", Head::create_or, Head::create_or_replace},
    {"function", Head::create, Head::routine},
    {"procedure", Head::create, Head::routine},
    {"function", Head::create_or_replace, Head::routine},
    {"procedure", Head::create_or_replace, Head::routine},
    {"temp", Head::create, Head::create_temp},
    {"temporary", Head::create, Head::create_temp},
    {"trigger", Head::create, Head::trigger},
    {"trigger", Head::create_temp, Head::trigger},
};

void StatementSplitter::take(const Token& token) {
  if (token.closed == Token::Closed::no) {
    note_open(token);
  }
  if (token.is_comment()) {
    return;
  }
  if (ends_statement(token)) {
    end_statement();
    return;
  }
  if (now_.first == nullptr) {
    now_.first = token.begin();
  }
  now_.last = token.end();
  follow_head(token);
  follow_parenthesis(token);
  if (now_.head == Head::routine && dialect_ == Dialect::postgres) {
    follow_atomic_body(token);
  } else if (now_.head == Head::trigger && dialect_ == Dialect::sqlite) {
    follow_trigger(token);
  }
  now_.previous = token;
}

bool StatementSplitter::ends_statement(const Token& token) const noexcept {
  if (!token.is(';') || now_.depth > 0 || now_.body_depth > 0) {
    return false;
  }
  const bool in_trigger = now_.head == Head::trigger && dialect_ == Dialect::sqlite;
  return !in_trigger || now_.trigger_end == TriggerEnd::reached;
}

void StatementSplitter::follow_head(const Token& token) noexcept {
  if (now_.head == Head::routine || now_.head == Head::trigger || now_.head == Head::other) {
    return;
  }
  const auto* const step =
      std::find_if(std::begin(kHeadSteps), std::end(kHeadSteps), [&](const HeadStep& candidate) {
        return candidate.from == now_.head && token.is_word(candidate.word);
      });
  now_.head = step == std::end(kHeadSteps) ? Head::other : step->to;
}

void StatementSplitter::follow_parenthesis(const Token& token) noexcept {
  if (token.is('(')) {
    if (now_.depth == 0) {
      now_.parenthesis = token.begin();
    }
    ++now_.depth;
  } else if (token.is(')') && now_.depth > 0) {
    --now_.depth;
  }
}

void StatementSplitter::follow_atomic_body(const Token& token) noexcept {
  if (now_.depth > 0 || token.kind != Token::Kind::word || makes_a_name_of_next(now_.previous)) {
    return;
  }
  if (now_.body_depth == 0) {
    if (token.is_word("atomic") && now_.previous.is_word("begin")) {
      now_.body_depth = 1;
      now_.body = now_.previous.begin();
    }
  } else if (token.is_word("case")) {
    ++now_.body_depth;
  } else if (token.is_word("end")) {
    --now_.body_depth;
  }
}

/// SQLite's own rule (sqlite3_complete): no statement of a body begins with END, which elsewhere
/// may be a name.
void StatementSplitter::follow_trigger(const Token& token) noexcept {
  if (now_.body == nullptr && token.is_word("begin")) {
    now_.body = token.begin();
  }
  if (token.is(';')) {
    now_.trigger_end = TriggerEnd::semicolon;
  } else if (token.is_word("end") && now_.trigger_end == TriggerEnd::semicolon) {
    now_.trigger_end = TriggerEnd::reached;
  } else {
    now_.trigger_end = TriggerEnd::far;
  }
}

void StatementSplitter::note_open(const Token& token) {
  scan_.open.push_back({what_is_open(token.kind), token.begin()});
}

void StatementSplitter::end_statement() {
  if (now_.first != nullptr) {
    scan_.statements.emplace_back(now_.first, static_cast<std::size_t>(now_.last - now_.first));
  }
  now_ = Statement();
}

Scan StatementSplitter::finish() {
  if (now_.depth > 0) {
    scan_.open.push_back({Unterminated::What::parenthesis, now_.parenthesis});
  }
  const bool in_trigger = now_.head == Head::trigger && dialect_ == Dialect::sqlite &&
                          now_.trigger_end != TriggerEnd::reached;
  if (in_trigger || now_.body_depth > 0) {
    scan_.open.push_back({Unterminated::What::body, now_.body == nullptr ? now_.first : now_.body});
  }
  end_statement();
  return std::move(scan_);
}

Scan split_statements(std::string_view text, Dialect dialect) {
  TokenReader tokens(text, dialect);
  StatementSplitter splitter(dialect);
  while (const auto token = tokens.next()) {
    splitter.take(*token);
  }
  return splitter.finish();
}

void for_each_token(std::string_view text,
                    Dialect dialect,
                    const std::function<bool(const Token&)>& visit) {
  TokenReader tokens(text, dialect);
  for (auto token = tokens.next(); token && visit(*token); token = tokens.next()) {
  }
}

}  // namespace drover::engine::parse

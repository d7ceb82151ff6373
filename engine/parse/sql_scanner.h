/// Splits SQL text into statements, without understanding them.
///
/// Knows what hides a semicolon: quotes, E-strings, dollar quotes, nested comments, parentheses,
/// SQLite's CREATE TRIGGER ... BEGIN ... END and PostgreSQL's BEGIN ATOMIC bodies. One pass, linear
/// in the text, constant memory beside its result. What a statement *is* says statement_kind.h;
/// directives belong to migration_text.h.
///
/// A closing parenthesis too many is left to the server, which will refuse it.
///
/// Thread safety: free functions without state; a StatementSplitter belongs to one thread.

#pragma once

#include <cstddef>
#include <functional>
#include <string_view>
#include <vector>

#include "engine/dialect.h"
#include "engine/parse/sql_tokens.h"

namespace drover::engine::parse {

/// What is still open where the text ends.
struct Unterminated {
  enum class What { quote, quoted_name, dollar_quote, comment, parenthesis, body };
  What what;
  const char* opened_at;  ///< Into the text. Of several parentheses, the outermost.

  bool operator==(const Unterminated&) const = default;
};

struct Scan {
  std::vector<std::string_view> statements;  ///< First token to last token, no semicolon, no
                                             ///< leading or trailing comment. Empty ones left out;
                                             ///< one that is not whole is the last.
  std::vector<Unterminated> open;            ///< Innermost first. Empty when the text is whole.
};

/// Splits all of `text`.
Scan split_statements(std::string_view text, Dialect dialect);

/// Calls `visit` for each token of `text` in order, comments included. `visit` returns false to
/// stop.
void for_each_token(std::string_view text,
                    Dialect dialect,
                    const std::function<bool(const Token&)>& visit);

/// Splits token by token, for a caller who decides meanwhile where the text ends.
class StatementSplitter {
 public:
  explicit StatementSplitter(Dialect dialect) noexcept : dialect_(dialect) {}

  /// Takes the next token; comments too. All tokens must be of one text.
  void take(const Token& token);

  /// The result, when every token was taken. Call it once, last.
  Scan finish();

 private:
  /// What the first words of a statement have said so far.
  enum class Head {
    start,
    create,
    create_or,
    create_or_replace,
    create_temp,
    routine,
    trigger,
    other
  };
  /// How close a trigger's body is to its end, which is "; END".
  enum class TriggerEnd { far, semicolon, reached };

  /// One step from the first words of a statement to what may hold a body.
  struct HeadStep {
    std::string_view word;
    Head from;
    Head to;
  };

  static const HeadStep kHeadSteps[];

  bool ends_statement(const Token& token) const noexcept;
  void follow_head(const Token& token) noexcept;
  void follow_parenthesis(const Token& token) noexcept;
  void follow_atomic_body(const Token& token) noexcept;
  void follow_trigger(const Token& token) noexcept;
  void note_open(const Token& token);
  void end_statement();

  Dialect dialect_;
  Scan scan_;

  // Of the present statement:
  struct Statement {
    const char* first = nullptr;
    const char* last = nullptr;  ///< Behind its last token.
    Head head = Head::start;
    std::size_t depth = 0;  ///< Of parentheses.
    const char* parenthesis = nullptr;
    std::size_t body_depth = 0;  ///< BEGIN ATOMIC, and the CASEs open in it.
    const char* body = nullptr;  ///< Its BEGIN.
    TriggerEnd trigger_end = TriggerEnd::far;
    Token previous;
  };
  Statement now_;
};

}  // namespace drover::engine::parse

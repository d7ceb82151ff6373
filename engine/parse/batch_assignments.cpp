#include "engine/parse/batch_assignments.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "engine/parse/section_text.h"
#include "engine/parse/sql_tokens.h"
#include "engine/parse/text_error.h"

namespace drover::engine::parse {
namespace {

class AssignmentReader {
 public:
  AssignmentReader(const Migration& file, Section& section, Dialect dialect)
      : file_(file),
        batch_(section.batch),
        statement_(section.statements.front().text),
        dialect_(dialect),
        tokens_(code_of(statement_)) {}

  void read() {
    batch_.assigns.clear();
    if (!tokens_.front().is_word("update")) {
      refuse_at(tokens_.front(), "the statement is no UPDATE");
    }
    std::size_t at = find_set() + 1;
    while (!ends_list(at)) {
      at = read_one(at);
    }
    if (at == tokens_.size() || !tokens_[at].is_word("where")) {
      refuse_at(tokens_[std::min(at, tokens_.size() - 1)],
                "the statement has a FROM, or no WHERE, behind what it assigns");
    }
    batch_.condition_at = offset_of(tokens_[at].end());
    refuse_returning(at);
    refuse_reading_itself();
  }

 private:
  using Tokens = std::vector<Token>;

  Tokens code_of(std::string_view text) const {
    Tokens tokens;
    TokenReader reader(text, dialect_);
    while (const std::optional<Token> token = reader.next_code()) {
      tokens.push_back(*token);
    }
    return tokens;
  }

  std::size_t offset_of(const char* at) const {
    return static_cast<std::size_t>(at - statement_.data());
  }

  [[noreturn]] void refuse_at(const Token& token, const std::string& why) const {
    refuse(file_,
           token.begin(),
           "bad_batch",
           "check=checksum cannot compute this batch again: " + why,
           "Write it as UPDATE TABLE SET COLUMN = EXPRESSION, ... WHERE {range}, with values from "
           "columns that it leaves alone; or use check=count with a line '-- drover: done EXPR'.");
  }

  std::size_t find_set() const {
    const auto set = std::find_if(
        tokens_.begin(), tokens_.end(), [](const Token& token) { return token.is_word("set"); });
    if (set == tokens_.end()) {
      refuse_at(tokens_.front(), "the statement assigns nothing");
    }
    return static_cast<std::size_t>(set - tokens_.begin());
  }

  /// A FROM of "IS DISTINCT FROM" belongs to an expression.
  bool ends_list(std::size_t at) const {
    return at == tokens_.size() || tokens_[at].is_word("where") ||
           tokens_[at].is_word("returning") ||
           (tokens_[at].is_word("from") && !tokens_[at - 1].is_word("distinct"));
  }

  /// COLUMN = EXPRESSION, and the comma behind it. Gives the place of the next one.
  std::size_t read_one(std::size_t at) {
    const Token& column = tokens_[at];
    const bool is_name =
        column.kind == Token::Kind::word || column.kind == Token::Kind::quoted_name;
    if (!is_name || at + 2 >= tokens_.size() || !tokens_[at + 1].is('=')) {
      refuse_at(column, "it does not assign to one column at a time");
    }
    const std::size_t begin = at + 2;
    int depth = 0;
    for (at = begin; at < tokens_.size(); ++at) {
      if (depth == 0 && (tokens_[at].is(',') || ends_list(at))) {
        break;
      }
      depth += tokens_[at].is('(') || tokens_[at].is('[') ? 1 : 0;
      depth -= tokens_[at].is(')') || tokens_[at].is(']') ? 1 : 0;
    }
    if (at == begin || tokens_[begin].is_word("default")) {
      refuse_at(tokens_[begin], "it assigns what only the server knows");
    }
    const std::size_t from = offset_of(tokens_[begin].begin());
    const std::size_t to = offset_of(tokens_[at - 1].end());
    batch_.assigns.push_back(
        {std::string(column.text), std::string(statement_.substr(from, to - from))});
    return at < tokens_.size() && tokens_[at].is(',') ? at + 1 : at;
  }

  void refuse_returning(std::size_t from) const {
    int depth = 0;
    for (std::size_t at = from; at < tokens_.size(); ++at) {
      depth += tokens_[at].is('(') ? 1 : 0;
      depth -= tokens_[at].is(')') ? 1 : 0;
      if (depth == 0 && tokens_[at].is_word("returning")) {
        refuse_at(tokens_[at], "it has a RETURNING");
      }
    }
  }

  /// A value that depends on itself is another one the second time; a condition that does leaves
  /// out of the check just what was done.
  void refuse_reading_itself() const {
    std::vector<std::string> pieces{batch_.where,
                                    std::string(statement_.substr(batch_.condition_at))};
    for (const BatchOptions::Assignment& one : batch_.assigns) {
      pieces.push_back(one.value);
    }
    for (const std::string& piece : pieces) {
      const Tokens tokens = code_of(piece);
      for (std::size_t at = 0; at < tokens.size(); ++at) {
        if (reads_assigned(tokens, at)) {
          refuse_at(tokens_.front(),
                    "it reads " + shown(tokens[at].text) + ", which it assigns to");
        }
      }
    }
  }

  /// Whether a column that is assigned to stands at `at`: by itself, or behind the table's name.
  bool reads_assigned(const Tokens& tokens, std::size_t at) const {
    const Token& token = tokens[at];
    const bool is_name = token.kind == Token::Kind::word || token.kind == Token::Kind::quoted_name;
    const bool leads = at + 1 < tokens.size() && (tokens[at + 1].is('.') || tokens[at + 1].is('('));
    if (!is_name || leads) {
      return false;
    }
    const bool qualified = at > 1 && tokens[at - 1].is('.');
    if (qualified && name_in(tokens[at - 2]) != name_of(batch_.called)) {
      return false;
    }
    return std::any_of(batch_.assigns.begin(), batch_.assigns.end(), [&](const auto& one) {
      return name_of(one.column) == name_in(token);
    });
  }

  std::string name_of(const std::string& written) const {
    const Tokens tokens = code_of(written);
    return tokens.empty() ? "" : name_in(tokens.back());
  }

  const Migration& file_;
  BatchOptions& batch_;
  const std::string_view statement_;
  const Dialect dialect_;
  const Tokens tokens_;
};

}  // namespace

void read_batch_assignments(const Migration& file, Section& section) {
  for (const Dialect dialect : dialects_of(section.dialect)) {
    AssignmentReader(file, section, dialect).read();
  }
}

}  // namespace drover::engine::parse

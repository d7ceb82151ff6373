#include "engine/postgres/statement_guard.h"

#include <algorithm>
#include <array>
#include <string>

#include <fmt/format.h>

#include "engine/postgres/pg_error.h"

namespace drover::engine::postgres {

namespace {

/// First words of statements that begin, end or split a transaction. PREPARE is one only before
/// TRANSACTION; END, ABORT and RELEASE are nothing else.
constexpr std::array<std::string_view, 9> kTransactionWords = {
    "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE", "PREPARE"};

char upper(char c) noexcept {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

bool is_word_character(char c) noexcept {
  return (upper(c) >= 'A' && upper(c) <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
         (static_cast<unsigned char>(c) & 0x80U) != 0;
}

bool equal_word(std::string_view word, std::string_view upper_case) noexcept {
  return word.size() == upper_case.size() &&
         std::equal(word.begin(), word.end(), upper_case.begin(), [](char a, char b) {
           return upper(a) == b;
         });
}

/// Goes over a statement word by word, leaving out comments, quoted text and punctuation.
class Words {
 public:
  explicit Words(std::string_view text) : rest_(text) {}

  /// The next word; empty at the end.
  std::string_view next() {
    while (!rest_.empty()) {
      if (is_word_character(rest_.front())) {
        return take(end_of_word());
      }
      skip_other();
    }
    return {};
  }

 private:
  std::size_t end_of_word() const {
    std::size_t end = 1;
    while (end < rest_.size() && is_word_character(rest_[end])) {
      ++end;
    }
    return end;
  }

  std::string_view take(std::size_t size) {
    const std::string_view word = rest_.substr(0, size);
    rest_.remove_prefix(std::min(size, rest_.size()));
    return word;
  }

  void skip_through(std::string_view end, std::size_t from) {
    const std::size_t at = rest_.find(end, from);
    take(at == std::string_view::npos ? rest_.size() : at + end.size());
  }

  void skip_other() {
    if (rest_.substr(0, 2) == "--") {
      skip_through("\n", 2);
    } else if (rest_.substr(0, 2) == "/*") {
      skip_block_comment();
    } else if (rest_.front() == '\'' || rest_.front() == '"') {
      skip_through(rest_.substr(0, 1), 1);
    } else {
      take(1);
    }
  }

  void skip_block_comment() {  // they nest
    int depth = 0;
    do {
      if (rest_.substr(0, 2) == "/*") {
        ++depth;
        take(2);
      } else if (rest_.substr(0, 2) == "*/") {
        --depth;
        take(2);
      } else {
        take(1);
      }
    } while (depth > 0 && !rest_.empty());
  }

  std::string_view rest_;
};

bool copies_with_client(Words words) {
  for (std::string_view word = words.next(); !word.empty(); word = words.next()) {
    if (equal_word(word, "STDIN") || equal_word(word, "STDOUT")) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::optional<SqlError> refusal_of_migration_statement(std::string_view sql) {
  Words words(sql);
  const std::string_view first = words.next();
  if (equal_word(first, "COPY") && copies_with_client(words)) {
    return refusal("COPY from or to the client is not possible in a migration",
                   "Write the rows as INSERT, or load them with a tool made for it.");
  }
  const bool listed = std::any_of(kTransactionWords.begin(),
                                  kTransactionWords.end(),
                                  [&](std::string_view word) { return equal_word(first, word); });
  if (!listed || (equal_word(first, "PREPARE") && !equal_word(words.next(), "TRANSACTION"))) {
    return std::nullopt;
  }
  std::string shown(first);
  std::transform(shown.begin(), shown.end(), shown.begin(), upper);
  return refusal(fmt::format("transaction control ({}) is not possible in a migration", shown),
                 "Take the statement out; Drover opens and ends the transactions itself.");
}

}  // namespace drover::engine::postgres

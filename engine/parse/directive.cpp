#include "engine/parse/directive.h"

#include <algorithm>

#include "engine/parse/sql_tokens.h"
#include "engine/parse/text_error.h"

namespace drover::engine::parse {
namespace {

constexpr std::string_view kPrefix = "-- drover: ";
constexpr std::string_view kOurWord = "drover";
constexpr std::string_view kBlanks = " \t\n\v\f\r";
constexpr std::string_view kLettersOfWords =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";

constexpr std::string_view kDirectiveWords[] = {"revision",
                                                "parents",
                                                "message",
                                                "labels",
                                                "depends",
                                                "irreversible",
                                                "requires-fleet",
                                                "set",
                                                "up",
                                                "down",
                                                "batch",
                                                "verify",
                                                "done",
                                                "where",
                                                "throttle"};

/// How section markers of other tools begin, behind the dashes: goose, dbmate, Liquibase, MyBatis,
/// node-pg-migrate. In lower case.
constexpr std::string_view kForeignMarkers[] = {"+goose",
                                                "migrate:",
                                                "changeset",
                                                "rollback",
                                                "@undo",
                                                "//@undo",
                                                "up migration",
                                                "down migration"};

/// Whether a marker ends where it ends, or goes on as a longer word.
bool ends_word(std::string_view marker, std::string_view text) {
  const bool word_at_end = kLettersOfWords.find(marker.back()) != std::string_view::npos;
  return !word_at_end || text.size() == marker.size() ||
         kLettersOfWords.find(text[marker.size()]) == std::string_view::npos;
}

bool is_foreign(std::string_view comment) {
  const std::string_view body =
      comment.substr(std::min(comment.size(), comment.find_first_not_of("- \t")));
  return std::any_of(
      std::begin(kForeignMarkers), std::end(kForeignMarkers), [&](std::string_view marker) {
        return equals_ignoring_case(body.substr(0, marker.size()), marker) &&
               ends_word(marker, body);
      });
}

/// The run of letters that `text` begins with, behind whatever is no letter: blanks of Unicode,
/// dashes and the like.
std::string_view first_word(std::string_view text) {
  text.remove_prefix(std::min(text.size(), text.find_first_of(kLettersOfWords)));
  return text.substr(0, text.find_first_not_of(kLettersOfWords));
}

/// "-- dorver: down": our word mistyped, a colon, and a word of ours.
bool is_nearly_ours(std::string_view word, std::string_view behind) {
  const std::string lower = lower_case(word);
  if (!behind.starts_with(':') || lower.size() < kOurWord.size() - 2 ||
      lower.size() > kOurWord.size() + 2 || edit_distance(lower, kOurWord) > 2) {
    return false;
  }
  const auto next = words_of(behind.substr(1));
  return !next.empty() && std::find(std::begin(kDirectiveWords),
                                    std::end(kDirectiveWords),
                                    lower_case(next.front())) != std::end(kDirectiveWords);
}

}  // namespace

CommentRole role_of(std::string_view comment, std::string_view text) {
  const bool in_column_1 = comment.data() == text.data() || comment.data()[-1] == '\n';
  if (in_column_1 && comment.starts_with(kPrefix)) {
    return CommentRole::directive;
  }
  if (is_foreign(comment)) {
    return CommentRole::foreign;
  }
  const std::string_view word = first_word(comment);
  const std::string_view behind(
      word.data() + word.size(),
      static_cast<std::size_t>(comment.data() + comment.size() - (word.data() + word.size())));
  const bool ours = equals_ignoring_case(word, kOurWord) || is_nearly_ours(word, behind);
  return ours ? CommentRole::mistyped : CommentRole::plain;
}

Directive directive_in(std::string_view comment) {
  const std::string_view line = comment.substr(0, comment.find_last_not_of(kBlanks) + 1);
  const std::string_view rest = line.size() > kPrefix.size() ? trimmed(line.substr(kPrefix.size()))
                                                             : line.substr(line.size());
  const std::size_t cut = std::min(rest.find_first_of(kBlanks), rest.size());
  return {line, rest.substr(0, cut), trimmed(rest.substr(cut))};
}

std::span<const std::string_view> directive_words() noexcept {
  return kDirectiveWords;
}

std::string folded(std::string_view line) {
  std::string result;
  for (const std::string_view word : words_of(line)) {
    result += result.empty() ? "" : " ";
    result += word;
  }
  return result;
}

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.size(), text.find_first_not_of(kBlanks)));
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (text = trimmed(text); !text.empty(); text = trimmed(text)) {
    const std::size_t cut = std::min(text.find_first_of(kBlanks), text.size());
    words.push_back(text.substr(0, cut));
    text.remove_prefix(cut);
  }
  return words;
}

std::vector<std::string_view> parts_between_commas(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t cut = std::min(text.find(','), text.size());
    parts.push_back(trimmed(text.substr(0, cut)));
    if (cut == text.size()) {
      return parts;
    }
    text.remove_prefix(cut + 1);
  }
}

}  // namespace drover::engine::parse

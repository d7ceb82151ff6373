#include "engine/parse/section_text.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "engine/parse/directive.h"
#include "engine/parse/text_error.h"

namespace drover::engine::parse {
namespace {

constexpr Dialect kAllDialects[] = {Dialect::postgres, Dialect::sqlite};
constexpr std::string_view kRange = "{range}";
constexpr std::string_view kLoadExtension = "load_extension";
constexpr std::size_t kMostRangesKept = 2;

void refuse_comment(const Migration& file, std::string_view comment, CommentRole role) {
  if (role == CommentRole::mistyped) {
    refuse(file,
           comment.data(),
           "mistyped_directive",
           shown(comment) + " looks like a directive and is not one",
           "Write it from column 1 as '-- drover: WORD', or begin the comment with another word.");
  }
  if (role == CommentRole::foreign) {
    refuse(file,
           comment.data(),
           "foreign_directive",
           shown(comment) + " is a section marker of another tool",
           "Write '-- drover: up' or '-- drover: down' instead, or reword the comment.");
  }
}

/// Collects one dialect's reading.
class SectionReading {
 public:
  SectionReading(const Migration& file, Dialect dialect)
      : file_(file), dialect_(dialect), splitter_(dialect) {}

  SectionText read(const char* from);

 private:
  /// False at a directive.
  bool take(const Token& token);
  void note(const Token& token);

  const Migration& file_;
  Dialect dialect_;
  StatementSplitter splitter_;
  SectionText result_;
  const char* called_ = nullptr;  ///< The token before, when it is the name load_extension.
};

SectionText SectionReading::read(const char* from) {
  const std::string_view text = *file_.text;
  result_.end = text.data() + text.size();
  TokenReader tokens({from, static_cast<std::size_t>(result_.end - from)}, dialect_);
  for (auto token = tokens.next(); token && take(*token); token = tokens.next()) {
  }
  result_.scan = splitter_.finish();
  return std::move(result_);
}

bool SectionReading::take(const Token& token) {
  if (token.kind == Token::Kind::line_comment) {
    const CommentRole role = role_of(token.text, *file_.text);
    if (role == CommentRole::directive) {
      result_.end = token.begin();
      result_.next_directive = token.text;
      return false;
    }
    refuse_comment(file_, token.text, role);
  }
  if (!token.is_comment()) {
    note(token);
  }
  splitter_.take(token);
  return true;
}

void SectionReading::note(const Token& token) {
  const char* const end = file_.text->data() + file_.text->size();
  if (token.is('{') && result_.ranges.size() < kMostRangesKept &&
      std::string_view(token.begin(), static_cast<std::size_t>(end - token.begin()))
          .starts_with(kRange)) {
    result_.ranges.push_back(token.begin());
  }
  if (token.is('\\') && result_.backslash == nullptr) {
    result_.backslash = token.begin();
  }
  if (token.is('(') && called_ != nullptr && result_.load_extension == nullptr) {
    result_.load_extension = called_;
  }
  const bool name =
      dialect_ == Dialect::sqlite &&
      (token.is_word(kLoadExtension) ||
       (token.kind == Token::Kind::quoted_name && lower_case(name_in(token)) == kLoadExtension));
  called_ = name ? token.begin() : nullptr;
}

/// The first of two places; nullptr is none.
const char* earlier(const char* a, const char* b) {
  return a == nullptr || (b != nullptr && b < a) ? b : a;
}

/// Where two lists of places first part, or nullptr when they are alike.
template <typename List, typename PlaceOf, typename Same>
const char* first_difference(const List& a, const List& b, PlaceOf place_of, Same same) {
  const auto [x, y] = std::mismatch(a.begin(), a.end(), b.begin(), b.end(), same);
  return earlier(x == a.end() ? nullptr : place_of(*x), y == b.end() ? nullptr : place_of(*y));
}

/// Where the two readings first part, or nullptr when they are alike.
const char* first_difference(const SectionText& a, const SectionText& b) {
  const char* const in_statements = first_difference(
      a.scan.statements,
      b.scan.statements,
      [](std::string_view statement) { return statement.data(); },
      [](std::string_view x, std::string_view y) {
        return x.data() == y.data() && x.size() == y.size();
      });
  const char* const in_ranges = first_difference(
      a.ranges, b.ranges, [](const char* range) { return range; }, std::equal_to<>());
  const char* const in_open = first_difference(
      a.scan.open,
      b.scan.open,
      [](const Unterminated& open) { return open.opened_at; },
      std::equal_to<>());
  const char* const in_backslash =
      a.backslash == b.backslash ? nullptr : earlier(a.backslash, b.backslash);
  const char* const at_end = a.end == b.end ? nullptr : earlier(a.end, b.end);
  return earlier(earlier(in_statements, in_ranges),
                 earlier(in_open, earlier(in_backslash, at_end)));
}

}  // namespace

std::span<const Dialect> dialects_of(const std::optional<Dialect>& dialect) noexcept {
  const std::span<const Dialect> all = kAllDialects;
  if (!dialect) {
    return all;
  }
  return all.subspan(*dialect == Dialect::postgres ? 0 : 1, 1);
}

SectionText read_section_text(const Migration& file,
                              const char* from,
                              std::optional<Dialect> dialect) {
  if (dialect) {
    return SectionReading(file, *dialect).read(from);
  }
  SectionText postgres = SectionReading(file, Dialect::postgres).read(from);
  const SectionText sqlite = SectionReading(file, Dialect::sqlite).read(from);
  const bool open_in_both = !postgres.scan.open.empty() && !sqlite.scan.open.empty();
  const char* const at = open_in_both ? nullptr : first_difference(postgres, sqlite);
  if (at != nullptr) {
    refuse(file,
           at,
           "dialects_differ",
           "PostgreSQL and SQLite do not split the text from here on alike",
           "Name the dialect of the section, as in '-- drover: up postgres'; a header is best "
           "without block comments.");
  }
  postgres.load_extension = sqlite.load_extension;
  return postgres;
}

}  // namespace drover::engine::parse

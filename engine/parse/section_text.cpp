#include "engine/parse/section_text.h"

#include <algorithm>
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
class Reading {
 public:
  Reading(const Migration& file, Dialect dialect)
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

SectionText Reading::read(const char* from) {
  const std::string_view text = *file_.text;
  result_.end = text.data() + text.size();
  TokenReader tokens({from, static_cast<std::size_t>(result_.end - from)}, dialect_);
  for (auto token = tokens.next(); token && take(*token); token = tokens.next()) {
  }
  result_.scan = splitter_.finish();
  return std::move(result_);
}

bool Reading::take(const Token& token) {
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

void Reading::note(const Token& token) {
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

/// Where the two readings first part, or nullptr when they are alike.
const char* first_difference(const SectionText& a, const SectionText& b) {
  const auto& left = a.scan.statements;
  const auto& right = b.scan.statements;
  const auto same = [](std::string_view x, std::string_view y) {
    return x.data() == y.data() && x.size() == y.size();
  };
  const auto [x, y] = std::mismatch(left.begin(), left.end(), right.begin(), right.end(), same);
  if (x != left.end() || y != right.end()) {
    const bool of_left = y == right.end() || (x != left.end() && x->data() < y->data());
    return of_left ? x->data() : y->data();
  }
  const auto opened_at = [](const SectionText& text) {
    return text.scan.open.empty() ? text.end : text.scan.open.front().opened_at;
  };
  const bool alike = opened_at(a) == opened_at(b) && a.end == b.end && a.ranges == b.ranges &&
                     a.backslash == b.backslash;
  return alike ? nullptr : std::min(opened_at(a), opened_at(b));
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
    return Reading(file, *dialect).read(from);
  }
  SectionText postgres = Reading(file, Dialect::postgres).read(from);
  const SectionText sqlite = Reading(file, Dialect::sqlite).read(from);
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

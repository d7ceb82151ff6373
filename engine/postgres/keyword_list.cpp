#include "engine/postgres/keyword_list.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "engine/postgres/pg_handles.h"

namespace drover::engine::postgres {

namespace {

constexpr std::array<std::string_view, 5> kFirst = {"host", "hostaddr", "port", "dbname", "user"};
constexpr std::array<std::string_view, 2> kOurs = {"schema", "pooled"};
constexpr std::string_view kBlanks = " \t\n\v\f\r";
constexpr const char* kNotations =
    "Write a URL (postgres://user@host:5432/database?schema=NAME) or keywords (host=... dbname=... "
    "schema=NAME), with a value that holds blanks in single quotes.";

bool is_blank(char c) noexcept {
  return kBlanks.find(c) != std::string_view::npos;
}

bool is_url(std::string_view text) noexcept {
  return text.substr(0, 11) == "postgres://" || text.substr(0, 13) == "postgresql://";
}

/// What libpq knows, without what it hides from people ("D": debugging), and ours.
std::set<std::string> known_keywords() {
  std::set<std::string> names(kOurs.begin(), kOurs.end());
  const PgConninfo known(PQconndefaults());
  for (const PQconninfoOption* o = known.get(); o != nullptr && o->keyword != nullptr; ++o) {
    if (o->dispchar[0] != 'D') {
      names.insert(o->keyword);
    }
  }
  return names;
}

bool is_known(const std::string& keyword) {
  static const std::set<std::string> kKnown =
      known_keywords();  // libpq makes them up anew each time
  return kKnown.count(keyword) != 0;
}

/// Adds one pair, once.
void add(KeywordList& to, std::string keyword, std::string value) {
  if (!is_known(keyword)) {
    throw invalid_target(fmt::format("unknown keyword '{}' in a target", keyword),
                         "Use libpq's keywords (host, port, dbname, user, sslmode ...), schema or "
                         "pooled; put a value that holds blanks in single quotes.");
  }
  if (!to.emplace(keyword, std::move(value)).second) {
    throw invalid_target(fmt::format("keyword '{}' stands twice in a target", keyword),
                         "Leave one of the two.");
  }
}

/// Reads "keyword = value keyword='value'" as libpq does.
class KeywordReader {
 public:
  explicit KeywordReader(std::string_view text) : text_(text) {}

  KeywordList read() {
    KeywordList keywords;
    skip_blanks();
    while (at_ < text_.size()) {
      const std::size_t start = at_;
      while (at_ < text_.size() && text_[at_] != '=' && !is_blank(text_[at_])) {
        ++at_;
      }
      std::string keyword(text_.substr(start, at_ - start));
      skip_blanks();
      if (keyword.empty() || at_ >= text_.size() || text_[at_] != '=') {
        throw invalid_target("a target is not a list of keyword=value pairs", kNotations);
      }
      ++at_;
      skip_blanks();
      add(keywords, std::move(keyword), value());
      skip_blanks();
    }
    return keywords;
  }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) {
      ++at_;
    }
  }

  std::string value() {
    const bool quoted = at_ < text_.size() && text_[at_] == '\'';
    at_ += quoted ? 1 : 0;
    std::string result;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (quoted ? c == '\'' : is_blank(c)) {
        at_ += quoted ? 1 : 0;
        return result;
      }
      at_ += c == '\\' ? 1 : 0;
      if (at_ < text_.size()) {
        result += text_[at_++];
      }
    }
    if (quoted) {
      throw invalid_target("a quoted value in a target does not end", kNotations);
    }
    return result;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::string percent_decoded(std::string_view text) {
  const auto digit = [](char c) -> std::optional<int> {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const char lower = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    const std::size_t at = kDigits.find(lower);
    return at == std::string_view::npos ? std::nullopt : std::optional(static_cast<int>(at));
  };
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i];
      continue;
    }
    const auto high = i + 2 < text.size() ? digit(text[i + 1]) : std::nullopt;
    const auto low = i + 2 < text.size() ? digit(text[i + 2]) : std::nullopt;
    if (!high || !low || (*high == 0 && *low == 0)) {
      throw invalid_target("a percent sign in a target's URL is not followed by two hex digits",
                           "Write a percent sign itself as %25.");
    }
    result += static_cast<char>(*high * 16 + *low);
    i += 2;
  }
  return result;
}

/// The parameters after the question mark, each once. libpq knows nothing of ours, and its own
/// messages show values, so all of them are read here.
KeywordList url_parameters(std::string_view query) {
  KeywordList keywords;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) {
      throw invalid_target("a parameter of a target's URL has no value", kNotations);
    }
    std::string keyword = percent_decoded(pair.substr(0, equals));
    std::string value = percent_decoded(pair.substr(equals + 1));
    if (keyword == "ssl" && value == "true") {  // what JDBC writes, and libpq understands
      keyword = "sslmode";
      value = "require";
    }
    add(keywords, std::move(keyword), std::move(value));
  }
  return keywords;
}

KeywordList parse_url(std::string_view text) {
  const std::size_t question = std::min(text.find('?'), text.size());
  const std::string head(text.substr(0, question));
  const PgConninfo parsed(PQconninfoParse(head.c_str(), nullptr));
  if (!parsed) {  // libpq's own message may show the password
    throw invalid_target("a target's URL cannot be read", kNotations);
  }
  KeywordList keywords = url_parameters(text.substr(std::min(question + 1, text.size())));
  for (const PQconninfoOption* o = parsed.get(); o->keyword != nullptr; ++o) {
    if (o->val != nullptr) {
      add(keywords, o->keyword, o->val);
    }
  }
  return keywords;
}

}  // namespace

bool KeywordOrder::operator()(const std::string& left, const std::string& right) const noexcept {
  const auto rank = [](const std::string& name) {
    return std::find(kFirst.begin(), kFirst.end(), name) - kFirst.begin();
  };
  return std::pair(rank(left), std::string_view(left)) <
         std::pair(rank(right), std::string_view(right));
}

KeywordList parse_keywords(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) {
    throw invalid_target("a target holds a NUL character", kNotations);
  }
  return is_url(text) ? parse_url(text) : KeywordReader(text).read();
}

std::string to_string(const KeywordList& keywords) {
  std::string out;
  for (const auto& [keyword, value] : keywords) {
    out += out.empty() ? "" : " ";
    out += keyword + "=";
    const bool plain = !value.empty() && std::none_of(value.begin(), value.end(), [](char c) {
      return is_blank(c) || c == '\'' || c == '\\';
    });
    if (plain) {
      out += value;
      continue;
    }
    out += '\'';
    for (const char c : value) {
      out += c == '\'' || c == '\\' ? "\\" : "";
      out += c;
    }
    out += '\'';
  }
  return out;
}

Error invalid_target(const std::string& message, const std::string& hint) {
  return {ErrorCode::usage, "invalid_target", message, hint};
}

}  // namespace drover::engine::postgres

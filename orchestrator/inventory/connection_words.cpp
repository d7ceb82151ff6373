#include "orchestrator/inventory/connection_words.h"

#include <algorithm>
#include <cstddef>

#include <fmt/format.h>

namespace drover::orchestrator::inventory {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

/// Where the value at the start of `text` ends: at its closing quote, or before the next blank.
std::size_t value_end(std::string_view text) noexcept {
  const bool is_quoted = !text.empty() && text.front() == '\'';
  for (std::size_t at = is_quoted ? 1 : 0; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (is_quoted && text[at] == '\'') {
      return at + 1;
    } else if (!is_quoted && kBlanks.find(text[at]) != std::string_view::npos) {
      return at;
    }
  }
  return text.size();
}

/// Takes the first "keyword=value" off `words`; empty when there is none.
std::string_view take_word(std::string_view& words) noexcept {
  words.remove_prefix(std::min(words.find_first_not_of(kBlanks), words.size()));
  const std::size_t equals = words.find('=');
  if (equals == std::string_view::npos) {
    return {};
  }
  const std::size_t value = std::min(words.find_first_not_of(kBlanks, equals + 1), words.size());
  const std::size_t end = value + value_end(words.substr(value));
  const std::string_view word = words.substr(0, std::min(end, words.size()));
  words.remove_prefix(word.size());
  return word;
}

}  // namespace

std::string connection_word(std::string_view keyword, std::string_view value) {
  std::string word = fmt::format("{}='", keyword);
  for (const char c : value) {
    if (c == '\'' || c == '\\') {
      word += '\\';
    }
    word += c;
  }
  return word + "'";
}

std::string with_database(std::string_view words, std::string_view name) {
  std::string result;
  for (std::string_view word = take_word(words); !word.empty(); word = take_word(words)) {
    const std::string_view keyword = word.substr(0, word.find_first_of("= \t\r\n"));
    if (keyword != "dbname") {
      result += std::string(word) + " ";
    }
  }
  return result + connection_word("dbname", name);
}

bool names_database(std::string_view server) {
  const auto says = [server](std::string_view word) {
    return server.find(word) != std::string_view::npos;
  };
  if (says("dbname") || says("service=")) {
    return true;
  }
  const std::size_t authority = server.find("://");
  if (authority == std::string_view::npos) {
    return false;
  }
  const std::size_t path = server.find('/', authority + 3);
  return path != std::string_view::npos && path + 1 < server.size() && server[path + 1] != '?';
}

}  // namespace drover::orchestrator::inventory

#include "orchestrator/first_line.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "orchestrator/utf8.h"

namespace drover::orchestrator {
namespace {

constexpr std::size_t kMostCharacters = 200;
constexpr std::size_t kMostBytes = std::size_t{4} * (kMostCharacters + 1);
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::string_view kEllipsis = "\xE2\x80\xA6";     // U+2026

struct Range {
  std::string_view first;
  std::string_view last;
};

/// What a terminal obeys and has more than one byte: C1 controls, marks of direction, line
/// separators, the byte order mark. UTF-8 sorts like the characters that it means.
constexpr std::array kObeyed = {Range{"\xC2\x80", "\xC2\x9F"},
                                Range{"\xD8\x9C", "\xD8\x9C"},
                                Range{"\xE2\x80\x8E", "\xE2\x80\x8F"},
                                Range{"\xE2\x80\xA8", "\xE2\x80\xAE"},
                                Range{"\xE2\x81\xA6", "\xE2\x81\xA9"},
                                Range{"\xEF\xBB\xBF", "\xEF\xBB\xBF"}};

bool is_blank_or_control(char byte) noexcept {
  const auto value = static_cast<unsigned char>(byte);
  return value <= 0x20 || value == 0x7F;
}

bool is_obeyed(std::string_view character) noexcept {
  if (character.size() == 1) {
    return is_blank_or_control(character.front());
  }
  return std::any_of(kObeyed.begin(), kObeyed.end(), [&](const Range& range) {
    return range.first <= character && character <= range.last;
  });
}

/// The character that `text` starts with; empty: its first byte is not UTF-8.
std::string_view first_character(std::string_view text) noexcept {
  const std::size_t length = std::min(character_length(text.front()), text.size());
  const std::string_view character = text.substr(0, length);
  return valid_utf8_prefix(character) == length ? character : std::string_view();
}

/// From the first byte that is no blank to the end of its line.
std::string_view raw_line(std::string_view text) {
  const auto begin = std::find_if_not(text.begin(), text.end(), is_blank_or_control);
  text.remove_prefix(static_cast<std::size_t>(begin - text.begin()));
  return text.substr(0, text.find_first_of("\r\n"));
}

/// Without the last of its blanks and full stops.
std::string_view sentence(std::string_view text) {
  const std::size_t last = text.find_last_not_of(" .");
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

}  // namespace

std::string first_line(std::string_view text) {
  std::string_view rest = raw_line(text);
  std::string line;
  std::size_t before_last = 0;  // where character 200 starts
  std::size_t characters = 0;
  for (; !rest.empty() && line.size() < kMostBytes && characters <= kMostCharacters; ++characters) {
    before_last = characters + 1 == kMostCharacters ? line.size() : before_last;
    const std::string_view character = first_character(rest);
    if (character.empty()) {
      line += kReplacement;
    } else if (is_obeyed(character)) {
      line += ' ';
    } else {
      line += character;
    }
    rest.remove_prefix(std::max<std::size_t>(character.size(), 1));
  }
  if (characters > kMostCharacters) {
    return line.substr(0, before_last).append(kEllipsis);
  }
  return std::string(sentence(line));
}

}  // namespace drover::orchestrator

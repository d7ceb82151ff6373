#include "engine/parse/text_error.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/parse/migration_text.h"

namespace drover::engine::parse {
namespace {

constexpr std::size_t kMostShown = 60;    ///< Characters of a value in a message.
constexpr std::size_t kLongestWord = 40;  ///< What is longer is no mistyped word of ours.

bool continues_character(char c) noexcept {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

}  // namespace

void refuse(const Migration& file,
            const char* at,
            std::string kind_name,
            const std::string& message,
            std::string hint) {
  throw MigrationTextError(
      ErrorCode::usage, std::move(kind_name), message, std::move(hint), file.place_of(at));
}

std::string shown(std::string_view text) {
  std::string result = "'";
  std::size_t characters = 0;
  for (const char c : text) {
    if (!continues_character(c) && ++characters > kMostShown) {
      result += "...";
      break;
    }
    const bool control = static_cast<unsigned char>(c) < 0x20U || c == '\x7f';
    result += control ? '?' : c;
  }
  return result + "'";
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) {
    above[j] = j;
  }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = above[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
  if (word.size() > kLongestWord) {
    return {};
  }
  const std::size_t most = std::min<std::size_t>(2, word.size() / 2);
  std::string_view best;
  std::size_t best_distance = most + 1;
  for (const std::string_view candidate : known) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string listed(std::span<const std::string_view> words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) {
      text += i + 1 == words.size() ? " or " : ", ";
    }
    text += words[i];
  }
  return text;
}

}  // namespace drover::engine::parse

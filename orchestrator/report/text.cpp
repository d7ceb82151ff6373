#include "orchestrator/report/text.h"

#include <algorithm>
#include <array>
#include <iterator>

#include <fmt/format.h>

#include "orchestrator/utf8.h"

namespace drover::orchestrator::report {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::string_view kEllipsis = "\xE2\x80\xA6";     // U+2026

struct Range {
  char32_t first;
  char32_t last;
};

/// Controls, and marks that turn the direction of writing or break lines.
constexpr std::array kObeyed = {Range{0x00, 0x1F},
                                Range{0x7F, 0x9F},
                                Range{0x061C, 0x061C},
                                Range{0x200E, 0x200F},
                                Range{0x2028, 0x202E},
                                Range{0x2066, 0x2069},
                                Range{0xFEFF, 0xFEFF}};

/// Combining marks, joiners and variation selectors.
constexpr std::array kNoCell = {Range{0x0300, 0x036F},
                                Range{0x0483, 0x0489},
                                Range{0x0591, 0x05BD},
                                Range{0x0610, 0x061A},
                                Range{0x064B, 0x065F},
                                Range{0x1AB0, 0x1AFF},
                                Range{0x1DC0, 0x1DFF},
                                Range{0x200B, 0x200D},
                                Range{0x20D0, 0x20FF},
                                Range{0xFE00, 0xFE0F},
                                Range{0xFE20, 0xFE2F},
                                Range{0xE0100, 0xE01EF}};

/// East Asian wide and full-width characters, emoji.
constexpr std::array kTwoCells = {Range{0x1100, 0x115F},
                                  Range{0x2E80, 0x303E},
                                  Range{0x3041, 0x33FF},
                                  Range{0x3400, 0x4DBF},
                                  Range{0x4E00, 0x9FFF},
                                  Range{0xA000, 0xA4CF},
                                  Range{0xAC00, 0xD7A3},
                                  Range{0xF900, 0xFAFF},
                                  Range{0xFE30, 0xFE6F},
                                  Range{0xFF00, 0xFF60},
                                  Range{0xFFE0, 0xFFE6},
                                  Range{0x1F300, 0x1F64F},
                                  Range{0x1F680, 0x1F6FF},
                                  Range{0x1F900, 0x1FAFF},
                                  Range{0x20000, 0x3FFFD}};

template <std::size_t Size>
bool is_in(const std::array<Range, Size>& ranges, char32_t character) noexcept {
  const auto after = std::upper_bound(
      ranges.begin(), ranges.end(), character, [](char32_t wanted, const Range& range) {
        return wanted < range.first;
      });
  return after != ranges.begin() && character <= std::prev(after)->last;
}

std::size_t cells_of(char32_t character) noexcept {
  if (is_in(kNoCell, character)) {
    return 0;
  }
  return is_in(kTwoCells, character) ? 2 : 1;
}

}  // namespace

char32_t first_character(std::string_view text) noexcept {
  const std::size_t length = character_length(text.front());
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (length == 1) {
    return byte(0);
  }
  char32_t character = byte(0) & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    character = (character << 6U) | (byte(i) & 0x3FU);
  }
  return character;
}

bool is_obeyed_by_terminals(char32_t character) noexcept {
  return is_in(kObeyed, character);
}

std::string valid_utf8(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) {
    const std::size_t good = valid_utf8_prefix(text);
    valid += text.substr(0, good);
    text.remove_prefix(good);
    if (!text.empty()) {
      valid += kReplacement;
      text.remove_prefix(1);
    }
  }
  return valid;
}

std::string printable(std::string_view text, LineBreaks breaks) {
  const std::string valid = valid_utf8(text);
  std::string clean;
  clean.reserve(valid.size());
  for (std::size_t at = 0; at < valid.size(); at += character_length(valid[at])) {
    const std::string_view rest = std::string_view(valid).substr(at);
    const bool keeps = rest.front() == '\n' && breaks == LineBreaks::keep;
    if (!keeps && is_obeyed_by_terminals(first_character(rest))) {
      clean += ' ';
    } else {
      clean += rest.substr(0, character_length(rest.front()));
    }
  }
  return clean;
}

std::size_t cells_of(std::string_view text) {
  std::size_t cells = 0;
  for (std::size_t at = 0; at < text.size(); at += character_length(text[at])) {
    cells += cells_of(first_character(text.substr(at)));
  }
  return cells;
}

std::string cut_to(std::string_view text, std::size_t cells) {
  if (cells_of(text) <= cells) {
    return std::string(text);
  }
  if (cells == 0) {
    return {};
  }
  std::size_t used = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t more = cells_of(first_character(text.substr(at)));
    if (used + more > cells - 1) {
      break;
    }
    used += more;
    at += character_length(text[at]);
  }
  return std::string(text.substr(0, at)).append(kEllipsis);
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 7> kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto amount = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (amount >= 999.5 && unit + 1 < kUnits.size()) {
    amount /= 1024;
    ++unit;
  }
  return unit == 0 || amount >= 99.95 ? fmt::format("{:.0f} {}", amount, kUnits.at(unit))
                                      : fmt::format("{:.1f} {}", amount, kUnits.at(unit));
}

std::string count_of(std::size_t count, std::string_view thing) {
  return fmt::format("{} {}{}", count, thing, count == 1 ? "" : "s");
}

}  // namespace drover::orchestrator::report

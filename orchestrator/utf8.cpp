#include "orchestrator/utf8.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace drover::orchestrator {
namespace {

/// One row of table 3-7 of the Unicode standard: which second bytes may follow a first byte.
struct Form {
  std::uint8_t first_low, first_high;
  std::size_t length;
  std::uint8_t second_low, second_high;
};

constexpr std::array<Form, 9> kForms = {{
    {0x00, 0x7F, 1, 0x00, 0x00},
    {0xC2, 0xDF, 2, 0x80, 0xBF},
    {0xE0, 0xE0, 3, 0xA0, 0xBF},  // no overlong forms
    {0xE1, 0xEC, 3, 0x80, 0xBF},
    {0xED, 0xED, 3, 0x80, 0x9F},  // no surrogates
    {0xEE, 0xEF, 3, 0x80, 0xBF},
    {0xF0, 0xF0, 4, 0x90, 0xBF},
    {0xF1, 0xF3, 4, 0x80, 0xBF},
    {0xF4, 0xF4, 4, 0x80, 0x8F},  // nothing above U+10FFFF
}};

std::uint8_t byte_at(std::string_view text, std::size_t at) noexcept {
  return static_cast<std::uint8_t>(text[at]);
}

bool is_continuation(std::uint8_t byte) noexcept {
  return (byte & 0xC0U) == 0x80U;
}

/// The length of the well-formed character at the start of `text`; 0 when there is none.
std::size_t well_formed_length(std::string_view text) noexcept {
  const std::uint8_t first = byte_at(text, 0);
  const auto* const form =
      std::find_if(kForms.begin(), kForms.end(), [first](const Form& candidate) {
        return first >= candidate.first_low && first <= candidate.first_high;
      });
  if (form == kForms.end() || text.size() < form->length) {
    return 0;
  }
  if (form->length > 1 &&
      (byte_at(text, 1) < form->second_low || byte_at(text, 1) > form->second_high)) {
    return 0;
  }
  for (std::size_t i = 2; i < form->length; ++i) {
    if (!is_continuation(byte_at(text, i))) {
      return 0;
    }
  }
  return form->length;
}

}  // namespace

std::size_t valid_utf8_prefix(std::string_view text) noexcept {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = well_formed_length(text.substr(at));
    if (length == 0) {
      break;
    }
    at += length;
  }
  return at;
}

bool is_utf8(std::string_view text) noexcept {
  return valid_utf8_prefix(text) == text.size();
}

std::size_t characters_in(std::string_view text) noexcept {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return !is_continuation(static_cast<std::uint8_t>(c));
  }));
}

std::size_t character_length(char first) noexcept {
  const auto byte = static_cast<std::uint8_t>(first);
  if (byte < 0xC0) {
    return 1;
  }
  return byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

}  // namespace drover::orchestrator

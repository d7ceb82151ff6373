#include "engine/files/utf8.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace drover::engine::files {
namespace {

/// How a sequence starts, and the smallest character that may be written with its length.
struct Form {
  std::uint8_t mask;
  std::uint8_t lead;
  std::size_t length;
  std::uint32_t smallest;
};

constexpr std::array<Form, 4> kForms = {{
    {0x80, 0x00, 1, 0x0},
    {0xE0, 0xC0, 2, 0x80},
    {0xF0, 0xE0, 3, 0x800},
    {0xF8, 0xF0, 4, 0x10000},
}};
constexpr std::uint32_t kLargest = 0x10FFFF;
constexpr std::uint32_t kFirstSurrogate = 0xD800;
constexpr std::uint32_t kLastSurrogate = 0xDFFF;

bool is_continuation(char c) noexcept {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

/// The length of the character that `text` starts with, or 0 when it starts with none.
std::size_t first_length(std::string_view text) noexcept {
  const auto lead = static_cast<std::uint8_t>(text.front());
  const auto form = std::find_if(
      kForms.begin(), kForms.end(), [lead](const Form& f) { return (lead & f.mask) == f.lead; });
  if (form == kForms.end() || text.size() < form->length) {
    return 0;
  }
  std::uint32_t character = lead & static_cast<std::uint8_t>(~form->mask);
  for (const char c : text.substr(1, form->length - 1)) {
    if (!is_continuation(c)) {
      return 0;
    }
    character = character << 6U | (static_cast<unsigned char>(c) & 0x3FU);
  }
  const bool is_surrogate = character >= kFirstSurrogate && character <= kLastSurrogate;
  const bool is_valid = character >= form->smallest && character <= kLargest && !is_surrogate;
  return is_valid ? form->length : 0;
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t length = first_length(text);
    if (length == 0) {
      return false;
    }
    text.remove_prefix(length);
  }
  return true;
}

std::size_t bytes_of_first(std::string_view text, std::size_t characters) noexcept {
  std::size_t at = 0;
  while (at < text.size()) {
    if (!is_continuation(text[at]) && characters-- == 0) {
      return at;
    }
    ++at;
  }
  return at;
}

}  // namespace drover::engine::files

#include "engine/batch.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace drover::engine {

std::string text_of_key(const BatchKey& key) {
  constexpr unsigned char kFirstPlain = 0x20;
  std::string text = "[";
  for (const std::string& value : key) {
    text += text.size() > 1 ? ",\"" : "\"";
    for (const char c : value) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < kFirstPlain) {
        text += fmt::format("\\u{:04x}", byte);
        continue;
      }
      text += c == '"' || c == '\\' ? "\\" : "";
      text += c;
    }
    text += '"';
  }
  return text + "]";
}

BatchKey key_in(std::string_view text) {
  constexpr std::size_t kCodeSize = 5;  // u0000
  BatchKey key;
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') {
      inside = !inside;
      if (inside) {
        key.emplace_back();
      }
    } else if (inside && text[i] == '\\' && text.substr(i + 1).starts_with('u')) {
      unsigned code = 0;
      const std::string_view digits = text.substr(i + 2, kCodeSize - 1);
      std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
      key.back() += static_cast<char>(code);
      i += kCodeSize;
    } else if (inside) {
      i += text[i] == '\\' ? 1U : 0U;
      key.back() += text[i];
    }
  }
  return key;
}

std::uint64_t BatchStatus::rows_seen() const noexcept {
  std::uint64_t sum = 0;
  for (const BatchRange& range : ranges) {
    sum += range.rows_seen;
  }
  return sum;
}

bool BatchStatus::all_ranges_done() const noexcept {
  return std::all_of(
      ranges.begin(), ranges.end(), [](const BatchRange& range) { return range.done; });
}

}  // namespace drover::engine

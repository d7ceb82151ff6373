#include "engine/revision_id.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ostream>

namespace drover::engine {
namespace {

constexpr std::array<std::string_view, 5> kReservedWords = {
    "head", "heads", "base", "current", "none"};
constexpr std::size_t kMaxLength = 128;

/// The first five separate ids in references such as id+2, a:b and branch@head; the others would
/// make paths of file names.
constexpr std::string_view kRefused = "@-+:,/\\";

bool is_control(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20U || byte == 0x7FU;
}

bool is_reserved(std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return std::find(kReservedWords.begin(), kReservedWords.end(), lower) != kReservedWords.end();
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const RevisionId& id) {
  return out << id.value;
}

std::optional<NameDefect> name_defect(std::string_view name) {
  if (name.empty()) {
    return NameDefect{"is empty", "Give it at least one character."};
  }
  if (name.size() > kMaxLength) {
    return NameDefect{fmt::format("is longer than {} bytes", kMaxLength), "Shorten it."};
  }
  if (is_reserved(name)) {
    return NameDefect{"is a reserved word",
                      "Rename it: head, heads, base, current and none have meanings of their own."};
  }
  if (const auto at = name.find_first_of(kRefused); at != std::string_view::npos) {
    return NameDefect{fmt::format("holds '{}'", name[at]),
                      "Rename it: use letters, digits and underscores."};
  }
  if (std::any_of(name.begin(), name.end(), is_control)) {
    return NameDefect{"holds a control character", "Rename it: use letters and digits."};
  }
  if (name.find(' ') != std::string_view::npos) {
    return NameDefect{"holds a blank", "Rename it: use an underscore where the blank is."};
  }
  return std::nullopt;
}

std::string in_quotes(std::string_view text) {
  std::string result = "'";
  for (const char c : text) {
    if (is_control(c)) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
    } else {
      result += c;
    }
  }
  return result + "'";
}

std::string in_quotes(const RevisionId& id) {
  return in_quotes(id.value);
}

std::string listed(std::span<const RevisionId> ids, std::size_t most) {
  std::string text;
  for (const RevisionId& id : ids.first(std::min(most, ids.size()))) {
    text += (text.empty() ? "" : ", ") + id.value;
  }
  if (ids.size() > most) {
    text += fmt::format(" and {} more", ids.size() - most);
  }
  return text;
}

}  // namespace drover::engine

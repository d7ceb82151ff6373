#include "engine/parse/value_rules.h"

#include <charconv>
#include <limits>

#include "engine/parse/sql_tokens.h"

namespace drover::engine::parse {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMostDigits = 18;
constexpr std::size_t kLongestName = 63;
constexpr auto kLongestTime = static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max());

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr Unit kTimeUnits[] = {{"ms", 1}, {"s", 1000}, {"min", 60'000}, {"h", 3'600'000}};
constexpr Unit kSizeUnits[] = {{"kB", 1ULL << 10U}, {"MB", 1ULL << 20U}, {"GB", 1ULL << 30U}};

/// A number and one of `units`, as a multiple of the smallest; at most `most`.
template <std::size_t size>
std::optional<std::uint64_t> quantity_in(std::string_view text,
                                         const Unit (&units)[size],
                                         std::uint64_t most) noexcept {
  std::size_t digits = 0;
  while (digits < text.size() && is_digit(text[digits])) {
    ++digits;
  }
  const auto number = number_in(text.substr(0, digits));
  for (const Unit& unit : units) {
    if (number && text.substr(digits) == unit.name && *number <= most / unit.factor) {
      return *number * unit.factor;
    }
  }
  return std::nullopt;
}

/// The size of the unquoted identifier that `text` begins with; 0 when there is none.
std::size_t plain_name_size(std::string_view text) noexcept {
  std::size_t end = 0;
  while (end < text.size() &&
         (starts_word(text[end]) || (end > 0 && (is_digit(text[end]) || text[end] == '$')))) {
    ++end;
  }
  return end;
}

/// The size of the quoted identifier that `text` begins with, its quotes included; 0 when there is
/// none, or it is never closed.
std::size_t quoted_name_size(std::string_view text) noexcept {
  std::size_t close = text.find('"', 1);
  while (close != std::string_view::npos && text.substr(close + 1).starts_with('"')) {
    close = text.find('"', close + 2);
  }
  return close == std::string_view::npos ? 0 : close + 1;
}

/// Takes one identifier from the front of `text`. False, and nothing taken, when there is none.
bool take_name(std::string_view& text) noexcept {
  const bool in_quotes = text.starts_with('"');
  const std::size_t size = in_quotes ? quoted_name_size(text) : plain_name_size(text);
  const std::size_t quotes = in_quotes ? 2 : 0;
  if (size <= quotes || size - quotes > kLongestName) {
    return false;
  }
  text.remove_prefix(size);
  return true;
}

bool take_character(std::string_view& text, char wanted) noexcept {
  if (text.empty() || text.front() != wanted) {
    return false;
  }
  text.remove_prefix(1);
  return true;
}

void skip_blanks(std::string_view& text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
}

}  // namespace

std::optional<std::uint64_t> number_in(std::string_view text) noexcept {
  if (text.empty() || text.size() > kMostDigits || !is_digit(text.front())) {
    return std::nullopt;
  }
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end ? std::optional(number) : std::nullopt;
}

std::optional<milliseconds> duration_in(std::string_view text) noexcept {
  const auto value = quantity_in(text, kTimeUnits, kLongestTime);
  return value ? std::optional(milliseconds(static_cast<std::int64_t>(*value))) : std::nullopt;
}

std::optional<std::uint64_t> bytes_in(std::string_view text) noexcept {
  return quantity_in(text, kSizeUnits, std::numeric_limits<std::int64_t>::max());
}

std::optional<std::uint64_t> percent_in(std::string_view text) noexcept {
  if (!text.ends_with('%')) {
    return std::nullopt;
  }
  const auto number = number_in(text.substr(0, text.size() - 1));
  return number && *number <= 100 ? number : std::nullopt;
}

std::optional<NumberRange> range_in(std::string_view text) noexcept {
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) {
    return std::nullopt;
  }
  const auto least = number_in(text.substr(0, dots));
  const auto most = number_in(text.substr(dots + 2));
  if (!least || !most || *least > *most) {
    return std::nullopt;
  }
  return NumberRange{*least, *most};
}

bool is_name(std::string_view text) noexcept {
  return take_name(text) && text.empty();
}

bool is_qualified_name(std::string_view text) noexcept {
  if (!take_name(text)) {
    return false;
  }
  return text.empty() || (take_character(text, '.') && is_name(text));
}

bool is_list_of_names(std::string_view text) noexcept {
  do {
    skip_blanks(text);
    if (!take_name(text)) {
      return false;
    }
    skip_blanks(text);
  } while (take_character(text, ','));
  return text.empty();
}

}  // namespace drover::engine::parse

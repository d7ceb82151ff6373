#include "orchestrator/settings/given.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <system_error>

#include <fmt/format.h>

#include "orchestrator/nearest.h"

namespace drover::orchestrator::settings {
namespace {

using std::chrono::milliseconds;

struct Unit {
  std::string_view name;
  std::uint64_t size;
};

constexpr std::array<Unit, 5> kTimeUnits = {
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
constexpr std::array<Unit, 4> kByteUnits = {
    {{"GiB", 1ULL << 30U}, {"MiB", 1ULL << 20U}, {"KiB", 1ULL << 10U}, {"B", 1}}};

constexpr milliseconds kLongestDuration = std::chrono::hours(24 * 3650);
constexpr std::uint64_t kMostBytes = 1ULL << 40U;
constexpr std::uint64_t kTooMuch = std::numeric_limits<std::uint64_t>::max();

std::string quoted(const Given& given) {
  return fmt::format("is '{}'", given.text);
}

/// Takes the digits off the front of `text`; nullopt when there are none. What does not fit is
/// kTooMuch.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0) {
    return std::nullopt;
  }
  std::uint64_t number = 0;
  const auto result = std::from_chars(text.data(), text.data() + digits, number);
  text.remove_prefix(digits);
  return result.ec == std::errc() ? number : kTooMuch;
}

/// A whole number in the only form there is: digits, without a sign, quotes or leading zeros.
std::uint64_t to_number(const Given& given, const std::string& hint) {
  std::string_view rest = given.text;
  const std::optional<std::uint64_t> number = take_number(rest);
  if (!number || !rest.empty()) {
    refuse_setting(given, quoted(given) + ", not a whole number", hint);
  }
  if (given.text.size() > 1 && given.text.front() == '0') {
    refuse_setting(given,
                   quoted(given) + ", a number with a leading zero",
                   "Write it without the zero; octal numbers do not exist here.");
  }
  if (given.style == Given::Style::quoted) {
    refuse_setting(given, quoted(given) + " in quotes, not a number", "Take the quotes away.");
  }
  return *number;
}

/// A number with one of `units`, in the smallest unit; kTooMuch when it does not fit.
template <std::size_t Count>
std::uint64_t to_measure(const Given& given,
                         const std::array<Unit, Count>& units,
                         std::string_view what,
                         const std::string& hint) {
  std::string_view rest = given.text;
  const std::optional<std::uint64_t> number = take_number(rest);
  if (!number) {
    refuse_setting(given, fmt::format("{}, not {}", quoted(given), what), hint);
  }
  if (rest.empty()) {
    refuse_setting(given, quoted(given) + ", which has no unit", hint);
  }
  const auto unit = std::find_if(
      units.begin(), units.end(), [rest](const Unit& known) { return known.name == rest; });
  if (unit == units.end()) {
    refuse_setting(given, fmt::format("{}, not {}", quoted(given), what), hint);
  }
  return *number > kTooMuch / unit->size ? kTooMuch : *number * unit->size;
}

}  // namespace

void refuse_setting(const Given& given, const std::string& why, std::string hint) {
  throw Error(ErrorCode::usage,
              "invalid_setting",
              fmt::format("{} {}", given.name, why),
              std::move(hint),
              given.place);
}

std::string to_text(const Given& given) {
  if (given.text.empty()) {
    refuse_setting(given, "is empty", "Give it a value, or remove it.");
  }
  if (given.text.find('\0') != std::string::npos) {
    refuse_setting(given, "holds a NUL", "Remove it.");
  }
  return given.text;
}

bool to_flag(const Given& given) {
  if (given.text != "true" && given.text != "false") {
    refuse_setting(given, quoted(given) + ", not true or false", "Write true or false.");
  }
  if (given.style == Given::Style::quoted) {
    refuse_setting(given, quoted(given) + " in quotes, not true or false", "Take the quotes away.");
  }
  return given.text == "true";
}

std::size_t to_count(const Given& given, std::size_t least, std::size_t most) {
  const std::string hint = fmt::format("Give a whole number from {} to {}.", least, most);
  const std::uint64_t number = to_number(given, hint);
  if (number < least) {
    refuse_setting(given, fmt::format("is {}, less than {}", given.text, least), hint);
  }
  if (number > most) {
    refuse_setting(given, fmt::format("is {}, more than {}", given.text, most), hint);
  }
  return static_cast<std::size_t>(number);
}

milliseconds to_duration(const Given& given, milliseconds least) {
  const std::uint64_t number =
      to_measure(given,
                 kTimeUnits,
                 "a duration",
                 "Write a whole number and ms, s, m, h or d, as in 500ms or 10m.");
  if (number > static_cast<std::uint64_t>(kLongestDuration.count())) {
    refuse_setting(given, quoted(given) + ", more than 3650d", "Give a shorter duration.");
  }
  const milliseconds duration(number);
  if (duration < least) {
    refuse_setting(given,
                   fmt::format("{}, less than {}", quoted(given), print_duration(least)),
                   "Give a longer duration.");
  }
  return duration;
}

std::optional<milliseconds> to_duration_or_none(const Given& given, milliseconds least) {
  if (given.text == "none") {
    return std::nullopt;
  }
  return to_duration(given, least);
}

std::size_t to_percent(const Given& given) {
  Given number = given;
  if (!number.text.empty() && number.text.back() == '%') {
    number.text.pop_back();
  }
  return to_count(number, 1, 100);
}

std::size_t to_bytes(const Given& given) {
  const std::uint64_t bytes = to_measure(
      given, kByteUnits, "a size", "Write a whole number and B, KiB, MiB or GiB, as in 64MiB.");
  if (bytes == 0 || bytes > kMostBytes) {
    refuse_setting(given, quoted(given) + ", not from 1B to 1024GiB", "Give a size between them.");
  }
  return static_cast<std::size_t>(bytes);
}

std::size_t to_choice(const Given& given, const std::vector<std::string>& words) {
  const auto found = std::find(words.begin(), words.end(), given.text);
  if (found == words.end()) {
    refuse_setting(given, quoted(given) + ", which is not known", nearest_hint(given.text, words));
  }
  return static_cast<std::size_t>(found - words.begin());
}

std::string print_duration(milliseconds duration) {
  const auto count = static_cast<std::uint64_t>(duration.count());
  const auto unit = std::find_if(kTimeUnits.begin(), kTimeUnits.end(), [count](const Unit& known) {
    return count % known.size == 0 && (count != 0 || known.name == "s");
  });
  return fmt::format("{}{}", count / unit->size, unit->name);
}

}  // namespace drover::orchestrator::settings

#include "orchestrator/plan/utc_time.h"

#include <charconv>
#include <chrono>

#include <fmt/format.h>

namespace drover::orchestrator::plan {
namespace {

/// The number in `count` digits of `text` from `at` on; what is no digit gives another spelling
/// when the time is written again, and so is refused there.
int digits(std::string_view text, std::size_t at, std::size_t count) {
  int value = 0;
  std::from_chars(text.data() + at, text.data() + at + count, value);
  return value;
}

}  // namespace

std::string to_utc_text(WallTime time) {
  using std::chrono::floor;
  const auto day = floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(floor<std::chrono::seconds>(time - day));
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
                     static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()),
                     clock.hours().count(),
                     clock.minutes().count(),
                     clock.seconds().count());
}

std::optional<WallTime> from_utc_text(std::string_view text) {
  if (text.size() != std::string_view("2026-03-01T09:30:00Z").size()) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date(
      std::chrono::year(digits(text, 0, 4)),
      std::chrono::month(static_cast<unsigned>(digits(text, 5, 2))),
      std::chrono::day(static_cast<unsigned>(digits(text, 8, 2))));
  const int year = static_cast<int>(date.year());
  if (!date.ok() || year < 1970 || year > 2200) {
    return std::nullopt;
  }
  const WallTime time = std::chrono::sys_days(date) + std::chrono::hours(digits(text, 11, 2)) +
                        std::chrono::minutes(digits(text, 14, 2)) +
                        std::chrono::seconds(digits(text, 17, 2));
  // Hours from 24 on, signs, blanks and other separators give another text.
  return to_utc_text(time) == text ? std::optional(time) : std::nullopt;
}

}  // namespace drover::orchestrator::plan

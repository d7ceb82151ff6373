// Windows against calendars: every instant below is UTC and was worked out by hand.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "engine/error.h"
#include "orchestrator/gates/window.h"

using drover::Error;
using drover::ErrorCode;
using drover::Place;
using drover::orchestrator::WallTime;
using drover::orchestrator::Window;
using drover::orchestrator::gates::check_window;
using drover::orchestrator::gates::OpenSpan;
using drover::orchestrator::gates::span_at_or_after;

using namespace std::chrono;

namespace {

const std::vector<weekday> kAllDays{Sunday, Monday, Tuesday, Wednesday, Thursday, Friday, Saturday};
const std::vector<weekday> kWorkdays{Monday, Tuesday, Wednesday, Thursday, Friday};

Window window(std::vector<weekday> days, minutes from, minutes to, std::string zone) {
  return {std::move(days), from, to, std::move(zone)};
}

WallTime utc(int y, unsigned m, unsigned d, hours h = 0h, minutes min = 0min) {
  return sys_days(year(y) / month(m) / day(d)) + h + min;
}

std::string text_of(WallTime at) {
  const std::time_t seconds = system_clock::to_time_t(at);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%F %T", &parts);
  return text;
}

/// "2026-11-23 21:00:00 - 2026-11-23 23:00:00"
std::string span_text(const Window& window, WallTime now) {
  const OpenSpan span = span_at_or_after(window, now);
  return text_of(span.opens) + " - " + text_of(span.closes);
}

template <typename Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::usage);
    return to_string(error.place()) + ": " + error.kind_name() + ": " + error.what() + " | " +
           error.hint();
  }
  return "no error";
}

std::string error_of_zone(const std::string& zone) {
  return error_of([&] { check_window(window(kAllDays, 1h, 2h, zone), {"drover.yaml", 7, 3}); });
}

/// What the C library says about local time: a second opinion. Puts TZ back at its end.
class LocalTime {
 public:
  explicit LocalTime(const std::string& zone) {
    if (const char* before = std::getenv("TZ")) {
      before_ = before;
    }
    setenv("TZ", zone.c_str(), 1);
    tzset();
  }
  ~LocalTime() {
    if (before_) {
      setenv("TZ", before_->c_str(), 1);
    } else {
      unsetenv("TZ");
    }
    tzset();
  }
  LocalTime(const LocalTime&) = delete;
  LocalTime& operator=(const LocalTime&) = delete;

  std::tm of(WallTime at) const {
    const std::time_t seconds = system_clock::to_time_t(at);
    std::tm parts{};
    localtime_r(&seconds, &parts);
    return parts;
  }

 private:
  std::optional<std::string> before_;
};

minutes time_of_day(const std::tm& local) {
  return hours(local.tm_hour) + minutes(local.tm_min);
}

}  // namespace

TEST_CASE("a window on an ordinary day is open from its first instant up to its last", "[window]") {
  const Window evening = window(kWorkdays, 22h, 23h + 30min, "Europe/Berlin");
  const std::string monday = "2026-11-23 21:00:00 - 2026-11-23 22:30:00";
  const std::string tuesday = "2026-11-24 21:00:00 - 2026-11-24 22:30:00";
  CHECK(span_text(evening, utc(2026, 11, 23, 8h)) == monday);
  CHECK(span_text(evening, utc(2026, 11, 23, 21h)) == monday);
  CHECK(span_text(evening, utc(2026, 11, 23, 22h, 29min)) == monday);
  CHECK(span_text(evening, utc(2026, 11, 23, 22h, 30min)) == tuesday);
  CHECK(span_text(evening, utc(2026, 11, 23, 22h, 30min) - 1ns) == monday);
}

TEST_CASE("a window over midnight belongs to the day on which it opens", "[window]") {
  const Window night = window({Friday}, 22h, 4h, "Europe/Berlin");
  const std::string friday = "2026-11-27 21:00:00 - 2026-11-28 03:00:00";
  CHECK(span_text(night, utc(2026, 11, 27, 2h)) == friday);  // Friday morning is not in it
  CHECK(span_text(night, utc(2026, 11, 28, 2h)) == friday);  // Saturday morning is
  CHECK(span_text(night, utc(2026, 11, 28, 3h)) == "2026-12-04 21:00:00 - 2026-12-05 03:00:00");
}

TEST_CASE("a window that ends when it begins is open for a day", "[window]") {
  const Window sunday = window({Sunday}, 6h, 6h, "UTC");
  CHECK(span_text(sunday, utc(2026, 11, 23, 5h, 59min)) ==
        "2026-11-22 06:00:00 - 2026-11-23 06:00:00");
  CHECK(span_text(sunday, utc(2026, 11, 23, 6h)) == "2026-11-29 06:00:00 - 2026-11-30 06:00:00");
}

TEST_CASE("a window of working days waits over the weekend", "[window]") {
  const Window day = window(kWorkdays, 9h, 17h, "Europe/Berlin");
  const std::string monday = "2026-11-30 08:00:00 - 2026-11-30 16:00:00";
  CHECK(span_text(day, utc(2026, 11, 27, 16h)) == monday);
  CHECK(span_text(day, utc(2026, 11, 28, 12h)) == monday);
  CHECK(span_text(day, utc(2026, 11, 29, 23h)) == monday);
}

TEST_CASE("the day is the zone's, not that of UTC", "[window]") {
  // 13:00 UTC on Sunday is two in the morning of Monday in Auckland.
  const Window early = window({Monday}, 1h, 3h, "Pacific/Auckland");
  CHECK(span_text(early, utc(2026, 11, 22, 13h)) == "2026-11-22 12:00:00 - 2026-11-22 14:00:00");
}

TEST_CASE("where clocks go forward a time that is left out is the end of the gap", "[window]") {
  // Berlin, 29 March 2026: 02:00 becomes 03:00 at 01:00 UTC.
  const WallTime eve = utc(2026, 3, 28, 12h);
  const auto berlin = [&](minutes from, minutes to) {
    return span_text(window({Sunday}, from, to, "Europe/Berlin"), eve);
  };
  CHECK(berlin(1h, 5h) == "2026-03-29 00:00:00 - 2026-03-29 03:00:00");
  CHECK(berlin(2h + 30min, 5h) == "2026-03-29 01:00:00 - 2026-03-29 03:00:00");
  CHECK(berlin(1h, 2h + 30min) == "2026-03-29 00:00:00 - 2026-03-29 01:00:00");
}

TEST_CASE("a window that lies in the gap altogether opens a week later", "[window]") {
  const Window gone = window({Sunday}, 2h + 10min, 2h + 50min, "Europe/Berlin");
  const std::string later = "2026-04-05 00:10:00 - 2026-04-05 00:50:00";
  CHECK(span_text(gone, utc(2026, 3, 22, 1h, 50min)) == later);
  CHECK(span_text(gone, utc(2026, 3, 29, 1h)) == later);
}

TEST_CASE("where clocks go back a window opens at the first and closes at the second", "[window]") {
  // Berlin, 25 October 2026: 03:00 becomes 02:00 at 01:00 UTC.
  const WallTime eve = utc(2026, 10, 24, 12h);
  const auto berlin = [&](minutes from, minutes to) {
    return span_text(window({Sunday}, from, to, "Europe/Berlin"), eve);
  };
  CHECK(berlin(1h, 5h) == "2026-10-24 23:00:00 - 2026-10-25 04:00:00");
  CHECK(berlin(2h + 30min, 5h) == "2026-10-25 00:30:00 - 2026-10-25 04:00:00");
  CHECK(berlin(1h, 2h + 30min) == "2026-10-24 23:00:00 - 2026-10-25 01:30:00");
  CHECK(berlin(2h, 2h + 30min) == "2026-10-25 00:00:00 - 2026-10-25 01:30:00");
}

TEST_CASE("the clocks of New York change on other days than those of Berlin", "[window]") {
  // 8 March 2026: 02:00 becomes 03:00 at 07:00 UTC.
  const Window night = window({Saturday, Sunday}, 23h, 2h + 30min, "America/New_York");
  CHECK(span_text(night, utc(2026, 3, 8, 5h)) == "2026-03-08 04:00:00 - 2026-03-08 07:00:00");
  CHECK(span_text(night, utc(2026, 3, 8, 7h)) == "2026-03-09 03:00:00 - 2026-03-09 06:30:00");
}

TEST_CASE("a zone that the system does not know is refused with the one that was meant",
          "[window]") {
  CHECK(error_of_zone("Europe/Berln") ==
        "drover.yaml:7:3: unknown_zone: there is no time zone 'Europe/Berln' | "
        "Did you mean 'Europe/Berlin'?");
  CHECK(error_of_zone("berlin") ==
        "drover.yaml:7:3: unknown_zone: there is no time zone 'berlin' | "
        "Did you mean 'Europe/Berlin'?");
  CHECK(error_of_zone("somewhere over the rainbow") ==
        "drover.yaml:7:3: unknown_zone: there is no time zone 'somewhere over the rainbow' | "
        "Name a zone of the system as in 'Europe/Berlin' or 'UTC'.");
  CHECK(error_of_zone("Europe/Berlin") == "no error");
  CHECK(error_of([] {
          span_at_or_after(window(kAllDays, 1h, 2h, "Mars/Olympus_Mons"), utc(2026, 1, 1));
        }) ==
        ": unknown_zone: there is no time zone 'Mars/Olympus_Mons' | "
        "Name a zone of the system as in 'Europe/Berlin' or 'UTC'.");
}

TEST_CASE("a window without a day never opens", "[window]") {
  const Window never = window({}, 1h, 2h, "Europe/Berlin");
  const std::string message =
      ": window_never_opens: the window in 'Europe/Berlin' never opens | "
      "Name at least one day on which it opens.";
  CHECK(error_of([&] {
          check_window(never, {"drover.yaml", 7, 3});
        }) == "drover.yaml:7:3" + message);
  CHECK(error_of([&] { span_at_or_after(never, utc(2026, 1, 1)); }) == message);
}

TEST_CASE("at any instant the span is open or next, and opens on a day that was named",
          "[window]") {
  for (const std::string zone : {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe"}) {
    const LocalTime local(zone);
    for (std::uint32_t seed = 1; seed <= 500; ++seed) {
      CAPTURE(zone, seed);
      std::mt19937 random(seed);
      const auto below = [&](std::uint32_t limit) { return random() % limit; };
      std::vector<weekday> days;
      std::sample(kAllDays.begin(), kAllDays.end(), std::back_inserter(days), 1 + below(7), random);
      const Window any = window(days, minutes(below(1440)), minutes(below(1440)), zone);
      const WallTime now = utc(2015, 1, 1) + seconds(below(20U * 365 * 86'400));

      const OpenSpan span = span_at_or_after(any, now);
      REQUIRE(span.opens < span.closes);
      REQUIRE(now < span.closes);
      REQUIRE(span.opens - now < 8 * 24h);
      const std::tm opening = local.of(span.opens);
      const weekday opened(static_cast<unsigned>(opening.tm_wday));
      REQUIRE(std::find(days.begin(), days.end(), opened) != days.end());
      REQUIRE(time_of_day(opening) >= any.from);  // later only after a gap
      REQUIRE(time_of_day(opening) <= any.from + 1h);
      REQUIRE(span_at_or_after(any, span.closes - 1s) == span);
      REQUIRE(span_at_or_after(any, std::max(now, span.opens)) == span);
    }
  }
}

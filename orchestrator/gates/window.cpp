#include "orchestrator/gates/window.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include <date/tz.h>
#include <fmt/format.h>

#include "orchestrator/nearest.h"

namespace drover::orchestrator::gates {
namespace {

/// A span that is open now opened on this local day or on one before it; two, for zones that once
/// left out a day.
constexpr date::days kLookBack{2};

/// A weekday may lie in a gap of the clocks one week, never two in a row.
constexpr date::days kLookAhead{15};

const date::tzdb& zones(const Place& place) {
  try {
    return date::get_tzdb();
  } catch (const std::exception& error) {
    throw Error(ErrorCode::storage,
                "no_time_zones",
                fmt::format("the time zones of this machine cannot be read: {}", error.what()),
                "Install the package tzdata.",
                place);
  }
}

std::string city_of(const std::string& zone) {
  return zone.substr(zone.rfind('/') + 1);  // npos + 1 is 0: all of it
}

/// By the whole name, else by the city alone: people write "Berlin".
std::string zone_hint(std::string_view wanted, const date::tzdb& known) {
  std::vector<std::string> names;
  std::vector<std::string> cities;
  for (const date::time_zone& zone : known.zones) {
    names.push_back(zone.name());
    cities.push_back(city_of(zone.name()));
  }
  std::string near = nearest(wanted, names);
  if (near.empty()) {
    const std::string city = nearest(wanted, cities);
    const auto found = std::find(cities.begin(), cities.end(), city);
    near = found == cities.end() ? "" : names[static_cast<std::size_t>(found - cities.begin())];
  }
  return near.empty() ? "Name a zone of the system as in 'Europe/Berlin' or 'UTC'."
                      : fmt::format("Did you mean '{}'?", near);
}

const date::time_zone& zone_named(const std::string& name, const Place& place) {
  const date::tzdb& known = zones(place);
  const auto found = std::find_if(known.zones.begin(),
                                  known.zones.end(),
                                  [&](const date::time_zone& zone) { return zone.name() == name; });
  if (found == known.zones.end()) {
    throw Error(ErrorCode::usage,
                "unknown_zone",
                fmt::format("there is no time zone '{}'", name),
                zone_hint(name, known),
                place);
  }
  return *found;
}

[[noreturn]] void refuse_never_open(const Window& window, const Place& place) {
  throw Error(ErrorCode::usage,
              "window_never_opens",
              fmt::format("the window in '{}' never opens", window.zone),
              "Name at least one day on which it opens.",
              place);
}

enum class Edge { opens, closes };

WallTime instant_of(date::local_seconds local, const date::time_zone& zone, Edge edge) {
  const date::local_info info = zone.get_info(local);
  if (info.result == date::local_info::nonexistent) {
    return info.first.end;
  }
  const bool second = info.result == date::local_info::ambiguous && edge == Edge::closes;
  const std::chrono::seconds offset = second ? info.second.offset : info.first.offset;
  return date::sys_seconds(local.time_since_epoch() - offset);
}

bool opens_on(const Window& window, date::local_days day) {
  const std::chrono::weekday weekday(date::weekday(day).c_encoding());
  return std::find(window.days.begin(), window.days.end(), weekday) != window.days.end();
}

OpenSpan span_of(const Window& window, date::local_days day, const date::time_zone& zone) {
  const date::local_days last = window.to <= window.from ? day + date::days(1) : day;
  return {instant_of(day + window.from, zone, Edge::opens),
          instant_of(last + window.to, zone, Edge::closes)};
}

}  // namespace

OpenSpan span_at_or_after(const Window& window, WallTime now) {
  const date::time_zone& zone = zone_named(window.zone, {});
  const auto today = date::floor<date::days>(zone.to_local(now));
  for (date::local_days day = today - kLookBack; day <= today + kLookAhead; day += date::days(1)) {
    if (!opens_on(window, day)) {
      continue;
    }
    const OpenSpan span = span_of(window, day, zone);
    if (span.opens < span.closes && now < span.closes) {
      return span;
    }
  }
  refuse_never_open(window, {});
}

void check_window(const Window& window, const Place& place) {
  zone_named(window.zone, place);
  if (window.days.empty()) {
    refuse_never_open(window, place);
  }
}

}  // namespace drover::orchestrator::gates

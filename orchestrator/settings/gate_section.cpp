#include "orchestrator/settings/gate_section.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "orchestrator/settings/section.h"

namespace drover::orchestrator::settings {
namespace {

constexpr std::size_t kMostApprovals = 10;
constexpr std::size_t kMostAnswers = 1'000;
constexpr unsigned kDaysInWeek = 7;

/// In the order of std::chrono::weekday.
const std::vector<std::string> kDayNames = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

unsigned to_day(Given given, const std::string& word) {
  given.text = word;
  return static_cast<unsigned>(to_choice(given, kDayNames));
}

/// "mon", or a range "mon-fri" that may go over the end of the week.
std::vector<std::chrono::weekday> days_in(const Given& given) {
  const std::size_t dash = given.text.find('-');
  const unsigned first = to_day(given, given.text.substr(0, dash));
  const unsigned last =
      dash == std::string::npos ? first : to_day(given, given.text.substr(dash + 1));
  std::vector<std::chrono::weekday> days;
  for (unsigned day = first;; day = (day + 1) % kDaysInWeek) {
    days.emplace_back(day);
    if (day == last) {
      return days;
    }
  }
}

std::vector<std::chrono::weekday> read_days(const YamlNode& node, const std::string& name) {
  if (node.kind != YamlNode::Kind::list) {
    return days_in(given_of(node, name));
  }
  std::vector<std::chrono::weekday> days;
  for (const YamlNode& item : items_of(node, name)) {
    const std::vector<std::chrono::weekday> more = days_in(given_of(item, name));
    days.insert(days.end(), more.begin(), more.end());
  }
  return days;
}

/// "22:00"
std::chrono::minutes to_time_of_day(const Given& given) {
  const std::string& text = given.text;
  const auto digit = [&text](std::size_t at) { return text[at] >= '0' && text[at] <= '9'; };
  const auto number = [&text](std::size_t at) {
    return (text[at] - '0') * 10 + text[at + 1] - '0';
  };
  const bool has_form = text.size() == 5 && digit(0) && digit(1) && text[2] == ':' && digit(3) &&
                        digit(4) && number(0) < 24 && number(3) < 60;
  if (!has_form) {
    refuse_setting(given,
                   fmt::format("is '{}', not a time of day", text),
                   "Write hours and minutes in quotes, as in \"22:00\".");
  }
  return std::chrono::hours(number(0)) + std::chrono::minutes(number(3));
}

/// "Europe/Berlin" or "UTC". Whether the zone exists is known only where the zones are.
std::string to_zone(const Given& given) {
  std::string zone = to_text(given);
  const bool has_form = std::all_of(zone.begin(), zone.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '/' ||
           c == '_' || c == '-' || c == '+';
  });
  if (!has_form || zone.front() == '/' || zone.back() == '/') {
    refuse_setting(given,
                   fmt::format("is '{}', not a time zone", zone),
                   "Write the zone's name, as in Europe/Berlin or UTC.");
  }
  return zone;
}

/// What every kind of check may say beside what it asks.
Check read_check(const Section& section, std::variant<SqlProbe, CommandProbe, HttpProbe> what) {
  Check check;
  check.what = std::move(what);
  if (const std::optional<Given> passes = section.given("passes")) {
    check.passes = to_count(*passes, 1, kMostAnswers);
  }
  if (const std::optional<Given> retries = section.given("retries")) {
    check.retries = to_count(*retries, 0, kMostAnswers);
  }
  if (const std::optional<Given> interval = section.given("interval")) {
    check.interval = to_duration(*interval, std::chrono::milliseconds(0));
  }
  return check;
}

Check read_probe(const YamlNode& node, const std::string& name, const SectionReader& reader) {
  const Section section(node, name, {"on", "sql", "passes", "retries", "interval"});
  SqlProbe probe;
  const Given on = section.required("on");
  if (on.text != "tenant") {
    const bool connects = on.text.find_first_of(":=$") != std::string::npos;
    if (!connects) {
      refuse_setting(on,
                     fmt::format("is '{}', neither 'tenant' nor a connection", on.text),
                     "Write tenant, or the URL of the database that is to be asked.");
    }
    probe.on = SqlProbe::On::control;
    probe.control = reader.target(on);
  }
  probe.sql = to_text(section.required("sql"));
  return read_check(section, std::move(probe));
}

Check read_command(const YamlNode& node, const std::string& name) {
  const Section section(node, name, {"argv", "deadline", "passes", "retries", "interval"});
  CommandProbe probe;
  probe.argv = texts_of(section.required_value("argv"), section.name_of("argv"));
  if (const std::optional<Given> deadline = section.given("deadline")) {
    probe.deadline = to_duration(*deadline, std::chrono::milliseconds(100));
  }
  return read_check(section, std::move(probe));
}

Check read_http(const YamlNode& node, const std::string& name) {
  constexpr std::string_view kScheme = "http://";
  const Section section(node, name, {"url", "deadline", "passes", "retries", "interval"});
  HttpProbe probe;
  const Given url = section.required("url");
  probe.url = to_text(url);
  const bool has_host = probe.url.size() > kScheme.size() && probe.url[kScheme.size()] != '/';
  if (!probe.url.starts_with(kScheme) || !has_host) {
    refuse_setting(url,
                   "is no URL that can be asked",  // it may hold a secret
                   "Write http://HOST:PORT/PATH; for anything else, https too, use a command.");
  }
  if (const std::optional<Given> deadline = section.given("deadline")) {
    probe.deadline = to_duration(*deadline, std::chrono::milliseconds(100));
  }
  return read_check(section, std::move(probe));
}

}  // namespace

Window read_window(const YamlNode& node, const std::string& name) {
  const Section section(node, name, {"days", "from", "to", "zone"});
  Window window;
  window.days = read_days(section.required_value("days"), section.name_of("days"));
  window.from = to_time_of_day(section.required("from"));
  window.to = to_time_of_day(section.required("to"));
  if (window.from == window.to) {
    refuse_setting(section.required("to"), "is the same as from", "Give a window that is open.");
  }
  window.zone = to_zone(section.required("zone"));
  return window;
}

Gate read_gate(const YamlNode& node, const std::string& name, const SectionReader& reader) {
  const Section section(node, name, {"success", "soak", "probe", "command", "http", "approvals"});
  Gate gate;
  if (section.entries().empty()) {
    refuse_setting({section.name(), "", section.place()},
                   "is empty",
                   "Say what must hold, or leave the gate out.");
  }
  if (const std::optional<Given> success = section.given("success")) {
    gate.success_percent = to_percent(*success);
  }
  if (const std::optional<Given> soak = section.given("soak")) {
    gate.soak = to_duration(*soak, std::chrono::milliseconds(0));
  }
  if (const YamlNode* const probe = section.value("probe")) {
    gate.checks.push_back(read_probe(*probe, section.name_of("probe"), reader));
  }
  if (const YamlNode* const command = section.value("command")) {
    gate.checks.push_back(read_command(*command, section.name_of("command")));
  }
  if (const YamlNode* const http = section.value("http")) {
    gate.checks.push_back(read_http(*http, section.name_of("http")));
  }
  if (const std::optional<Given> approvals = section.given("approvals")) {
    gate.approvals = to_count(*approvals, 0, kMostApprovals);
  }
  return gate;
}

}  // namespace drover::orchestrator::settings

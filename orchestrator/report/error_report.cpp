#include "orchestrator/report/error_report.h"

#include <fmt/format.h>

#include "orchestrator/report/text.h"

namespace drover::orchestrator::report {
namespace {

Value known_number(std::size_t number) {
  return number == 0 ? Value() : Value(number);
}

Value blocker_value(const std::optional<engine::Blocker>& blocker) {
  if (!blocker) {
    return {};
  }
  Value value = Value::object();
  value.set("pid", blocker->pid);
  value.set("application", known_text(blocker->application));
  value.set("user", known_text(blocker->user));
  value.set("state", known_text(blocker->state));
  value.set("age", known_text(blocker->age));
  return value;
}

struct ErrorParts {
  ErrorCode code;
  const std::string& kind;
  const std::string& sqlstate;
  std::string message;
  const std::string& hint;
  const Place& place;
  const std::optional<engine::Blocker>& blocker;
};

Value parts_value(const ErrorParts& parts) {
  Value value = Value::object();
  value.set("code", name_of(parts.code));
  value.set("kind", parts.kind);
  value.set("sqlstate", known_text(parts.sqlstate));
  value.set("message", parts.message);
  value.set("hint", parts.hint);
  value.set("file", known_text(parts.place.file));
  value.set("line", known_number(parts.place.line));
  value.set("column", known_number(parts.place.column));
  value.set("blocker", blocker_value(parts.blocker));
  return value;
}

}  // namespace

Value error_value(const Error& error) {
  return parts_value(ErrorParts{error.code(),
                                error.kind_name(),
                                {},
                                error.what(),
                                error.hint(),
                                error.place(),
                                std::nullopt});
}

Value error_value(const engine::TenantFault& fault) {
  return parts_value(ErrorParts{fault.code,
                                fault.kind,
                                fault.sqlstate,
                                fault.message,
                                fault.hint,
                                fault.place,
                                fault.blocker});
}

std::string fault_line(const engine::TenantFault& fault) {
  std::string line = fault.kind;
  if (!fault.sqlstate.empty()) {
    line += fmt::format(" ({})", fault.sqlstate);
  }
  if (const std::string place = to_string(fault.place); !place.empty()) {
    line += " at " + place;
  }
  return printable(line + ": " + fault.message);
}

std::string blocker_line(const engine::TenantFault& fault) {
  if (!fault.blocker) {
    return {};
  }
  const engine::Blocker& blocker = *fault.blocker;
  const auto known = [](const std::string& text) {
    return text.empty() ? std::string("unknown") : text;
  };
  std::string line = fmt::format("blocked by pid {}, application {}, user {}, {}",
                                 blocker.pid,
                                 known(blocker.application),
                                 known(blocker.user),
                                 blocker.state.empty() ? "state unknown" : blocker.state);
  if (!blocker.age.empty()) {
    line += " for " + blocker.age;
  }
  return printable(line);
}

}  // namespace drover::orchestrator::report

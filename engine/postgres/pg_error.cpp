#include "engine/postgres/pg_error.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include <fmt/format.h>

namespace drover::engine::postgres {

namespace {

constexpr std::size_t kSqlStateLength = 5;

std::string field(const PGresult& result, int code) {
  const char* const text = PQresultErrorField(&result, code);
  return text == nullptr ? std::string() : std::string(text);
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string_view line_at(std::string_view text, std::size_t start) {
  return trimmed(text.substr(start, text.find('\n', start) - start));
}

bool is_sql_state(std::string_view text) {
  return text.size() == kSqlStateLength && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
         });
}

/// Where "SQLSTATE: message" starts in a verbose text; npos if nowhere.
std::size_t find_sql_state(std::string_view text) {
  for (std::size_t at = text.find(":  "); at != std::string_view::npos;
       at = text.find(":  ", at + 1)) {
    const std::size_t state = at + 3;
    if (is_sql_state(text.substr(state, kSqlStateLength)) &&
        text.substr(state + kSqlStateLength, 2) == ": ") {
      return state;
    }
  }
  return std::string_view::npos;
}

/// The rest of the line that starts with `label`; empty if there is none.
std::string labelled(std::string_view text, std::string_view label) {
  const std::size_t at = text.find(fmt::format("\n{}:  ", label));
  return at == std::string_view::npos ? std::string()
                                      : std::string(line_at(text, at + label.size() + 4));
}

}  // namespace

SqlError error_of(const PGresult& result) {
  const std::string severity = field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  if (severity.empty()) {  // libpq made this one itself: there is no server to speak of
    return connection_error(PQresultErrorMessage(&result));
  }
  SqlError error;
  error.origin = severity == "ERROR" ? SqlError::Origin::server : SqlError::Origin::connection;
  error.sqlstate = field(result, PG_DIAG_SQLSTATE);
  error.message = field(result, PG_DIAG_MESSAGE_PRIMARY);
  error.detail = field(result, PG_DIAG_MESSAGE_DETAIL);
  error.hint = field(result, PG_DIAG_MESSAGE_HINT);
  error.context = field(result, PG_DIAG_CONTEXT);
  error.position = std::strtoul(field(result, PG_DIAG_STATEMENT_POSITION).c_str(), nullptr, 10);
  const std::string inner = field(result, PG_DIAG_INTERNAL_QUERY);
  if (!inner.empty()) {
    error.context += fmt::format("{}at character {} of: {}",
                                 error.context.empty() ? "" : "\n",
                                 field(result, PG_DIAG_INTERNAL_POSITION),
                                 inner);
  }
  return error;
}

SqlError connection_error(std::string_view text) {
  SqlError error;
  error.origin = SqlError::Origin::connection;
  const std::size_t state = find_sql_state(text);
  if (state == std::string_view::npos) {
    const std::size_t line_end = std::min(text.find('\n'), text.size());
    error.message = trimmed(text.substr(0, line_end));
    error.hint = trimmed(text.substr(line_end));
    std::replace(error.hint.begin(), error.hint.end(), '\n', ' ');
    error.hint.erase(std::remove(error.hint.begin(), error.hint.end(), '\t'), error.hint.end());
    return error;
  }
  error.sqlstate = text.substr(state, kSqlStateLength);
  error.message = line_at(text, state + kSqlStateLength + 2);
  error.detail = labelled(text, "DETAIL");
  error.hint = labelled(text, "HINT");
  return error;
}

SqlError patience_error(Waited waited, std::string_view what) {
  SqlError error;
  if (waited == Waited::stopped) {
    error.origin = SqlError::Origin::stopped;
    error.message = fmt::format("stopped during {}", what);
  } else {
    error.origin = SqlError::Origin::deadline;
    error.message = fmt::format("the deadline passed during {}", what);
  }
  return error;
}

SqlError refusal(std::string_view message, std::string_view hint) {
  SqlError error;
  error.origin = SqlError::Origin::refused;
  error.message = message;
  error.hint = hint;
  return error;
}

}  // namespace drover::engine::postgres

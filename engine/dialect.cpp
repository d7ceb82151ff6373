#include "engine/dialect.h"

namespace drover::engine {
namespace {

std::string with_doubled(std::string_view text, char special) {
  std::string result;
  result.reserve(text.size() + 2);
  for (const char c : text) {
    result += c;
    if (c == special) {
      result += c;
    }
  }
  return result;
}

}  // namespace

std::string_view name_of(Dialect dialect) noexcept {
  return dialect == Dialect::postgres ? "postgres" : "sqlite";
}

std::string quoted_identifier(std::string_view name) {
  return '"' + with_doubled(name, '"') + '"';
}

std::string quoted_literal(Dialect dialect, std::string_view text) {
  const std::string body = with_doubled(text, '\'');
  if (dialect == Dialect::postgres && body.find('\\') != std::string::npos) {
    return "E'" + with_doubled(body, '\\') + "'";
  }
  return "'" + body + "'";
}

}  // namespace drover::engine

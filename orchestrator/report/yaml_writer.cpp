#include "orchestrator/report/yaml_writer.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "orchestrator/report/text.h"
#include "orchestrator/utf8.h"

namespace drover::orchestrator::report {
namespace {

/// Words that some version of YAML reads as something else than text, in lower case.
constexpr std::array<std::string_view, 9> kReserved = {
    "true", "false", "null", "yes", "no", "on", "off", "y", "n"};

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Conservative: a letter first, then letters, digits and a few marks that mean nothing in YAML.
bool is_plain(std::string_view text) {
  if (text.empty() || !is_letter(text.front()) || text.back() == ' ') {
    return false;
  }
  const bool harmless = std::all_of(text.begin(), text.end(), [](char c) {
    return is_letter(c) || is_digit(c) || c == '_' || c == '-' || c == '.' || c == '/' || c == ' ';
  });
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return harmless && std::find(kReserved.begin(), kReserved.end(), lower) == kReserved.end();
}

std::string yaml_scalar(const Value& value) {
  if (const std::string* const text = value.text()) {
    return is_plain(*text) ? *text : quoted_text(*text);
  }
  return bare_scalar(value);
}

bool is_empty(const Value& value) {
  return (value.items() != nullptr && value.items()->empty()) ||
         (value.members() != nullptr && value.members()->empty());
}

/// What stands on the line of its key or dash: a scalar, or brackets with nothing between them.
bool is_short(const Value& value) {
  return is_empty(value) || (value.items() == nullptr && value.members() == nullptr);
}

std::string short_text(const Value& value) {
  if (is_empty(value)) {
    return value.items() != nullptr ? "[]" : "{}";
  }
  return yaml_scalar(value);
}

/// The lines of a list or object. `first` stands before the first line, `indent` blanks before the
/// others: so a dash can have an object on its own line.
void write_block(std::string& out, const Value& value, std::string first, std::size_t indent) {
  const std::string blanks(indent, ' ');
  const auto write_item = [&](const std::string& lead, const Value& item, bool is_list) {
    out += first + lead;
    first = blanks;
    if (is_short(item)) {
      out += " " + short_text(item) + "\n";
    } else if (is_list) {
      write_block(out, item, " ", indent + 2);
    } else {
      out += "\n";
      write_block(out, item, std::string(indent + 2, ' '), indent + 2);
    }
  };
  if (const Value::List* const items = value.items()) {
    for (const Value& item : *items) {
      write_item("-", item, true);
    }
  } else {
    for (const Member& member : *value.members()) {
      write_item(yaml_scalar(member.key) + ":", member.value, false);
    }
  }
}

}  // namespace

std::string quoted_text(std::string_view text) {
  const std::string valid = valid_utf8(text);
  std::string quoted = "\"";
  for (std::size_t at = 0; at < valid.size(); at += character_length(valid[at])) {
    const std::string_view rest = std::string_view(valid).substr(at);
    const char32_t character = first_character(rest);
    if (character == U'"' || character == U'\\') {
      quoted += '\\';
      quoted += rest.front();
    } else if (character == U'\n') {
      quoted += "\\n";
    } else if (is_obeyed_by_terminals(character)) {
      quoted += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(character));
    } else {
      quoted += rest.substr(0, character_length(rest.front()));
    }
  }
  return quoted + "\"";
}

std::string bare_scalar(const Value& value) {
  if (const bool* const truth = value.truth()) {
    return *truth ? "true" : "false";
  }
  if (const std::int64_t* const integer = value.integer()) {
    return fmt::format("{}", *integer);
  }
  if (const double* const number = value.number()) {
    return std::isfinite(*number) ? fmt::format("{}", *number) : "null";
  }
  return "null";
}

std::string yaml_text(const Value& value) {
  if (is_short(value)) {
    return short_text(value) + "\n";
  }
  std::string out;
  write_block(out, value, "", 0);
  return out;
}

}  // namespace drover::orchestrator::report

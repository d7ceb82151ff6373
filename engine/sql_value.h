/// Reads what a database answered as text, and writes what it takes as text. NULL and nonsense read
/// as zero, false or empty: these are for columns that we made ourselves and that cannot hold
/// either.

#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/session.h"

namespace drover::engine {

inline std::int64_t integer_of(const SqlValue& value) {
  std::int64_t number = 0;
  if (value) {
    std::from_chars(value->data(), value->data() + value->size(), number);
  }
  return number;
}

inline std::string text_of(const SqlValue& value) {
  return value.value_or(std::string());
}

/// PostgreSQL says "t" or "true", SQLite any number that is not zero.
inline bool truth_of(const SqlValue& value) {
  return value == "t" || value == "true" || integer_of(value) != 0;
}

/// An array literal of PostgreSQL, to be cast to text[].
inline std::string text_array_of(const std::vector<std::string>& items) {
  std::string text = "{";
  for (const std::string& item : items) {
    text += text.size() > 1 ? ",\"" : "\"";
    for (const char c : item) {
      if (c == '"' || c == '\\') {
        text += '\\';
      }
      text += c;
    }
    text += '"';
  }
  return text + "}";
}

/// A truth as a parameter, in the form that both databases read.
inline std::string parameter_of(bool truth) {
  return truth ? "1" : "0";
}

}  // namespace drover::engine

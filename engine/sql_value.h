/// Reads what a database answered as text, and writes what it takes as text. NULL and nonsense read
/// as zero, false or empty: these are for columns that we made ourselves and that cannot hold
/// either.

#pragma once

#include <charconv>
#include <cstdint>
#include <string>

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

/// A truth as a parameter, in the form that both databases read.
inline std::string parameter_of(bool truth) {
  return truth ? "1" : "0";
}

}  // namespace drover::engine

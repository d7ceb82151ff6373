/// Migration files for the suites of this room: frames to put text into, and what must come of it.

#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "engine/parse/migration_text.h"

namespace drover::engine::parse {

inline const std::string kHeader =
    "-- drover: revision 0004\n"
    "-- drover: parents 0003\n";
inline const std::string kDown = "-- drover: down\n";

/// Files whose one section holds `body`, which begins in line 4.
inline std::string up(const std::string& body) {
  return kHeader + "-- drover: up\n" + body + "\n" + kDown;
}
inline std::string up_postgres(const std::string& body) {
  return kHeader + "-- drover: up postgres\n" + body + "\n" + kDown;
}
inline std::string up_sqlite(const std::string& body) {
  return kHeader + "-- drover: up sqlite\n" + body + "\n" + kDown;
}
inline std::string up_no_transaction(const std::string& body) {
  return kHeader + "-- drover: up postgres no-transaction\n" + body + "\n" + kDown;
}

/// A file with more lines in its header, from line 3 on.
inline std::string header(const std::string& lines) {
  return kHeader + lines + "\n-- drover: up\n" + kDown;
}

/// A file with a verify section, whose body begins in line 5.
inline std::string verify(const std::string& body, const std::string& dialect = "") {
  return kHeader + "-- drover: up\n-- drover: verify" + dialect + "\n" + body + "\n" + kDown;
}

/// A file with a batch section, whose body begins in line 4.
inline std::string batch(const std::string& keys,
                         const std::string& body = "UPDATE t SET a = 1 WHERE {range};",
                         const std::string& dialect = "") {
  return kHeader + "-- drover: batch" + dialect + " " + keys + "\n" + body + "\n" + kDown;
}

inline Migration parsed(const std::string& text) {
  return parse_migration(text, "migrations/0004_add_hash.sql");
}

/// The error that `text` must give.
inline MigrationTextError error_of(const std::string& text) {
  try {
    parsed(text);
  } catch (const MigrationTextError& error) {
    return error;
  }
  throw std::logic_error("expected a MigrationTextError, and nothing was thrown");
}

/// One text that must be refused, and how.
struct Refusal {
  std::string what;
  std::string text;
  std::string place;  ///< "line:column"
  std::string message;
};

/// Checks that each of `refusals` ends with this kind and hint.
inline void check_refused(const std::string& kind_name,
                          const std::string& hint,
                          const std::vector<Refusal>& refusals) {
  for (const Refusal& refusal : refusals) {
    INFO(refusal.what);
    const MigrationTextError error = error_of(refusal.text);
    CHECK(error.kind_name() == kind_name);
    CHECK(to_string(error.place()) == "migrations/0004_add_hash.sql:" + refusal.place);
    CHECK(std::string(error.what()) == refusal.message);
    CHECK(error.hint() == hint);
    CHECK(error.code() == ErrorCode::usage);
  }
}

}  // namespace drover::engine::parse

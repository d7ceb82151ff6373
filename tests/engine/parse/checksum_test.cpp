#include "engine/parse/checksum.h"

#include <string>

#include <catch2/catch.hpp>

#include "tests/engine/parse/migration_files.h"

namespace drover::engine::parse {
namespace {

/// A file with every kind of section, of which the vector below was made by hand with sha256sum.
const std::string kFile =
    "-- drover: parents none\n"
    "-- drover: set   statement_timeout = 5min\n"
    "-- drover: set lock_timeout=2s\n"
    "-- drover: up\n"
    "CREATE TABLE t (a int); -- both\n"
    "\n"
    "-- drover:  up   postgres\tno-transaction \n"
    "VACUUM t;\n"
    "-- drover: up sqlite\n"
    "SELECT 'it''s';\n"
    "-- drover: batch postgres table=t\n"
    "-- drover: done  a > 0\n"
    "UPDATE t SET a = 1 WHERE {range};\n"
    "-- drover: verify\n"
    "SELECT 1\n"
    "-- drover: down\n"
    "DROP TABLE t;\n"
    "-- drover: down sqlite\n"
    "-- nothing";

Checksums of(const std::string& text, Dialect dialect) {
  return parsed(text).checksums.at(dialect);
}

std::string with(const std::string& from, const std::string& to) {
  std::string text = kFile;
  text.replace(text.find(from), from.size(), to);
  return text;
}

}  // namespace

TEST_CASE("the checksums of a file are what they always were", "[engine][parse]") {
  const Checksums postgres = of(kFile, Dialect::postgres);
  const Checksums sqlite = of(kFile, Dialect::sqlite);

  CHECK(postgres.up == "33b797ea94144d4523d005207495c3427f069672fca614743138878cb55e4be4");
  CHECK(postgres.down == "645e28d03b15ede66f7079cd4328b0a9c8794e73ab605551cac146fc74e82e99");
  CHECK(sqlite.up == "73db14b8520b376350ca70e07b5e4f8a4588405a36ac36a9c3f14188deda4c12");
  CHECK(sqlite.down == "cad1ac39aa6288197dec177b46f8cb2ab14354f25b36ba890b2cb90b19c1e6f0");
  CHECK(postgres.chain.empty());
}

TEST_CASE("a change is seen where it acts, and nowhere else", "[engine][parse]") {
  const Checksums postgres = of(kFile, Dialect::postgres);
  const Checksums sqlite = of(kFile, Dialect::sqlite);
  const auto check = [&](const std::string& changed, bool pg_up, bool pg_down, bool up, bool down) {
    INFO(changed);
    CHECK((of(changed, Dialect::postgres).up != postgres.up) == pg_up);
    CHECK((of(changed, Dialect::postgres).down != postgres.down) == pg_down);
    CHECK((of(changed, Dialect::sqlite).up != sqlite.up) == up);
    CHECK((of(changed, Dialect::sqlite).down != sqlite.down) == down);
  };

  SECTION("in a section for both") {
    check(with("-- both", "-- all"), true, false, true, false);
  }
  SECTION("in a section for one") {
    check(with("VACUUM t", "VACUUM u"), true, false, false, false);
    check(with("'it''s'", "'its'"), false, false, true, false);
  }
  SECTION("in a line of a batch") {
    check(with("a > 0", "a > 1"), true, false, false, false);
  }
  SECTION("in a verify") {
    check(with("SELECT 1\n", "SELECT 2\n"), true, false, true, false);
  }
  SECTION("in a setting, which is part of up alone") {
    check(with("2s", "3s"), true, false, true, false);
  }
  SECTION("on the way down") {
    check(with("DROP TABLE t", "DROP TABLE u"), false, true, false, true);
    check(with("-- nothing", ""), false, false, false, true);
  }
  SECTION("in a directive's blanks, or the order of settings, or the header: nowhere") {
    check(with("-- drover: up sqlite", "-- drover: up    sqlite  "), false, false, false, false);
    check(with("-- drover: set lock_timeout=2s\n",
               "-- drover: message x\n-- drover: set lock_timeout=2s\n"),
          false,
          false,
          false,
          false);
    std::string swapped = with("-- drover: set lock_timeout=2s\n", "");
    swapped.insert(0, "-- drover: set lock_timeout=2s\n");
    check(swapped, false, false, false, false);
  }
}

TEST_CASE("text cannot move between sections unseen", "[engine][parse]") {
  const std::string one = kHeader + "-- drover: up\nSELECT 1;\n-- drover: up\nSELECT 2;\n" + kDown;
  const std::string other =
      kHeader + "-- drover: up\nSELECT 1;\nSELECT 2;\n-- drover: up\n" + kDown;

  CHECK(of(one, Dialect::postgres).up != of(other, Dialect::postgres).up);
}

}  // namespace drover::engine::parse

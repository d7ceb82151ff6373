#include <string>

#include <unistd.h>
#include <catch2/catch.hpp>

#include "orchestrator/store/clean_text.h"
#include "orchestrator/store/open_journal.h"
#include "orchestrator/store/process_identity.h"
#include "tests/support/temp_dir.h"

using namespace drover::orchestrator::store;

TEST_CASE("clean text stays as it is", "[store][clean_text]") {
  const auto text = GENERATE(as<std::string>{}, "", "plain", "Zürich 🐄\n\t\x01\x7F");
  CHECK(clean_text(text) == text);
}

TEST_CASE("every byte that is no text is replaced", "[store][clean_text]") {
  const std::string mark = "\xEF\xBF\xBD";
  CHECK(clean_text(std::string("a\0b", 3)) == "a" + mark + "b");
  CHECK(clean_text("\xE9t\xE9") == mark + "t" + mark);
  CHECK(clean_text("\xC0\x80") == mark + mark);
  CHECK(clean_text("cut \xE2\x82") == "cut " + mark + mark);
}

TEST_CASE("this process is alive by its own identity", "[store][process]") {
  const std::string identity = process_identity(::getpid());

  CHECK(liveness_of(::getpid(), identity) == Liveness::alive);
  CHECK(liveness_of(::getpid(), identity + "0") == Liveness::dead);
  CHECK(liveness_of(::getpid(), "") == Liveness::unknown);
  CHECK(liveness_of(0, identity) == Liveness::unknown);
  CHECK(liveness_of(::getpid(), "some-other-boot pid:[1] 1") == Liveness::unknown);
}

TEST_CASE("a store is PostgreSQL by its URL or its keywords, and else a path", "[store]") {
  CHECK(names_postgres("postgres://db1/runs"));
  CHECK(names_postgres("postgresql://db1/runs"));
  CHECK(names_postgres("host=db1 dbname=runs"));
  CHECK(names_postgres("service=runs"));
  CHECK_FALSE(names_postgres(".drover/runs.db"));
  CHECK_FALSE(names_postgres("/var/lib/drover/env=production/runs.db"));
  CHECK_FALSE(names_postgres("./a=b"));
  CHECK_FALSE(names_postgres("=x"));
}

TEST_CASE("a relative path starts at the base", "[store]") {
  const drover::test::TempDir dir;
  using drover::engine::Secret;

  CHECK(open_journal(Secret("state/runs.db"), dir.path())->runs("", 1).empty());
  CHECK(std::filesystem::exists(dir / "state/runs.db"));
  CHECK_NOTHROW(open_journal(Secret((dir / "other.db").string()), "/nowhere"));
  CHECK(std::filesystem::exists(dir / "other.db"));
}

#include "engine/migration_set.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/engine/revision_builders.h"

using drover::engine::Dialect;
using drover::engine::GraphError;
using drover::engine::Migration;
using drover::engine::MigrationSet;
using drover::engine::RevisionId;
using namespace drover::engine::test;  // NOLINT: builders

namespace {

/// A migration whose up checksum is 64 times `up` on PostgreSQL, and zeros on SQLite.
Migration file(const std::string& id, std::initializer_list<std::string> parents, char up) {
  Migration migration;
  migration.id = RevisionId{id};
  migration.parents = ids(parents);
  migration.source = "migrations/" + id + "_x.sql";
  migration.checksums[Dialect::postgres] = {std::string(64, up), std::string(64, 'd'), ""};
  migration.checksums[Dialect::sqlite] = {std::string(64, '0'), std::string(64, 'd'), ""};
  return migration;
}

/// 0003 follows 0001 and depends on 0002.
std::vector<Migration> three_files() {
  std::vector<Migration> files = {
      file("0003", {"0001"}, 'c'), file("0001", {}, 'a'), file("0002", {}, 'b')};
  files.front().depends = ids({"0002"});
  return files;
}

std::string chain_of(const MigrationSet& set, const std::string& id) {
  return set.find(RevisionId{id})->checksums.at(Dialect::postgres).chain;
}

}  // namespace

TEST_CASE("the chain checksum is what sha256sum says it is", "[engine][migration_set]") {
  const auto set = MigrationSet::build(three_files());

  // a() { printf "%064d\n" 0 | tr 0 "$1"; }
  // a a | sha256sum; a b | sha256sum
  CHECK(chain_of(set, "0001") ==
        "44c2336fedab8ff6a85c74c2b94165377b0981f526adb9487895ca6314165e86");
  CHECK(chain_of(set, "0002") ==
        "5c6449da335badb355097ca2a7898509bce8feebfe31dedce47798825fdd9a11");
  // { a c; printf '%s\n' CHAIN_OF_0001 CHAIN_OF_0002 | LC_ALL=C sort; } | sha256sum
  CHECK(chain_of(set, "0003") ==
        "40d51d4a20a00594b01ef274e19cf7d2f157f5b81023cefc875679db66b86c99");
  CHECK(set.find(RevisionId{"0001"})->checksums.at(Dialect::sqlite).chain ==
        "827d096d92f3deeaa0e8070d79f45beb176768e57a958a1cd325f5f4b754b048");
}

TEST_CASE("the chain checksum tells of a changed ancestor", "[engine][migration_set]") {
  const auto before = MigrationSet::build(three_files());
  std::vector<Migration> files = three_files();
  files[2].checksums[Dialect::postgres].up[0] = 'e';
  const auto after = MigrationSet::build(files);

  CHECK(chain_of(after, "0001") == chain_of(before, "0001"));
  CHECK(chain_of(after, "0002") != chain_of(before, "0002"));
  CHECK(chain_of(after, "0003") != chain_of(before, "0003"));
}

TEST_CASE("a set is in running order and finds its migrations", "[engine][migration_set]") {
  const auto set = MigrationSet::build(three_files());

  REQUIRE(set.in_order().size() == 3);
  CHECK(set.in_order()[0].id == RevisionId{"0001"});
  CHECK(set.in_order()[2].id == RevisionId{"0003"});
  CHECK(set.find(RevisionId{"0002"})->source == "migrations/0002_x.sql");
  CHECK(set.find(RevisionId{"0009"}) == nullptr);
  CHECK(set.graph().find(RevisionId{"0003"})->depends == ids({"0002"}));
  CHECK(MigrationSet::build({}).in_order().empty());
}

TEST_CASE("an unsound set is refused at its file", "[engine][migration_set]") {
  const auto error = error_of([] { MigrationSet::build({file("0002", {"0001"}, 'a')}); });

  CHECK(error.kind() == GraphError::Kind::unknown_parent);
  CHECK(error.place().file == "migrations/0002_x.sql");
}

TEST_CASE("the digest covers what acts, and only that", "[engine][migration_set]") {
  const std::string digest = MigrationSet::build(three_files()).digest();
  const auto digest_after = [](auto change) {
    std::vector<Migration> files = three_files();
    change(files.front());
    return MigrationSet::build(files).digest();
  };

  SECTION("not the order of the files, a message or a label") {
    std::vector<Migration> backwards = three_files();
    std::reverse(backwards.begin(), backwards.end());
    CHECK(MigrationSet::build(backwards).digest() == digest);
    CHECK(digest_after([](Migration& m) { m.message = "other"; }) == digest);
    CHECK(digest_after([](Migration& m) { m.labels = {"other"}; }) == digest);
  }

  SECTION("the id, the parents, and up and down of either dialect") {
    CHECK(digest_after([](Migration& m) { m.id = RevisionId{"0009"}; }) != digest);
    CHECK(digest_after([](Migration& m) { m.parents.clear(); }) != digest);
    CHECK(digest_after([](Migration& m) { m.checksums[Dialect::sqlite].up[0] = '1'; }) != digest);
    CHECK(digest_after([](Migration& m) { m.checksums[Dialect::postgres].down[0] = '1'; }) !=
          digest);
  }
}

#include "orchestrator/inventory/sqlite_files.h"

#include <filesystem>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "engine/error.h"
#include "tests/support/temp_dir.h"

using drover::Error;
using drover::engine::Dialect;
using drover::engine::Target;
using drover::orchestrator::inventory::sqlite_files;
using drover::orchestrator::inventory::sqlite_path_in;
using drover::orchestrator::inventory::sqlite_target;
using drover::orchestrator::inventory::sqlite_target_under;
using drover::test::TempDir;

namespace {

namespace fs = std::filesystem;

/// A folder without links in its path, so that canonical paths are easy to write down.
struct World {
  TempDir folder;
  fs::path root = fs::canonical(folder.path()) / "data";

  World() { fs::create_directory(root); }

  std::vector<std::string> names(const std::string& pattern) const {
    std::vector<std::string> result;
    for (const fs::path& file : sqlite_files(root / pattern)) {
      result.push_back(file.filename().string());
    }
    return result;
  }

  std::string error_of(const std::string& path) const {
    try {
      return "accepted as " + sqlite_target_under(root, path).connection;
    } catch (const Error& error) {
      return error.kind_name() + ": " + error.what();
    }
  }
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a target's path stands behind sqlite:") {
  CHECK(sqlite_path_in("sqlite:data/x.db") == "data/x.db");
  CHECK(sqlite_path_in("postgres://sqlite:x@db/y").empty());
}

TEST_CASE("a pattern finds plain files by name and nothing else") {
  World world;
  for (const char* const name : {"data/b.db",
                                 "data/a.db",
                                 "data/a.db-wal",
                                 "data/a.db-shm",
                                 "data/a.db-journal",
                                 "data/.c.db",
                                 "data/d.txt"}) {
    world.folder.write(name, "");
  }
  fs::create_directory(world.root / "folder.db");
  fs::create_symlink(world.root / "nowhere", world.root / "dangling.db");
  CHECK(world.names("*.db") == Names{"a.db", "b.db"});
  CHECK(world.names("*") == Names{"a.db", "b.db", "d.txt"});
  CHECK(world.names(".*") == Names{".c.db"});
  CHECK(world.names("[b-z].db") == Names{"b.db"});
  CHECK(world.names("x*").empty());
}

TEST_CASE("a pattern without a glob is that file, there or not") {
  const World world;
  CHECK(world.names("new.db") == Names{"new.db"});
}

TEST_CASE("a folder that is not there is an error") {
  const World world;
  CHECK_THROWS_WITH(sqlite_files(world.root / "nowhere" / "*.db"),
                    "the folder " + (world.root / "nowhere").string() +
                        " cannot be listed: No such file or directory");
}

TEST_CASE("a file's target is its canonical path, folder and name") {
  World world;
  world.folder.write("data/x.db", "");
  fs::create_symlink(world.root, world.folder / "link");
  const Target target = sqlite_target(world.folder.path() / "link" / ".." / "data" / "x.db");
  CHECK(target.dialect == Dialect::sqlite);
  CHECK(target.connection == (world.root / "x.db").string());
  CHECK(target.server == world.root.string());
  CHECK(target.database == "x.db");
  CHECK(target.schema.empty());
  CHECK(sqlite_target(world.folder / "link/x.db") == target);
}

TEST_CASE("data names files under the root only") {
  World world;
  world.folder.write("outside.db", "");
  fs::create_directory(world.root / "sub");
  fs::create_symlink(world.folder.path(), world.root / "out");
  fs::create_symlink(world.folder / "outside.db", world.root / "link.db");
  fs::create_symlink(world.root / "sub", world.root / "in");
  CHECK(world.error_of("x.db") == "accepted as " + (world.root / "x.db").string());
  CHECK(world.error_of("in/x.db") == "accepted as " + (world.root / "sub/x.db").string());
  CHECK(world.error_of((world.root / "x.db").string()) ==
        "accepted as " + (world.root / "x.db").string());
  CHECK(world.error_of("../outside.db") ==
        "invalid_target: the target's path '../outside.db' has a '..'");
  CHECK(world.error_of("sub/../x.db") ==
        "invalid_target: the target's path 'sub/../x.db' has a '..'");
  CHECK(world.error_of("/etc/passwd") ==
        "invalid_target: the target's path '/etc/passwd' leads out of the source's root");
  CHECK(world.error_of("out/outside.db") ==
        "invalid_target: the target's path 'out/outside.db' leads out of the source's root");
  CHECK(world.error_of("link.db") ==
        "invalid_target: the target's path 'link.db' leads out of the source's root");
  CHECK(world.error_of(world.root.string() + "-2/x.db") ==
        "invalid_target: the target's path '" + world.root.string() +
            "-2/x.db' leads out of the source's root");
  CHECK(world.error_of(".") ==
        "invalid_target: the target's path '.' leads out of the source's root");
}

TEST_CASE("without a root no data names files") {
  CHECK_THROWS_WITH(sqlite_target_under("", "x.db"),
                    "the target is the SQLite file 'x.db', and the source has no root");
}
